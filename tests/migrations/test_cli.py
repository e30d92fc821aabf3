import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from migrations.cli import db
from migrations.revisions import SchemaError, newest_revision


class Opener:
    """What the root of the command line gives the commands."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def open_database(self) -> Engine:
        return self.engine


def run(engine: Engine, command: str) -> Result:
    result = CliRunner().invoke(db, [command], obj=Opener(engine))
    if result.exception is not None:
        raise result.exception
    return result


def test_upgrade_says_in_one_line_from_what_to_what(empty_engine: Engine) -> None:
    result = run(empty_engine, "upgrade")
    assert result.stdout.endswith(f": empty -> {newest_revision()}\n")
    assert result.stdout.count("\n") == 1
    again = run(empty_engine, "upgrade")
    assert again.stdout.endswith(f": revision {newest_revision()} already, nothing to do\n")


def test_check_is_content_with_what_upgrade_built(empty_engine: Engine) -> None:
    with pytest.raises(SchemaError, match="run `hangtag db upgrade`"):
        run(empty_engine, "check")
    run(empty_engine, "upgrade")
    result = run(empty_engine, "check")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)


def test_a_view_that_is_missing_is_named_and_made_anew(empty_engine: Engine) -> None:
    run(empty_engine, "upgrade")
    with empty_engine.execution_options(writes=True).begin() as connection:
        connection.exec_driver_sql("DROP VIEW tag_changes")
    with pytest.raises(SchemaError, match="lacks tag_changes: run `hangtag db upgrade`"):
        run(empty_engine, "check")
    assert run(empty_engine, "upgrade").stdout.endswith("already; made anew what was missing: tag_changes\n")
    assert run(empty_engine, "upgrade").stdout.endswith("already, nothing to do\n")


def test_check_names_what_differs(empty_engine: Engine) -> None:
    run(empty_engine, "upgrade")
    with empty_engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("DROP INDEX ix_tag_find"))
    with pytest.raises(SchemaError, match=r"1 difference, the first: .*ix_tag_find") as error:
        run(empty_engine, "check")
    assert "\n" not in str(error.value)
