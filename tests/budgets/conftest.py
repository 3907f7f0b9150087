"""What the tests of budgets share: a ledger of each kind, with nothing in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from reamon.budgets.ledger import BudgetLedger
from support.ledgers import KINDS, emptied, ledger_at, ledger_of, schema_of_our_own


@pytest.fixture(scope="session")
def postgres_place() -> Iterator[Callable[[], str]]:
    """The address of a schema that is made once, since making its tables takes a second, and emptied for each test."""
    with ExitStack() as stack:
        made: list[str] = []

        def place() -> str:
            if made:
                emptied(made[0])
            else:
                made.append(stack.enter_context(schema_of_our_own()))
            return made[0]

        yield place


@pytest.fixture(params=KINDS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path, postgres_place: Callable[[], str]) -> Iterator[BudgetLedger]:
    """A ledger of each kind, with nothing in it."""
    if request.param == "postgres":
        made = ledger_at("postgres", postgres_place())
        yield made
        made.close()
        return
    with ledger_of(request.param, tmp_path) as made:
        yield made
