"""The store as its readers know it: a repository for each kind of row, and the facts that figures are made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.store.alerts import AlertRepository
from reamon.store.costs import CostRepository
from reamon.store.database import Database
from reamon.store.engine import check_schema
from reamon.store.executions import ExecutionRepository
from reamon.store.fact_queries import read_facts
from reamon.store.facts import Facts
from reamon.store.metrics import MetricRepository
from reamon.store.operations import OperationRepository
from reamon.store.projects import Project
from reamon.store.traces import TraceRepository


class Store:
    """What was recorded. Each method of it and of its repositories sees one moment, however busily others write.

    Who opens it sees one project: the one that they name, else the one that is configured (`REAMON_PROJECT`). No row of
    another one ever comes out, and none that has no project. All is seen where that is said (`ALL_PROJECTS`), and where
    no project is named or configured.

    Every method raises `StoreError` where the database cannot answer: it is damaged, or locked for good.

    Attributes:
        traces: Workflow traces, in lists and whole.
        executions: Agent executions.
        operations: Model calls, tools, speech, steps.
        costs: Cost details.
        metrics: The windows of series; these can be written, too.
        alerts: Alerts; these can be written, too.

    Example:
        ```python
        async with Store.open("calls.db", project="calls") as store:
            page = await store.traces.query(TraceFilter(status="failed"), limit=10)
            for trace in page.items:
                print(trace.call_id, trace.error_message)
        ```
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.traces = TraceRepository(database)
        self.executions = ExecutionRepository(database)
        self.operations = OperationRepository(database)
        self.costs = CostRepository(database)
        self.metrics = MetricRepository(database)
        self.alerts = AlertRepository(database)

    @classmethod
    def open(cls, target: Path | str, *, project: Project = None) -> Self:
        """The store at `target`; for use with `async with`.

        Args:
            target: A SQLite file's path or URL, or the URL of a PostgreSQL database.
            project: Whose rows are seen: a project's name, or `ALL_PROJECTS`. Unless given, those of the project that
                `REAMON_PROJECT` or a `.env` file here names; where neither does, all.

        Raises:
            StoreError: There is no store there, or the project's name is empty.
            ConfigurationError: The URL, or the settings that name the project, cannot be used.
            MissingExtraError: It is a PostgreSQL database, and what that needs is not installed.
        """
        return cls(Database(target, project))

    @property
    def project(self) -> str | None:
        """The one project whose rows are seen; None where all are."""
        return self._database.project

    async def __aenter__(self) -> Self:
        """Check that the tables are the ones that this version reads.

        Raises:
            StoreError: The database is not a store, or one of an older or newer reamon.
        """
        try:
            async with self.moment() as connection:
                await check_schema(connection, self._database.place)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()

    async def facts(self, project: str | None = None) -> Facts:
        """What a summary is made of: every turn, agent execution, model and cost, without payloads.

        Args:
            project: The project, where the store shows all of them.

        Raises:
            StoreError: It is another project than the one that is seen.
        """
        narrowed = self._database.narrowed(project)
        async with self.moment() as connection:
            return await read_facts(connection, narrowed)

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which all queries see the same state; of every project, whatever the store was opened for.

        Raises:
            StoreError: The database could not answer.
        """
        async with self._database.moment() as connection:
            yield connection
