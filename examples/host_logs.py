"""The application's own log lines say which call and which span they belong to, so that log and trace are one.

It prints:
                      ready
call-1 qualification  asking the model
call-1 turn           answered
                      hung up
"""

import io
import logging

import reamon
from reamon.exporters import MemoryExporter
from reamon.integrations import TraceIdFilter

log = logging.getLogger("app.calls")


@reamon.trace_agent
def qualification(text: str) -> str:
    """An agent that logs, as it did before."""
    log.info("asking the model")
    return f"You said {text!r}."


@reamon.trace_workflow
def turn(call_id: str, text: str) -> str:
    """One turn of a conversation."""
    reply = qualification(text)
    log.info("answered")
    return reply


def log_into(file: io.StringIO) -> None:
    """What the application's set-up does already, and the line that it gains."""
    handler = logging.StreamHandler(file)
    handler.addFilter(TraceIdFilter())  # this one
    handler.setFormatter(logging.Formatter("%(call_id)s|%(span_id)s|%(message)s"))
    logging.getLogger("app").addHandler(handler)
    logging.getLogger("app").setLevel(logging.INFO)


if __name__ == "__main__":
    file, memory = io.StringIO(), MemoryExporter()
    log_into(file)
    reamon.configure(exporters=[memory])
    log.info("ready")
    turn("call-1", "I want to sell my house.")
    log.info("hung up")
    reamon.flush()
    names = {span.span_id: span.name for span in memory.spans}
    for line in file.getvalue().splitlines():
        call_id, span_id, message = line.split("|")
        print(f"{call_id:<6} {names.get(span_id, ''):<14} {message}")
