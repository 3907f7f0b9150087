"""What is wrong with a request, and the refusal of it."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Violation:
    """One rule that was broken.

    Attributes:
        field: Of the run, or the header or part of the request.
        problem: What is wrong with it.
        run_id: Of the run; None: it is the request that is wrong.
    """

    field: str
    problem: str
    run_id: str | None = None


class RefusedError(Exception):
    """The whole request is refused.

    Args:
        status: What it is answered.
        violations: Why.
    """

    def __init__(self, status: int, *violations: Violation) -> None:
        super().__init__(status, violations)
        self.status = status
        self.violations = violations
