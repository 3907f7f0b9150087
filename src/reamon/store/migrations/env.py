"""What Alembic runs for every command of `reamon.store.migrate`: on a connection whose transaction is the caller's."""

from alembic import context

from reamon.store.search.fts import is_ours
from reamon.store.sqlite import VERSION_TABLE
from reamon.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=True,
    include_name=lambda name, kind, _: kind != "table" or not is_ours(name),
)
with context.begin_transaction():
    context.run_migrations()
