"""The host's own log lines say which call, trace and span they belong to."""

import asyncio
import io
import json
import logging
import logging.config
import logging.handlers
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

import reamon
from reamon.guard import guard
from reamon.integrations import TraceIdFilter, VoiceTurn, add_trace_ids
from reamon.testing import Captured

LINE = "%(message)s|%(call_id)s|%(trace_id)s|%(span_id)s"


@pytest.fixture
def stream() -> io.StringIO:
    """Where the host's log goes."""
    return io.StringIO()


@pytest.fixture
def handler(stream: io.StringIO) -> logging.Handler:
    """The host's handler, as its own set-up makes it."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(LINE))
    handler.addFilter(TraceIdFilter())
    return handler


@pytest.fixture
def logger(handler: logging.Handler) -> Iterator[logging.Logger]:
    """The host's logger, far below the one with the handler."""
    parent = logging.getLogger("host")
    parent.addHandler(handler)
    parent.setLevel(logging.INFO)
    parent.propagate = False
    yield logging.getLogger("host.agents.conversation")
    parent.removeHandler(handler)


# -- the standard library ----------------------------------------------------------------------------------------------


def test_a_line_has_the_ids_of_the_span_that_runs(
    captured: Captured, logger: logging.Logger, stream: io.StringIO
) -> None:
    with reamon.trace_workflow("turn", call_id="call-1") as turn, reamon.trace_agent("qualification") as agent:
        logger.info("qualified")
    assert stream.getvalue() == f"qualified|call-1|{turn.trace_id}|{agent.span_id}\n"


def test_a_line_outside_of_any_span_has_empty_ids(logger: logging.Logger, stream: io.StringIO) -> None:
    logger.info("started")
    assert stream.getvalue() == "started|||\n"


def test_a_line_of_a_trace_without_a_call_has_an_empty_call(
    captured: Captured, logger: logging.Logger, stream: io.StringIO
) -> None:
    with reamon.trace_workflow("job") as job:
        logger.info("counting")
    assert stream.getvalue() == f"counting||{job.trace_id}|{job.span_id}\n"


def test_a_call_that_becomes_known_late_is_in_the_lines_from_then_on(
    captured: Captured, logger: logging.Logger, stream: io.StringIO
) -> None:
    with reamon.trace_workflow("turn") as turn:
        logger.info("ringing")
        turn.set_call_id("call-9")
        logger.info("answered")
    assert [line.split("|")[1] for line in stream.getvalue().splitlines()] == ["", "call-9"]


def test_what_the_host_gave_the_record_stays(captured: Captured, logger: logging.Logger, stream: io.StringIO) -> None:
    with reamon.trace_workflow("turn", call_id="call-1") as turn:
        logger.info("mine", extra={"call_id": "host-call", "trace_id": None})
    assert stream.getvalue() == f"mine|host-call|None|{turn.span_id}\n"


def test_every_thread_and_task_logs_its_own_ids(
    captured: Captured, logger: logging.Logger, stream: io.StringIO
) -> None:
    def work(number: int) -> None:
        with reamon.trace_workflow("turn", call_id=f"call-{number}"):
            logger.info("thread %s", number)

    async def serve(number: int) -> None:
        with reamon.trace_workflow("turn", call_id=f"call-{number}"):
            await asyncio.sleep(0)
            logger.info("task %s", number)

    async def all_at_once() -> None:
        await asyncio.gather(*(serve(number) for number in range(20)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(all_at_once())
    lines = [line.split("|") for line in stream.getvalue().splitlines()]
    assert len(lines) == 40
    assert all(message.split()[1] == call_id.removeprefix("call-") for message, call_id, _, _ in lines)


def test_a_queue_handler_makes_the_ids_where_the_line_is_logged(
    captured: Captured, handler: logging.Handler, stream: io.StringIO
) -> None:
    lines: queue.Queue[Any] = queue.Queue()
    sender = logging.handlers.QueueHandler(lines)
    sender.addFilter(TraceIdFilter())
    listener = logging.handlers.QueueListener(lines, handler)  # whose handler has a filter of its own
    logger = logging.getLogger("host_with_queue")
    logger.addHandler(sender)
    logger.propagate = False
    listener.start()
    try:
        with reamon.trace_workflow("turn", call_id="call-1") as turn:
            logger.warning("queued")
    finally:
        listener.stop()
        logger.removeHandler(sender)
    assert stream.getvalue() == f"queued|call-1|{turn.trace_id}|{turn.span_id}\n"


def test_without_the_filter_on_the_queue_handler_the_ids_are_gone(
    captured: Captured, handler: logging.Handler, stream: io.StringIO
) -> None:
    lines: queue.Queue[Any] = queue.Queue()
    sender = logging.handlers.QueueHandler(lines)
    listener = logging.handlers.QueueListener(lines, handler)
    logger = logging.getLogger("host_with_bare_queue")
    logger.addHandler(sender)
    logger.propagate = False
    listener.start()
    try:
        with reamon.trace_workflow("turn", call_id="call-1"):
            logger.warning("queued")
    finally:
        listener.stop()
        logger.removeHandler(sender)
    assert stream.getvalue() == "queued|||\n"


def test_dict_config_finds_the_filter_by_its_dotted_path(captured: Captured, stream: io.StringIO) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"trace_ids": {"()": "reamon.integrations.TraceIdFilter"}},
            "formatters": {"line": {"format": LINE}},
            "handlers": {
                "out": {
                    "class": "logging.StreamHandler",
                    "stream": stream,
                    "filters": ["trace_ids"],
                    "formatter": "line",
                }
            },
            "loggers": {"host_by_config": {"handlers": ["out"], "level": "INFO", "propagate": False}},
        }
    )
    with reamon.trace_workflow("turn", call_id="call-1") as turn:
        logging.getLogger("host_by_config.calls").info("configured")
    assert stream.getvalue() == f"configured|call-1|{turn.trace_id}|{turn.span_id}\n"


def test_json_formatters_find_the_ids_on_the_record(captured: Captured, stream: io.StringIO) -> None:
    class JSONFormatter(logging.Formatter):
        """As hosts write them: everything on the record that is not the standard library's."""

        standard = frozenset(vars(logging.makeLogRecord({})))

        def format(self, record: logging.LogRecord) -> str:
            extra = {key: value for key, value in vars(record).items() if key not in self.standard}
            return json.dumps({"message": record.getMessage(), **extra})

    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter())
    handler.addFilter(TraceIdFilter())
    logger = logging.getLogger("host_in_json")
    logger.addHandler(handler)
    logger.propagate = False
    with reamon.trace_workflow("turn", call_id="call-1") as turn:
        logger.error("lost %s", "audio", extra={"lead": 7})
    assert json.loads(stream.getvalue()) == {
        "message": "lost audio",
        "lead": 7,
        "call_id": "call-1",
        "trace_id": turn.trace_id,
        "span_id": turn.span_id,
    }


def test_a_filter_with_a_name_still_filters(captured: Captured) -> None:
    named = TraceIdFilter("host.calls")
    assert named.filter(logging.makeLogRecord({"name": "host.calls.inbound"}))
    assert not named.filter(logging.makeLogRecord({"name": "host.leads"}))


def test_the_ids_are_those_that_are_recorded(captured: Captured, logger: logging.Logger, stream: io.StringIO) -> None:
    with reamon.trace_workflow("turn", call_id="call-1"):
        logger.info("inside")
    recorded = captured.one("turn")
    assert stream.getvalue() == f"inside|call-1|{recorded.trace_id}|{recorded.span_id}\n"


def test_a_background_task_logs_the_ids_of_the_turn_that_started_it(
    captured: Captured, logger: logging.Logger, stream: io.StringIO
) -> None:
    async def analyse() -> None:
        await asyncio.sleep(0)
        logger.info("analysed")

    async def turn() -> str:
        with reamon.trace_workflow("turn", call_id="call-1") as span:
            task = asyncio.create_task(analyse())
        await task
        return span.trace_id

    trace_id = asyncio.run(turn())
    assert stream.getvalue().split("|")[1:3] == ["call-1", trace_id]


def test_a_voice_turn_is_in_the_lines_of_what_runs_below_it(
    captured: Captured, logger: logging.Logger, stream: io.StringIO
) -> None:
    turn = VoiceTurn(call_id="call-1")
    logger.info("outside")
    with turn.agent("conversation") as agent:
        logger.info("inside")
    turn.end()
    assert stream.getvalue().splitlines() == ["outside|||", f"inside|call-1|{turn.span.trace_id}|{agent.span_id}"]


def test_suppressed_code_logs_no_ids(captured: Captured, logger: logging.Logger, stream: io.StringIO) -> None:
    with reamon.trace_workflow("turn", call_id="call-1"), reamon.suppress():
        logger.info("private")
    assert stream.getvalue() == "private|||\n"


def test_our_own_errors_lose_no_line_of_the_host(
    captured: Captured, logger: logging.Logger, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> object:
        raise RuntimeError("broken")

    monkeypatch.setattr("reamon.integrations.logs.current_span", broken)
    logger.handlers = []
    with guard.relaxed():
        assert TraceIdFilter().filter(logging.makeLogRecord({"name": "host"}))
        assert add_trace_ids(None, "info", {"event": "booked"}) == {"event": "booked"}
    assert guard.errors == 2


# -- structlog ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def render(stream: io.StringIO) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """structlog, as a host configures it; gives the lines that were written."""
    structlog.configure(
        processors=[add_trace_ids, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()


def test_an_event_has_the_ids_of_the_span_that_runs(
    captured: Captured, render: Callable[[], list[dict[str, Any]]]
) -> None:
    log = structlog.get_logger()
    log.info("started")
    with reamon.trace_workflow("turn", call_id="call-1") as turn:
        log.info("booked", slot="Monday")
        log.info("mine", call_id="host-call")
    with reamon.trace_workflow("job") as job:
        log.info("counting")
    assert render() == [
        {"event": "started"},
        {
            "event": "booked",
            "slot": "Monday",
            "call_id": "call-1",
            "trace_id": turn.trace_id,
            "span_id": turn.span_id,
        },
        {"event": "mine", "call_id": "host-call", "trace_id": turn.trace_id, "span_id": turn.span_id},
        {"event": "counting", "trace_id": job.trace_id, "span_id": job.span_id},
    ]


async def test_async_log_methods_have_the_ids_of_their_task(
    captured: Captured, render: Callable[[], list[dict[str, Any]]]
) -> None:
    log = structlog.stdlib.get_logger()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    with reamon.trace_workflow("turn", call_id="call-1") as turn:
        await log.ainfo("booked")
    assert [(line["call_id"], line["trace_id"]) for line in render()] == [("call-1", turn.trace_id)]


def test_lines_of_the_standard_library_have_them_in_structlogs_formatter(
    captured: Captured, stream: io.StringIO
) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[add_trace_ids],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logger = logging.getLogger("host_through_structlog")
    logger.addHandler(handler)
    logger.propagate = False
    with reamon.trace_workflow("turn", call_id="call-1") as turn:
        logger.warning("foreign")
    assert json.loads(stream.getvalue()) == {
        "event": "foreign",
        "call_id": "call-1",
        "trace_id": turn.trace_id,
        "span_id": turn.span_id,
    }


def test_an_event_that_is_no_mapping_passes(captured: Captured) -> None:
    with guard.relaxed(), reamon.trace_workflow("turn"):
        assert add_trace_ids(None, "info", "rendered already") == "rendered already"  # type: ignore[type-var]
