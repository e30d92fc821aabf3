"""`hangtag db …`: bring the catalog's schema up to date, or say whether it is.

Thin over `migrations.schema`. Which database it is, the root of the command line knows: it hands every command a
`DatabaseOpener`, and turns a `SchemaError` into one line and exit code 2.
"""

from typing import TYPE_CHECKING, Protocol

import click

if TYPE_CHECKING:
    from sqlalchemy import Engine


class DatabaseOpener(Protocol):
    """What the root of the command line gives every command."""

    def open_database(self) -> "Engine":
        """The database as it is, its schema unchecked; the folder of an SQLite file is made."""
        ...


@click.group()
def db() -> None:
    """Build the catalog's tables, or check them."""


@db.command(short_help="Build the catalog's tables, or bring them up to date.")
@click.pass_obj
def upgrade(opener: DatabaseOpener) -> None:
    """Bring the catalog's tables and views to what this version of hangtag needs."""
    from catalog.database import describe
    from migrations.revisions import missing_views, newest_revision
    from migrations.schema import upgrade_schema

    engine = opener.open_database()
    missing = missing_views(engine)
    before, after = upgrade_schema(engine)
    if before == newest_revision() and missing:
        click.echo(f"{describe(engine)}: revision {after} already; made anew what was missing: {', '.join(missing)}")
        if engine.dialect.name == "postgresql":
            click.echo("Rights on them are to be given again: docs/roles.sql", err=True)
    elif before == after:
        click.echo(f"{describe(engine)}: revision {after} already, nothing to do")
    else:
        click.echo(f"{describe(engine)}: {before or 'empty'} -> {after}")


@db.command(short_help="Say whether the catalog's tables and views are as they should be.")
@click.pass_obj
def check(opener: DatabaseOpener) -> None:
    """Say whether the catalog's tables and views are what this version of hangtag needs; exit code 2 if not."""
    from catalog.database import describe
    from catalog.output import counted
    from migrations.revisions import SchemaError, missing_views, newest_revision, require_newest
    from migrations.schema import differences

    engine = opener.open_database()
    require_newest(engine)
    missing = missing_views(engine)
    if missing:
        raise SchemaError(f"the catalog at {describe(engine)} lacks {', '.join(missing)}: run `hangtag db upgrade`")
    found = differences(engine)
    if found:
        raise SchemaError(
            f"the catalog at {describe(engine)} is not what revision {newest_revision()} built,"
            f" {counted(len(found), 'difference')}, the first: {found[0]}"
        )
    click.echo(f"{describe(engine)}: revision {newest_revision()}, as it should be")
