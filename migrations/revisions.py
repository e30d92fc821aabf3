"""Which schema a catalog has, and which one this hangtag works with. Needs no Alembic: every command asks."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from catalog.database import clear_errors, describe
from catalog.errors import CatalogError

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
    """The revision of the catalog, or None where no table is."""
    with clear_errors(engine), engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return revision


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


def require_known(engine: Engine, revision: str | None) -> None:
    """Return unless a newer hangtag made the catalog; raise SchemaError."""
    if revision is not None and revision not in known_revisions():
        raise SchemaError(
            f"the catalog at {describe(engine)} has revision {revision}, which this hangtag does not know:"
            " a newer hangtag made it, install that one"
        )
