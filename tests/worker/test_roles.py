"""docs/roles.sql on a real PostgreSQL: each role can do its work, and nothing else."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError

from catalog.database import open_engine, reading, writing
from tests.docs.readme import ROOT
from tests.servers import migrate, on_database, run_sql
from tests.worker.command_line import CommandLine
from tests.worker.pictures import draw_folder
from training.bundle import pack_bundle, shipped_bundle, write_bundle

ROLES = (ROOT / "docs" / "roles.sql").read_text(encoding="utf-8")
VIEWS = ("product_tags", "review_queue", "image_failures", "disagreements", "human_actions", "tag_changes")
KINDS = ("worker", "editor", "reader")


@dataclass(frozen=True)
class Shop:
    """A catalog whose roles are set up, and `hangtag` as a user of each kind."""

    owner_url: str
    lines: dict[str, CommandLine]

    def try_sql(self, kind: str, statement: str) -> str | None:
        """Why PostgreSQL refuses a statement of this user's; None: it does not."""
        engine = open_engine(self.url(kind), pooled=False)
        try:
            with writing(engine) as session:
                session.execute(text(statement))
        except ProgrammingError as error:
            return str(error.orig).splitlines()[0]
        finally:
            engine.dispose()
        return None

    def url(self, kind: str) -> str:
        return self.lines[kind].catalog_url


@pytest.fixture
def shop(new_command_line: Callable[..., CommandLine], postgres_url: str, tmp_path: Path) -> Iterator[Shop]:
    for _ in range(2):  # said again, it changes nothing
        with psycopg.connect(postgres_url) as owner:
            owner.execute(ROLES.encode())
    lines = {}
    for kind in KINDS:
        run_sql(postgres_url, f"CREATE ROLE shop_{kind} LOGIN IN ROLE hangtag_{kind}")
        url = make_url(postgres_url).set(username=f"shop_{kind}").render_as_string(hide_password=False)
        lines[kind] = new_command_line(DATABASE_URL=url)
    draw_folder(tmp_path / "photos", 6)
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    yield Shop(postgres_url, lines)
    names = ", ".join([f"shop_{kind}" for kind in KINDS] + [f"hangtag_{kind}" for kind in KINDS])
    run_sql(postgres_url, f"DROP OWNED BY {names}", f"DROP ROLE {names}")


def test_workers_and_editors_do_their_work_and_readers_see_it(shop: Shop, tmp_path: Path) -> None:
    worker, editor = shop.lines["worker"], shop.lines["editor"]
    assert worker.tag(tmp_path / "photos", code=1)["failed"] == 1
    draw_folder(tmp_path / "photos", 2, first=50)
    for command in (("retag",), ("retag", "--all"), ("doctor",), ("stats",), ("runs", "1")):
        assert worker.run(*command).returncode in (0, 1), command
    sku = str(worker.rows("find", "--all")[0]["sku"])
    (tmp_path / "taxonomy.csv").write_text("label,category\nBag,Bags > All\n")
    words_of_people: tuple[tuple[str | Path, ...], ...] = (
        ("correct", sku, "Bag", "--by", "anna"), ("undo", sku, "--by", "anna"), ("reject", sku, "Coat", "--by", "anna"),
        ("taxonomy", "load", tmp_path / "taxonomy.csv"), ("models", "thresholds", "--set", "Coat=0.5", "--by", "anna"),
        ("models", "list"), ("taxonomy", "clear"),
    )  # fmt: skip
    for words in words_of_people:
        done = editor.run(*words)
        assert done.returncode == 0, (words, done.stderr)
    engine = open_engine(shop.url("reader"), pooled=False)
    with reading(engine) as session:
        counts = {view: session.scalar(text(f"SELECT count(*) FROM {view}")) for view in VIEWS}
    engine.dispose()
    assert counts["human_actions"] == 2
    assert counts["image_failures"] == 1


def test_a_worker_brings_the_first_model_and_promotes_no_other(shop: Shop, tmp_path: Path) -> None:
    bundle = shipped_bundle()
    renamed = pack_bundle(dataclasses.replace(bundle.manifest, name="other"), bundle.artifact)
    write_bundle(renamed, tmp_path / "other")
    worker, editor = shop.lines["worker"], shop.lines["editor"]
    worker.tag(tmp_path / "photos", code=1)
    assert worker.run("models", "import", tmp_path / "other").returncode == 0

    refused = worker.run("models", "promote", "other")
    assert refused.returncode != 0
    (line,) = refused.stderr.splitlines()
    assert 'violates row-level security policy for table "promotion"' in line
    assert editor.run("models", "promote", "other").returncode == 0
    assert worker.run("models", "rollback").returncode != 0
    assert [row["name"] for row in worker.rows("models", "list") if row["current"]] == ["other"]


def test_an_editor_takes_back_a_bundle_that_was_imported_by_mistake(shop: Shop) -> None:
    editor = shop.lines["editor"]
    editor.run("models", "import", "fashion-mnist")
    (name,) = (row["name"] for row in editor.rows("models", "list"))
    done = editor.run("models", "remove", str(name))
    assert done.returncode == 0, done.stderr
    assert editor.rows("models", "list") == []


@pytest.mark.usefixtures("shop")
def test_roles_that_are_the_servers_already_serve_another_catalog_of_another_owner(postgres_server: str) -> None:
    run_sql(postgres_server, "CREATE ROLE other_owner LOGIN", "CREATE DATABASE other_shop OWNER other_owner")
    url = make_url(on_database(postgres_server, "other_shop")).set(username="other_owner")
    other = url.render_as_string(hide_password=False)
    try:
        migrate(other)
        with psycopg.connect(other) as owner:
            owner.execute(ROLES.encode())
            granted = owner.execute("SELECT has_table_privilege('hangtag_reader', 'product_tags', 'SELECT')").fetchone()
        assert granted == (True,)
    finally:
        run_sql(postgres_server, "DROP DATABASE other_shop WITH (FORCE)", "DROP ROLE other_owner")


def test_a_role_that_may_not_look_is_what_doctor_says(shop: Shop) -> None:
    done = shop.lines["reader"].run("doctor", "--json")
    assert done.returncode == 1, done.stderr
    (check,) = (json.loads(line) for line in done.stdout.splitlines())
    assert (check["name"], check["ok"]) == ("catalog", False)
    assert check["finding"] == "the database refused: permission denied for table alembic_version"


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("worker", "UPDATE tag SET human_label_id = NULL"),
        ("worker", "INSERT INTO human_action VALUES (1, 1, 'category', 'corrected', 1, NULL, 'x', now())"),
        ("worker", "DELETE FROM rejected_label"),
        ("worker", "UPDATE model_artifact SET artifact = ''"),
        ("worker", "DELETE FROM image"),
        ("worker", "DROP TABLE chunk"),
        ("worker", "CREATE TABLE mine (id int)"),
        ("editor", "DELETE FROM tag_event"),
        ("editor", "UPDATE human_action SET acted_by = 'x'"),
        ("editor", "UPDATE model_artifact SET artifact = ''"),
        ("editor", "DROP VIEW product_tags"),
        ("reader", "SELECT 1 FROM product"),
        ("reader", "SELECT 1 FROM model_artifact"),
        ("reader", "INSERT INTO tag_event SELECT * FROM tag_event"),
    ],
)
def test_what_is_not_its_own_is_refused(shop: Shop, kind: str, statement: str) -> None:
    refusal = shop.try_sql(kind, statement)
    assert refusal is not None
    assert "permission denied" in refusal or "must be owner" in refusal
