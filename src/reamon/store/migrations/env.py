"""What Alembic runs for every command of `reamon.store.migrate`: on a connection whose transaction is the caller's."""

from alembic import context

from reamon.store.keeping import is_beside_the_models
from reamon.store.postgres.tables import metadata as postgres_metadata
from reamon.store.sqlite import VERSION_TABLE
from reamon.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=[metadata, postgres_metadata] if connection.dialect.name == "postgresql" else metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=True,
    include_name=lambda name, kind, _: kind != "table" or not is_beside_the_models(name),
)
with context.begin_transaction():
    context.run_migrations()
