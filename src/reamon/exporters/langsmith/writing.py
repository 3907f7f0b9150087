"""Writing: runs that are written by hand, each sent at once and acknowledged."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from reamon.errors import ConfigurationError, ServiceError
from reamon.exporters.langsmith.bodies import batch_body
from reamon.exporters.langsmith.drafts import Draft, Place
from reamon.exporters.langsmith.reading import Reader
from reamon.exporters.langsmith.runs import Run, RunOptions
from reamon.exporters.langsmith.service import Service

_KEPT: Final = 10_000
_CONFLICT: Final = 409
_OUR_IDS: Final = 7  # the version of the UUIDs from which a start can be read


class Writer:
    """Sends runs, and remembers where they stand so that others can be put below them.

    Args:
        service: Who takes them.
        reader: Who finds the runs that are not remembered.
    """

    def __init__(self, service: Service, reader: Reader) -> None:
        settings = service.settings
        self._service = service
        self._reader = reader
        self._options = RunOptions(
            project=settings.project,
            hide_inputs=settings.hide_inputs,
            hide_outputs=settings.hide_outputs,
            hide_metadata=settings.hide_metadata,
        )
        # Both forget their oldest entry beyond a size. Each step is atomic, so there is no lock that a fork might catch
        # in the hands of another thread.
        self._places: OrderedDict[str, Place] = OrderedDict()
        self._unanswered: OrderedDict[str, None] = OrderedDict()

    def post(self, place: Place, draft: Draft) -> str:
        """Send a new run, and give back its id.

        Raises:
            ServiceError: LangSmith did not take it.
        """
        try:
            self._send(posts=[draft.as_new(place, self._options)])
        except ServiceError as error:
            if error.status != _CONFLICT:  # the id is new, so it can only conflict with itself
                raise
        _keep(self._places, place.run_id, place)
        return place.run_id

    def patch(self, place: Place, draft: Draft) -> None:
        """Send the one update that LangSmith takes of a run.

        Raises:
            ServiceError: LangSmith did not take it; with status 409, because there has been one.
        """
        run = draft.as_update(place, self._options)
        try:
            self._send(patches=[run])
        except ServiceError as error:
            if error.status == _CONFLICT and run.id in self._unanswered:
                return  # what LangSmith has is this update: its answer was lost the last time
            if error.status == _CONFLICT:
                raise ServiceError(
                    f"LangSmith has an update of run {run.id} already and takes no second one (409); "
                    "say everything in one update",
                    _CONFLICT,
                ) from error
            if error.status is None or error.status >= 500:
                _keep(self._unanswered, run.id, None)
            raise

    def place(self, trace_id: str, run_id: str, project: str | None, call_id: str | None) -> Place:
        """Where a run stands: as remembered, else as the id of a root tells, else as LangSmith has it.

        Raises:
            ConfigurationError: These are no ids of LangSmith's, or of different traces.
            ServiceError: LangSmith does not have the run, or did not answer.
        """
        trace_id, run_id = canonical(trace_id), canonical(run_id)
        place = self._places.get(run_id)
        if place is None and run_id == trace_id and UUID(trace_id).version == _OUR_IDS:
            place = Place.root_of(trace_id, project=self._options.project)
        if place is None:
            place = self._look_up(trace_id, run_id, project or self.project_of(trace_id))
        if place.trace_id != trace_id:
            raise ConfigurationError(f"run {run_id} is part of trace {place.trace_id}, not of {trace_id}")
        return place.within(project, call_id)

    def project_of(self, trace_id: str) -> str:
        """The project in which this process began a trace, else the usual one."""
        place = self._places.get(trace_id)
        return self._options.project if place is None else place.project

    def _look_up(self, trace_id: str, run_id: str, project: str) -> Place:
        for record in self._reader.trace(trace_id, project):
            if record.id == run_id and record.dotted_order:
                place = Place(dotted_order=record.dotted_order, project=project, call_id=record.to_run().call_id)
                _keep(self._places, run_id, place)
                return place
        raise ServiceError(
            f"LangSmith has no run {run_id} in trace {trace_id} of project {project!r}, or has it still in its queue: "
            "try again in some seconds, or name its project (`project=`)",
            404,
        )

    def _send(self, posts: Sequence[Run] = (), patches: Sequence[Run] = ()) -> None:
        body = batch_body(posts, patches)
        self._service.ask("POST", "/runs/batch", body.content, headers=body.headers)


def canonical(identity: str) -> str:
    """An id as LangSmith spells it.

    Raises:
        ConfigurationError: It is no UUID.
    """
    try:
        return str(UUID(identity))
    except ValueError:
        raise ConfigurationError(f"{identity!r} is no id of a trace or a run: LangSmith's ids are UUIDs") from None


def _keep(recent: OrderedDict[str, Any], key: str, value: object) -> None:
    recent[key] = value
    if len(recent) > _KEPT:
        recent.popitem(last=False)
