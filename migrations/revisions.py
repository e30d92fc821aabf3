"""Which schema a catalog has, and which one this hangtag works with. Needs no Alembic: every command asks."""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from catalog.database import clear_errors, describe
from catalog.errors import CatalogError
from catalog.views import VIEWS

VERSIONS = Path(__file__).parent / "versions"


class SchemaError(CatalogError):
    """The schema is not the one that this version of hangtag works with."""


def known_revisions() -> list[str]:
    """The revisions of this version of hangtag, oldest first: what the files' names begin with."""
    return sorted(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*_*.py"))


def newest_revision() -> str:
    """The revision that this version of hangtag works with."""
    return known_revisions()[-1]


def current_revision(engine: Engine) -> str | None:
    """The revision of the catalog, or None where no table is.

    Raises:
        SchemaError: the database cannot hold every name of a file.
    """
    with clear_errors(engine), engine.connect() as connection:
        _require_unicode(connection)
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


def _require_unicode(connection: Connection) -> None:
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise SchemaError(
            f"the database at {describe(connection.engine)} has the encoding {encoding}, and a catalog needs UTF8:"
            " CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        )


def require_newest(engine: Engine) -> None:
    """Return if the schema is the newest.

    Raises:
        SchemaError: it is not; the line says which command to run.
    """
    revision = current_revision(engine)
    require_known(engine, revision)
    if revision != newest_revision():
        state = "has no tables yet" if revision is None else f"has the schema of revision {revision}"
        raise SchemaError(
            f"the catalog at {describe(engine)} {state}, this hangtag needs {newest_revision()}:"
            " run `hangtag db upgrade`"
        )


def missing_views(place: Engine | Connection) -> list[str]:
    """The views that a catalog should have, and that are not there; over a connection, in its transaction."""
    with clear_errors(place.engine):
        there = set(inspect(place).get_view_names())
    return [name for name in VIEWS if name not in there]


def require_known(engine: Engine, revision: str | None) -> None:
    """Return unless a newer hangtag made the catalog, or something else did; raise SchemaError."""
    if revision is not None and revision not in known_revisions():
        if not inspect(engine).has_table("model_version"):
            raise SchemaError(
                f"the database at {describe(engine)} is no catalog: another project keeps its schema's revision,"
                f" {revision}, there; give hangtag a database of its own"
            )
        raise SchemaError(
            f"the catalog at {describe(engine)} has revision {revision}, which this hangtag does not know:"
            " a newer hangtag made it, install that one"
        )
