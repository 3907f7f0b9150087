"""The columns that are written by COPY are those of the tables, and of their types."""

import pytest
from sqlalchemy.dialects import postgresql

from reamon.store.postgres.staging import Staging
from reamon.store.postgres.statements import STAGINGS
from reamon.store.tables import metadata

ALIKE = {"VARCHAR": "text", "TIMESTAMP WITH TIME ZONE": "timestamptz", "FLOAT": "double precision"}


@pytest.mark.parametrize("staging", STAGINGS, ids=lambda staging: staging.table)
def test_every_column_is_staged_as_the_type_that_it_has(staging: Staging) -> None:
    columns = metadata.tables[staging.table].columns
    for name, kind in zip(staging.columns, staging.types, strict=True):
        made = columns[name].type.compile(dialect=postgresql.dialect()).partition("(")[0]
        assert ALIKE.get(made, made.lower()) == kind, name


def test_a_row_has_null_for_what_sqlite_takes_a_nan_for() -> None:
    staging = Staging("operations", ("id", "name", "input_data"))
    assert staging.row((7, float("nan"), r'{"a": "\u0000"}')) == [7, None, '{"a": "\ufffd"}']
