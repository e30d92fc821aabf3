"""Alembic's environment; `migrations.schema` configures and calls it, there is no alembic.ini."""

from alembic import context
from sqlalchemy import Connection

from catalog.models import Base
from catalog.views import create_views, drop_views


def run_migrations(connection: Connection) -> None:
    """Upgrade over `connection` in one transaction: views away, tables changed, views back.

    On SQLite foreign keys must be off before the transaction begins (the caller does it): with them on, Alembic's
    batch mode emptied a cascading child table without an error. Tables that it writes anew are renamed by the rules of
    old: by those of today a shop's own view of a table, or of one of our views, refuses that.
    """
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=is_sqlite,
        transaction_per_migration=False,
    )
    drop_views(connection)
    if is_sqlite:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
    context.run_migrations()
    create_views(connection)
    if is_sqlite:
        connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"the migration would break {len(broken)} references, the first: {broken[0]}")


run_migrations(context.config.attributes["connection"])
