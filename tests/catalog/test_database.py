import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import pytest
from sqlalchemy import Engine, make_url, select, text, update

from catalog.database import (
    DatabaseUnreachableError,
    clear_errors,
    current_time,
    describe,
    open_engine,
    parse_url,
    reading,
    writing,
)  # fmt: skip
from catalog.errors import CatalogError
from catalog.models import Product
from tests.catalog.shop import Shop, photo
from tests.servers import run_sql


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://user@host/catalog", "postgresql+psycopg"),
        ("postgres://user@host/catalog", "postgresql+psycopg"),
        ("postgresql+psycopg://user@host/catalog", "postgresql+psycopg"),
        ("sqlite:///catalog.db", "sqlite"),
    ],
)
def test_a_url_gets_our_driver(url: str, driver: str) -> None:
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize("url", ["", "catalog.db", "mysql://host/catalog", "://"])
def test_what_is_no_url_of_ours_gets_one_line(url: str) -> None:
    with pytest.raises(CatalogError) as error:
        parse_url(url)
    assert "\n" not in str(error.value)


def test_an_option_that_does_not_fit_gets_one_line(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="HANGTAG_DATABASE_URL has an option that does not fit") as error:
        open_engine(f"sqlite:///{tmp_path}/catalog.db?timeout=abc")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url", ["postgresql://user:secret@127.0.0.1:1/catalog", "postgresql://user:secret@/catalog?host=/nowhere"]
)
def test_a_database_that_is_away_gets_one_line_without_its_password(url: str) -> None:
    engine = open_engine(url)
    with pytest.raises(DatabaseUnreachableError, match="cannot be reached") as error, reading(engine) as session:
        session.execute(text("SELECT 1"))
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)
    engine.dispose()


def test_a_folder_that_is_not_there_gets_one_line(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/none/catalog.db")
    with (
        pytest.raises(DatabaseUnreachableError, match=r"none/catalog\.db cannot be reached"),
        reading(engine) as session,
    ):
        session.execute(text("SELECT 1"))
    engine.dispose()


def test_an_sqlite_file_that_may_not_grow_cannot_work_now(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'full.db'}")
    with pytest.raises(DatabaseUnreachableError, match=r"full\.db cannot work now: database or disk is full"):
        fill(engine, "PRAGMA max_page_count = 20")
    engine.dispose()


def fill(engine: Engine, limit: str) -> None:
    with writing(engine) as session:
        session.execute(text(limit))
        session.execute(text("CREATE TABLE ballast (line TEXT)"))
        session.execute(text("INSERT INTO ballast VALUES (:line)"), {"line": "x" * 1_000_000})


# A sort that needs more room on disk than it may have, a server that only reads, a connection that is ended.
SORT = "SELECT repeat('x', 99) FROM generate_series(1, 9999) ORDER BY 1"


@pytest.mark.parametrize(
    "trouble",
    [
        ("SET LOCAL temp_file_limit = '64kB'", "SET LOCAL work_mem = '64kB'", SORT),
        ("SET TRANSACTION READ ONLY", "CREATE TABLE none (x int)"),
        ("SELECT pg_terminate_backend(pg_backend_pid())",),
        ("SET LOCAL transaction_timeout = '20ms'", "SELECT pg_sleep(1)"),
    ],
)
def test_a_server_that_lacks_room_or_only_reads_or_goes_away_cannot_work_now(
    postgres_url: str, trouble: tuple[str, ...]
) -> None:
    engine = open_engine(postgres_url)
    with pytest.raises(DatabaseUnreachableError, match="cannot"):
        tell(engine, *trouble)
    with reading(engine) as session:
        assert session.scalar(text("SELECT 1")) == 1
    engine.dispose()


def test_a_lock_that_is_not_to_be_had_in_time_cannot_be_had_now(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    with reading(engine) as holder:
        holder.execute(text("LOCK TABLE product"))
        with pytest.raises(DatabaseUnreachableError, match=r"cannot work now: .*lock timeout"):
            tell(engine, "SET LOCAL lock_timeout = '20ms'", "DELETE FROM product")
    tell(engine, "SET LOCAL lock_timeout = '20ms'", "DELETE FROM product")
    engine.dispose()


def tell(engine: Engine, *statements: str) -> None:
    with writing(engine) as session:
        for statement in statements:
            session.execute(text(statement)).close()


def test_an_error_of_what_was_asked_stays_what_it_is(catalog_engine: Engine) -> None:
    with pytest.raises(Exception, match="nowhere") as error, clear_errors(catalog_engine), reading(catalog_engine) as s:
        s.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(error.value, CatalogError)


def test_a_writing_session_commits_at_its_end_and_rolls_back_on_an_error(shop: Shop) -> None:
    def add_and_fail() -> None:
        with writing(shop.engine) as session:
            session.add(Product(sku="a", registered_at=datetime.now(UTC)))
            session.flush()
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        add_and_fail()
    assert shop.count(Product) == 0
    with writing(shop.engine) as session:
        session.add(Product(sku="a", registered_at=datetime.now(UTC)))
    assert shop.count(Product) == 1


def test_a_reading_session_keeps_nothing(shop: Shop) -> None:
    with reading(shop.engine) as session:
        session.add(Product(sku="a", registered_at=datetime.now(UTC)))
        session.flush()
    assert shop.count(Product) == 0


def test_writers_that_read_first_wait_for_each_other_and_lose_nothing(shop: Shop) -> None:
    shop.enqueue(photo("a.jpg", title="0"))

    def count_up(_: int) -> None:
        for _round in range(10):
            with writing(shop.engine) as session:
                title = session.scalars(select(Product.title).with_for_update()).one()
                session.execute(update(Product).values(title=str(int(title or 0) + 1)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(4)))
    assert shop.shown("a")["title"] == "40"


def test_readers_read_while_one_writes(shop: Shop) -> None:
    with writing(shop.engine) as session:
        session.add(Product(sku="a", registered_at=datetime.now(UTC)))
        session.flush()
        assert shop.count(Product) == 0


def test_the_clock_is_the_databases_and_in_utc(catalog_engine: Engine) -> None:
    with reading(catalog_engine) as session:
        one, two = current_time(session), current_time(session)
    assert one < two
    assert one.utcoffset() == UTC.utcoffset(None)
    assert abs((datetime.now(UTC) - two).total_seconds()) < 60


def test_what_a_role_has_set_is_no_matter(postgres_url: str) -> None:
    name = make_url(postgres_url).database
    for setting in ("datestyle = 'German, DMY'", "client_encoding = 'LATIN1'", "timezone = 'Asia/Kolkata'",
                    "default_transaction_isolation = 'serializable'"):  # fmt: skip
        run_sql(postgres_url, f"ALTER DATABASE {name} SET {setting}")
    engine = open_engine(postgres_url)
    with reading(engine) as session:
        assert abs((datetime.now(UTC) - current_time(session)).total_seconds()) < 60
        assert session.scalar(text("SELECT :name"), {"name": "日本 👗"}) == "日本 👗"
        assert session.scalar(text("SHOW transaction_isolation")) == "read committed"
    engine.dispose()


def test_an_sqlite_url_that_names_no_file_or_an_unknown_option_is_refused(tmp_path: Path) -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(CatalogError, match="HANGTAG_DATABASE_URL names no file; an example: sqlite:///"):
            open_engine(url)
    with pytest.raises(CatalogError, match=r"HANGTAG_DATABASE_URL: .*'mode'.* not accepted") as error:
        open_engine(f"sqlite:///{tmp_path}/catalog.db?mode=ro")
    assert "\n" not in str(error.value)


def test_a_catalog_is_described_by_its_file_or_its_url_without_password(tmp_path: Path) -> None:
    for url, words in (
        (f"sqlite:///{tmp_path}/catalog.db", f"{tmp_path}/catalog.db"),
        ("postgresql://user:secret@host/catalog", "postgresql://user:***@host/catalog"),
    ):
        engine = open_engine(url)
        assert describe(engine) == words
        engine.dispose()


def test_sqlite_keeps_a_write_ahead_log_and_heeds_foreign_keys(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
    assert sqlite3.sqlite_version_info >= (3, 31), "generated columns"


def test_an_engine_without_a_pool_keeps_no_connection(postgres_url: str) -> None:
    engine = open_engine(postgres_url, pooled=False)
    for _ in range(3):
        with reading(engine) as session:
            session.execute(text("SELECT 1"))
    with reading(engine) as session:
        mine = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state IS NOT NULL")
        assert session.scalar(mine) == 1
    engine.dispose()


def ask_slowly(engine: Engine, *, waits: bool) -> None:
    with reading(engine, waits=waits) as session:
        session.execute(text("SELECT 1"))
        sleep(0.5)
        session.execute(text("SELECT 2"))


def test_who_waits_for_others_between_questions_may_be_idle_for_longer(postgres_url: str) -> None:
    engine = open_engine(postgres_url, longest_idle_s=0.2)
    try:
        ask_slowly(engine, waits=True)
        with pytest.raises(DatabaseUnreachableError, match="idle"):
            ask_slowly(engine, waits=False)
    finally:
        engine.dispose()
