import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import IntegrityError

from catalog.database import open_engine, reading, writing
from catalog.models import Base, Image, ModelVersion, Run
from catalog.people import undo_word
from catalog.taxonomy import set_categories
from catalog.thresholds import list_thresholds, set_thresholds
from catalog.views import VIEWS, create_views, drop_views
from migrations.revisions import (
    SchemaError,
    current_revision,
    known_revisions,
    missing_views,
    newest_revision,
    require_newest,
)
from migrations.schema import _config, _foreign_keys_off, differences, upgrade_schema
from tests.catalog.shop import NOW, Shop
from tests.catalog.test_views import fill
from tests.servers import on_database, run_sql

VIEWS_OF_REVISION = {"0010": "bbad5ffae2e3eb17fd002640e589203f4206b56b96ed39a341ccf7df111d3c73"}


def names_of(engine: Engine) -> tuple[set[str], set[str]]:
    inspector = inspect(engine)
    return set(inspector.get_table_names()), set(inspector.get_view_names())


def test_ctrl_c_in_the_midst_of_a_migration_stays_what_it_is(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        switch = _foreign_keys_off(connection)
        switch.__enter__()
        raw.close()  # as SQLAlchemy does
        assert not switch.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
        connection.invalidate()


def test_an_empty_database_gets_every_table_and_view(empty_engine: Engine) -> None:
    assert current_revision(empty_engine) is None
    assert upgrade_schema(empty_engine) == (None, newest_revision())
    assert names_of(empty_engine) == ({*Base.metadata.tables, "alembic_version"}, set(VIEWS))
    require_newest(empty_engine)


def test_the_migrations_build_what_the_models_say(catalog_engine: Engine) -> None:
    assert differences(catalog_engine) == []


def test_the_constraints_are_those_of_the_models(catalog_engine: Engine) -> None:
    inspector = inspect(catalog_engine)
    for name, table in Base.metadata.tables.items():
        wanted = {str(c.name) for c in table.constraints if type(c).__name__ == "CheckConstraint"}
        assert {str(check["name"]) for check in inspector.get_check_constraints(name)} == wanted, name
        wanted = {str(c.name) for c in table.constraints if type(c).__name__ == "ForeignKeyConstraint"}
        assert {str(key["name"]) for key in inspector.get_foreign_keys(name)} == wanted, name


def test_generated_columns_are_generated_as_the_models_say(catalog_engine: Engine) -> None:
    columns = {column["name"]: column for column in inspect(catalog_engine).get_columns("tag")}
    for column in Base.metadata.tables["tag"].columns:
        assert ("computed" in columns[column.name]) == (column.computed is not None), column.name


def test_a_migrations_file_has_the_name_of_its_revision_and_they_are_in_order() -> None:
    scripts = list(ScriptDirectory.from_config(_config()).walk_revisions())
    assert [script.revision for script in reversed(scripts)] == known_revisions()


def test_upgrading_twice_changes_nothing(empty_engine: Engine) -> None:
    upgrade_schema(empty_engine)
    before = names_of(empty_engine)
    assert upgrade_schema(empty_engine) == (newest_revision(), newest_revision())
    assert names_of(empty_engine) == before


def may_be_read_by_all(engine: Engine, view: str) -> bool:
    with reading(engine) as session:
        query = text("SELECT has_table_privilege('public', :view, 'SELECT')")
        return bool(session.scalar(query, {"view": view}))


@contextmanager
def readable_by_all(engine: Engine, view: str) -> Iterator[None]:
    """Let everybody read a view, until the end."""
    with writing(engine) as session:
        session.execute(text(f"GRANT SELECT ON {view} TO PUBLIC"))
    try:
        yield
    finally:
        with writing(engine) as session:
            session.execute(text(f"REVOKE SELECT ON {view} FROM PUBLIC"))


def test_an_upgrade_with_nothing_to_do_leaves_rights_and_a_shops_own_views(postgres_shop: Shop) -> None:
    engine = postgres_shop.engine
    with writing(engine) as session:
        session.execute(text("CREATE VIEW shop_tags AS SELECT sku, tag FROM product_tags"))
    try:
        with readable_by_all(engine, "product_tags"):
            upgrade_schema(engine)
            assert may_be_read_by_all(engine, "product_tags")
    finally:
        with writing(engine) as session:
            session.execute(text("DROP VIEW shop_tags"))


def test_views_that_are_not_there_are_built_anew(shop: Shop) -> None:
    with shop.engine.execution_options(writes=True).begin() as connection:
        drop_views(connection)
    upgrade_schema(shop.engine)
    assert names_of(shop.engine)[1] == set(VIEWS)


def test_a_view_that_is_missing_alone_is_made_and_the_rights_on_the_others_stay(postgres_shop: Shop) -> None:
    engine = postgres_shop.engine
    with writing(engine) as session:
        session.execute(text("DROP VIEW tag_changes"))
    with readable_by_all(engine, "product_tags"):
        assert missing_views(engine) == ["tag_changes"]
        upgrade_schema(engine)
        assert missing_views(engine) == []
        assert may_be_read_by_all(engine, "product_tags")


def test_a_shops_view_over_ours_stops_an_upgrade_to_a_revision_and_is_named(empty_postgres_url: str) -> None:
    engine = open_engine(empty_postgres_url)
    upgrade_schema(engine)
    with writing(engine) as session:
        session.execute(text("CREATE VIEW shop_shoes AS SELECT sku, tag FROM product_tags"))
        session.execute(text("CREATE VIEW shop_news AS SELECT sku, new_tag FROM tag_changes"))
        session.execute(text("UPDATE alembic_version SET version_num = '0009'"))
    with pytest.raises(SchemaError, match="drop these, run `hangtag db upgrade`") as error:
        upgrade_schema(engine)
    assert "view shop_shoes depends on view product_tags" in str(error.value)
    assert "view shop_news depends on view tag_changes" in str(error.value)
    assert current_revision(engine) == "0009"
    engine.dispose()


def test_a_database_that_cannot_hold_every_name_is_refused(postgres_server: str) -> None:
    run_sql(postgres_server, "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    engine = open_engine(on_database(postgres_server, "latin"))
    try:
        for ask in (upgrade_schema, require_newest):
            with pytest.raises(SchemaError, match="has the encoding LATIN1, and a catalog needs UTF8: CREATE DATABASE"):
                ask(engine)
    finally:
        engine.dispose()
        run_sql(postgres_server, "DROP DATABASE latin")


def test_another_projects_database_is_not_taken_for_a_newer_catalog(empty_engine: Engine) -> None:
    with writing(empty_engine) as session:
        session.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        session.execute(text("INSERT INTO alembic_version VALUES ('ae1027a6acf')"))
    for ask in (upgrade_schema, require_newest):
        with pytest.raises(
            SchemaError, match="is no catalog: another project keeps its schema's revision, ae1027a6acf"
        ):
            ask(empty_engine)


def test_other_views_come_with_a_revision() -> None:
    """At the newest revision an upgrade leaves the views alone: a view that changes needs one, and its digest here."""
    digest = hashlib.sha256("\n".join(f"{name}:{VIEWS[name]}" for name in sorted(VIEWS)).encode()).hexdigest()
    assert {newest_revision(): digest} == VIEWS_OF_REVISION


def test_an_upgrade_keeps_every_row_and_every_view(shop: Shop) -> None:
    fill(shop)
    before = contents(shop.engine)
    assert upgrade_schema(shop.engine) == (newest_revision(), newest_revision())
    assert contents(shop.engine) == before
    assert all(before[name] for name in ("tag", "tag_event", "product_tags", "review_queue", "disagreements"))


def fill_as_of(revision: str, engine: Engine, statements: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Build the schema as it was, without the views of today, and fill it."""
    with monkeypatch.context() as patch:
        patch.setattr("catalog.views.VIEWS", {})
        patch.setattr("migrations.schema.command.upgrade", lambda config, _, up=command.upgrade: up(config, revision))
        upgrade_schema(engine)
    with writing(engine) as session:
        for statement in statements:
            session.execute(text(statement))


def test_the_words_that_stood_before_words_were_kept_can_be_taken_back(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_as_of("0001", empty_engine, WORDS_OF_REVISION_1, monkeypatch)

    assert upgrade_schema(empty_engine) == ("0001", newest_revision())

    with writing(empty_engine) as session:
        rows = session.execute(text("SELECT sku, action, tag, acted_by FROM human_actions ORDER BY id")).all()
        assert [tuple(row) for row in rows] == [("a", "rejected", "Boot", "bert"), ("a", "corrected", "Coat", "anna")]
        assert undo_word(session, "a", by="carla", now=NOW) == "corrected Coat, by anna"


WORDS_OF_REVISION_1 = (
    "INSERT INTO label (id, name) VALUES (1, 'Coat'), (2, 'Boot')",
    "INSERT INTO product (id, sku, registered_at) VALUES (1, 'a', '2026-01-31 12:00:00')",
    "INSERT INTO tag (product_id, attribute, human_label_id, human_action, human_by, human_at)"
    " VALUES (1, 'category', 1, 'corrected', 'anna', '2026-01-31 12:00:02')",
    "INSERT INTO rejected_label (product_id, attribute, label_id, rejected_by, rejected_at)"
    " VALUES (1, 'category', 2, 'bert', '2026-01-31 12:00:01')",
)


def test_labels_keep_their_own_names_until_a_taxonomy_names_them(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_as_of("0002", empty_engine, (*WORDS_OF_REVISION_1, "UPDATE label SET parent_id = 2 WHERE id = 1"), monkeypatch)

    assert upgrade_schema(empty_engine) == ("0002", newest_revision())

    with writing(empty_engine) as session:
        query = text("SELECT sku, tag, parent, model_label FROM product_tags")
        assert [tuple(row) for row in session.execute(query)] == [("a", "Coat", "Boot", "Coat")]
        set_categories(session, {1: "Tops > Coats", 2: ""})
        assert [tuple(row) for row in session.execute(query)] == [("a", "Tops > Coats", None, "Coat")]


def test_images_chunks_and_runs_from_before_nights_are_kept_and_present(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_as_of("0002", empty_engine, WORK_OF_REVISION_2, monkeypatch)

    assert upgrade_schema(empty_engine) == ("0002", newest_revision())

    with reading(empty_engine) as session:
        assert tuple(session.execute(text("SELECT key, gone_at, retries, chunk_id FROM image")).one()) == (
            "a.jpg", None, 0, 1,
        )  # fmt: skip
        assert session.execute(text("SELECT state, rank FROM chunk")).one() == ("pending", 0)
        run = session.execute(text("SELECT images, gone, postponed, deadline_at, again, note FROM run")).one()
        assert (run.images, run.gone, run.postponed, run.deadline_at, bool(run.again), run.note) == (
            1, 0, 0, None, False, None,
        )  # fmt: skip


def test_photos_of_manifests_from_before_they_could_show_several_products_can_then(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_sqlite = TRIGGER_OF_A_SHOP if empty_engine.dialect.name == "sqlite" else ()
    statements = (*WORK_OF_REVISION_2, *MANIFEST_OF_REVISION_9, *of_sqlite)
    fill_as_of("0009", empty_engine, statements, monkeypatch)

    assert upgrade_schema(empty_engine) == ("0009", newest_revision())

    assert differences(empty_engine) == []
    with writing(empty_engine) as session:
        query = text("SELECT id, source_id, key, product_id, chunk_id, listed_for FROM image ORDER BY id")
        assert [tuple(row) for row in session.execute(query)] == [
            (1, 1, "a.jpg", 1, 1, 0), (2, 2, "a.jpg", 2, None, 2),
        ]  # fmt: skip
        assert session.scalars(text("SELECT key FROM shop_photos")).all() == ["a.jpg", "a.jpg"]
        if empty_engine.dialect.name == "sqlite":
            session.execute(text("UPDATE image SET size_bytes = 8 WHERE id = 1"))
            assert session.scalars(text("SELECT id FROM resized")).all() == [1]
    third = "INSERT INTO image (id, source_id, key, product_id, listed_for, size_bytes, modified_ns, registered_at)"
    with writing(empty_engine) as session:
        session.execute(text(f"{third} VALUES (3, 2, 'a.jpg', 1, 1, 7, 7, '2026-01-31 12:00:00')"))
    with pytest.raises(IntegrityError), writing(empty_engine) as session:
        session.execute(text(f"{third} VALUES (4, 1, 'a.jpg', 2, 0, 7, 7, '2026-01-31 12:00:00')"))


MANIFEST_OF_REVISION_9 = (
    "INSERT INTO product (id, sku, registered_at) VALUES (2, 'b', '2026-01-31 12:00:00')",
    "INSERT INTO source (id, root, manifest, registered_at) VALUES (2, '/photos', 's.csv', '2026-01-31 12:00:00')",
    "INSERT INTO image (id, source_id, key, product_id, size_bytes, modified_ns, registered_at)"
    " VALUES (2, 2, 'a.jpg', 2, 7, 7, '2026-01-31 12:00:00')",
    "CREATE VIEW shop_photos AS SELECT key FROM image",
)
TRIGGER_OF_A_SHOP = (
    "CREATE TABLE resized (id INTEGER)",
    "CREATE TRIGGER note_sizes AFTER UPDATE OF size_bytes ON image BEGIN INSERT INTO resized VALUES (new.id); END",
)

WORK_OF_REVISION_2 = (
    "INSERT INTO model_version (id, name, attribute, sha256, manifest, imported_at)"
    " VALUES (1, 'm', 'category', 'x', '{}', '2026-01-31 12:00:00')",
    "INSERT INTO source (id, root, manifest, registered_at) VALUES (1, '/photos', '', '2026-01-31 12:00:00')",
    "INSERT INTO product (id, sku, registered_at) VALUES (1, 'a', '2026-01-31 12:00:00')",
    "INSERT INTO run (id, kind, paths, model_version_id, state, created_at, touched_at, images, products, unchanged,"
    " skipped, due, classified, reused, tagged, review, failed) VALUES (1, 'tag', '[]', 1, 'running',"
    " '2026-01-31 12:00:00', '2026-01-31 12:00:00', 1, 1, 0, 0, 1, 0, 0, 0, 0, 0)",
    "INSERT INTO chunk (id, run_id, queue, state, images, attempts, created_at)"
    " VALUES (1, 1, 'fresh', 'pending', 1, 0, '2026-01-31 12:00:00')",
    "INSERT INTO image (id, source_id, key, product_id, size_bytes, modified_ns, run_id, chunk_id, registered_at)"
    " VALUES (1, 1, 'a.jpg', 1, 7, 7, 1, 1, '2026-01-31 12:00:00')",
)


def contents(engine: Engine) -> dict[str, list[Any]]:
    """Every row of every table and view."""
    names = [*Base.metadata.tables, *VIEWS]
    with reading(engine) as session:
        return {
            name: sorted((tuple(row) for row in session.execute(text(f"SELECT * FROM {name}"))), key=repr)
            for name in names
        }


def test_a_table_rebuilt_under_views_and_references_keeps_every_row(shop: Shop) -> None:
    # What a later migration does: SQLite rebuilds the table, and with foreign keys on it would empty its children.
    from migrations.schema import _connect, _foreign_keys_off

    fill(shop)
    before = contents(shop.engine)
    with _connect(shop.engine) as connection, _foreign_keys_off(connection), connection.begin():
        drop_views(connection)
        operations = Operations(MigrationContext.configure(connection, opts={"render_as_batch": True}))
        for old, new in (("title", "heading"), ("heading", "title")):
            with operations.batch_alter_table("product") as batch:
                batch.alter_column(old, new_column_name=new)
        create_views(connection)
    assert contents(shop.engine) == before
    with reading(shop.engine) as session:
        if shop.engine.dialect.name == "sqlite":
            assert session.execute(text("PRAGMA foreign_key_check")).all() == []
            assert session.scalar(text("PRAGMA foreign_keys")) == 1


def test_a_database_without_tables_is_told_which_command_to_run(empty_engine: Engine) -> None:
    with pytest.raises(SchemaError, match=r"has no tables yet, .*: run `hangtag db upgrade`") as error:
        require_newest(empty_engine)
    assert "\n" not in str(error.value)


def set_revision(engine: Engine, revision: str) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@pytest.fixture
def newer_engine(empty_engine: Engine) -> Engine:
    upgrade_schema(empty_engine)
    set_revision(empty_engine, "9999")
    return empty_engine


def test_a_newer_catalog_is_neither_used_nor_upgraded(newer_engine: Engine) -> None:
    for action in (require_newest, upgrade_schema):
        with pytest.raises(SchemaError, match="revision 9999, which this hangtag does not know") as error:
            action(newer_engine)
        assert "\n" not in str(error.value)
    assert current_revision(newer_engine) == "9999"


def test_a_failed_upgrade_leaves_nothing_behind(empty_engine: Engine) -> None:
    with empty_engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("CREATE TABLE tag (mine INTEGER)"))
    with pytest.raises(Exception, match="tag"):
        upgrade_schema(empty_engine)
    assert names_of(empty_engine) == ({"tag"}, set())
    assert current_revision(empty_engine) is None


def test_tables_and_views_of_the_shop_are_left_alone(empty_engine: Engine) -> None:
    with empty_engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("CREATE TABLE orders (id INTEGER PRIMARY KEY, sku TEXT)"))
        connection.execute(text("CREATE INDEX ix_orders_sku ON orders (sku)"))
        connection.execute(text("INSERT INTO orders VALUES (1, 'a')"))
        connection.execute(text("CREATE VIEW skus AS SELECT sku FROM orders"))
    upgrade_schema(empty_engine)
    upgrade_schema(empty_engine)
    assert differences(empty_engine) == []
    with reading(empty_engine) as session:
        assert session.execute(text("SELECT * FROM skus")).all() == [("a",)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("ALTER TABLE product ADD COLUMN colour TEXT", "colour"),
        ("DROP INDEX ix_image_product_id", "ix_image_product_id"),
        ("DROP TABLE worker", "worker"),
    ],
)
def test_a_catalog_that_somebody_changed_differs(empty_engine: Engine, change: str, words: str) -> None:
    upgrade_schema(empty_engine)
    with empty_engine.execution_options(writes=True).begin() as connection:
        connection.execute(text(change))
    found = differences(empty_engine)
    assert found
    assert all(words in line for line in found)


def test_two_upgrades_at_once_both_end_well(empty_engine: Engine) -> None:
    barrier = Barrier(2)

    def upgrade(_: int) -> tuple[str | None, str]:
        engine = open_engine(empty_engine.url.render_as_string(hide_password=False))
        barrier.wait(timeout=20)
        try:
            return upgrade_schema(engine)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(upgrade, range(2)))
    assert {after for _, after in found} == {newest_revision()}
    assert names_of(empty_engine) == ({*Base.metadata.tables, "alembic_version"}, set(VIEWS))
    require_newest(empty_engine)


def test_a_catalog_with_runs_and_predictions_gets_trials_and_thresholds(
    empty_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "BLOB" if empty_engine.dialect.name == "sqlite" else "bytea"
    statements = [statement.replace("{bytes}", kind) for statement in MODELS_OF_REVISION_2]
    fill_as_of("0002", empty_engine, statements, monkeypatch)

    assert upgrade_schema(empty_engine) == ("0002", newest_revision())

    assert differences(empty_engine) == []
    with writing(empty_engine) as session:
        assert session.scalars(select(Run.trial)).all() == [False]
        assert session.scalars(select(Image.content_hash)).all() == [b"0123456789abcdef", None]
        version = session.get_one(ModelVersion, 1)
        set_thresholds(session, version, {"Coat": 0.5}, by="anna", now=NOW)
        assert [(row["label"], row["threshold"], row["default"]) for row in list_thresholds(session, version)] == [
            ("Coat", 0.5, 0.8)
        ]


MODELS_OF_REVISION_2 = (
    "INSERT INTO label (id, name) VALUES (1, 'Coat')",
    "INSERT INTO model_version (id, name, attribute, sha256, manifest, imported_at) VALUES (1, 'm', 'category', 'x',"
    """ '{"labels": [{"name": "Coat", "threshold": 0.8}], "parents": []}', '2026-01-31 12:00:00')""",
    "INSERT INTO model_label (model_version_id, label_id, kind, position, threshold) VALUES (1, 1, 'label', 0, 0.8)",
    "INSERT INTO source (id, root, manifest, registered_at) VALUES (1, '/photos', '', '2026-01-31 12:00:00')",
    "INSERT INTO product (id, sku, registered_at) VALUES (1, 'a', '2026-01-31 12:00:00')",
    "INSERT INTO run (id, kind, paths, model_version_id, state, created_at, touched_at, images, products, unchanged,"
    " skipped, due, classified, reused, tagged, review, failed) VALUES (1, 'tag', '[]', 1, 'running',"
    " '2026-01-31 12:00:00', '2026-01-31 12:00:00', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
    "INSERT INTO image (id, source_id, key, product_id, size_bytes, modified_ns, content_hash, run_id, registered_at)"
    " VALUES (1, 1, 'a.jpg', 1, 1, 1, CAST('0123456789abcdef' AS {bytes}), 1, '2026-01-31 12:00:00'),"
    " (2, 1, 'b.jpg', 1, 1, 1, NULL, 1, '2026-01-31 12:00:00')",
)
