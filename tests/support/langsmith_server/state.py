"""What the server has taken: runs, projects, shares."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Condition
from typing import Any, Literal

from .ingest import Ingest, Write

MixedConflict = Literal["reject_all", "ignore_old"]
Keep = Literal["runs", "ids"]

NAMESPACE = uuid.UUID("6f1d9a34-52f5-4c2e-9d9f-6a4d0b1f7a11")
"""Projects get ids that follow from their names."""

TENANT_ID = str(uuid.uuid5(NAMESPACE, "tenant"))


class State:
    """Everything stored, behind one lock.

    Args:
        keep: `ids` counts runs and forgets what is in them.
        mixed_conflict: What becomes of the new runs in a request that also holds old ones.
    """

    def __init__(self, keep: Keep = "runs", mixed_conflict: MixedConflict = "reject_all") -> None:
        self.keep = keep
        self.mixed_conflict = mixed_conflict
        self.changed = Condition()
        self.runs: dict[str, dict[str, Any]] = {}
        self.writes: Counter[str] = Counter()
        self.patches: Counter[str] = Counter()
        self.orphans: dict[str, dict[str, Any]] = {}
        self.feedback: dict[str, Any] = {}
        self.projects: dict[str, str] = {}
        self.shares: dict[str, str] = {}

    def add(self, ingest: Ingest) -> bool:
        """Take what a request writes. Returns False if some of it had been received before: a conflict."""
        with self.changed:
            old = self._received_before(ingest.writes)
            conflict = any(old)
            if not conflict or self.mixed_conflict == "ignore_old":
                self._take_new(ingest.writes, old)
                self.feedback |= ingest.feedback
                self._attach(ingest.attachments)
            self.changed.notify_all()
        return not conflict

    def add_first_half(self, ingest: Ingest) -> None:
        """Take the first half of what a request writes (of one run: the run), as far as it is new."""
        half = ingest.writes[: (len(ingest.writes) + 1) // 2]
        with self.changed:
            self._take_new(half, self._received_before(half))
            self.changed.notify_all()

    def project_id(self, name: str) -> str:
        """The id of a project; it exists from now on."""
        project_id = str(uuid.uuid5(NAMESPACE, name))
        self.projects[project_id] = name
        return project_id

    def wait_for(self, count: int, timeout: float) -> bool:
        """Wait until `count` runs are stored. Returns False if they are not in time."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.writes) >= count, timeout)

    def _received_before(self, writes: Sequence[Write]) -> list[bool]:
        received: set[tuple[str, str]] = set()
        answers = []
        for write in writes:
            counter = self.writes if write.kind == "post" else self.patches
            answers.append(write.id in counter or (write.kind, write.id) in received)
            received.add((write.kind, write.id))
        return answers

    def _take_new(self, writes: Sequence[Write], old: Sequence[bool]) -> None:
        for write, is_old in zip(writes, old, strict=True):
            if not is_old:
                self._take(write)

    def _take(self, write: Write) -> None:
        run_id = write.id
        if write.kind == "post":
            self.writes[run_id] += 1
            if self.keep == "runs":
                self.runs[run_id] = self._with_project(write.run) | self.orphans.pop(run_id, {})
            return
        self.patches[run_id] += 1
        if self.keep == "ids":
            return
        target = self.runs if run_id in self.writes else self.orphans
        told = {field: value for field, value in write.run.items() if value is not None}
        target[run_id] = target.get(run_id, {}) | told

    def _with_project(self, run: dict[str, Any]) -> dict[str, Any]:
        name = run.get("session_name") or self.projects.get(run["session_id"], run["session_id"])
        return {**run, "session_name": name, "session_id": self.project_id(name)}

    def _attach(self, attachments: Mapping[str, dict[str, bytes]]) -> None:
        for run_id, files in attachments.items():
            if run_id in self.runs:
                self.runs[run_id].setdefault("attachments", {}).update(files)
