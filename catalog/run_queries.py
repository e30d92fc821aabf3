"""Runs and the images that failed in them: read-only, newest first, the same on PostgreSQL and SQLite."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, func, select, tuple_
from sqlalchemy.orm import Session, aliased

from catalog.errors import CatalogError
from catalog.models import Chunk, Image, Label, ModelVersion, Product, Run, Source, TagEvent
from catalog.pages import Page, Position, as_dict, cut_page, read_cursor
from catalog.queries import matches_pattern
from catalog.statements import fetch_dicts

RUNS_CURSOR, CHANGES_CURSOR = "runs", "runs ID --changes"
COUNTED_AT_ONCE = 8  # when names have changed all are to be counted anew, and whoever counts does other work too
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

RUN_COLUMNS = (
    "run", "kind", "slot", "state", "paths", "model", "created_at", "finished_at", "seconds", "images", "products",
    "due", "done", "changed", "postponed", "gone", "unchanged", "skipped", "classified", "reused", "tagged", "review",
    "failed", "note",
)  # fmt: skip
# What fits a terminal; `runs ID` shows all of one.
RUN_COLUMNS_FOR_PEOPLE = ("run", "kind", "state", "created_at", "images", "done", "changed", "failed", "paths")
CHANGE_COLUMNS = ("sku", "old_tag", "new_tag", "changed_by", "changed_at")
FAILURE_COLUMNS = ("sku", "root", "image", "code", "reason", "run", "failed_at")


def list_runs(session: Session, *, limit: int = 50, cursor: str | None = None) -> Page:
    """The newest runs. Counts are images, but for `products` and `changed`, the products with another tag; that is None
    of a run that is under way.

    Raises:
        CatalogError: a bad cursor.
    """
    after = read_cursor(RUNS_CURSOR, cursor)
    query = _runs().order_by(Run.id.desc()).limit(limit + 1)
    found = session.execute(query if after is None else query.where(Run.id < after.row_id)).all()
    rows = found[:limit]
    counted = count_changed(session, [row.run for row in rows if row.changed is None and row.finished_at is not None])
    runs = [_as_run(row, changed=counted.get(row.run, row.changed)) for row in rows]
    return cut_page(RUNS_CURSOR, runs, [Position(None, row.run) for row in found], limit)


def list_runs_briefly(session: Session, *, limit: int = 50, cursor: str | None = None) -> Page:
    """The same for people: of each path its last part."""
    page = list_runs(session, limit=limit, cursor=cursor)
    rows = [row | {"paths": [PurePath(path).name or path for path in row["paths"]]} for row in page.rows]
    return Page(rows, page.next_cursor)


def count_changed(session: Session, run_ids: Sequence[int]) -> dict[int, int]:
    """Run id -> how many products show another tag after it than before. Of two million changes it takes 8 s."""
    if not run_ids:
        return {}
    changes = _changes(TagEvent.run_id.in_(run_ids))
    rows = session.execute(select(changes.c.run_id, func.count()).group_by(changes.c.run_id))
    found: dict[int, int] = dict(rows.all())
    return {run_id: found.get(run_id, 0) for run_id in run_ids}


def uncounted_runs(session: Session) -> list[int]:
    """The ids of the newest finished runs whose changes nobody has counted yet: COUNTED_AT_ONCE, and more
    the next time.
    """
    query = select(Run.id).where(Run.finished_at.is_not(None), Run.changed.is_(None))
    return list(session.scalars(query.order_by(Run.id.desc()).limit(COUNTED_AT_ONCE)))


def _as_run(row: Any, *, changed: int | None) -> dict[str, Any]:  # noqa: ANN401  (a row of `_runs`)
    """A row of `runs`; `seconds` until now is None while it is under way."""
    took = None if row.finished_at is None else (row.finished_at - row.created_at).total_seconds()
    values = row._asdict() | {"changed": changed, "seconds": None if took is None else round(took, 1)}
    return {column: values[column] for column in RUN_COLUMNS}


def show_run(session: Session, run_id: int) -> dict[str, Any]:
    """One run: its row, how many of its images wait, its chunks by state, its failures by code, and which tags became
    which, most frequent first.

    Raises:
        CatalogError: no such run.
    """
    row = session.execute(_runs().where(Run.id == run_id)).one_or_none()
    if row is None:
        raise CatalogError(_no_run(run_id))
    states = session.execute(
        select(Chunk.state, func.count(Chunk.id))
        .where(Chunk.run_id == run_id)
        .group_by(Chunk.state)
        .order_by(Chunk.state)
    )
    waits = select(func.count(Image.id)).where(Image.run_id == run_id, Image.chunk_id.is_not(None))
    kinds = _count_changes(session, run_id)
    return _as_run(row, changed=sum(kind["products"] for kind in kinds)) | {
        "waiting": session.scalars(waits).one(),
        "chunks": dict(states.all()),
        "failures": count_failures(session, run=run_id),
        "schedule": row.schedule,
        "deadline_at": row.deadline_at,
        "changed_tags": sum(kind["products"] for kind in kinds),
        "kinds_of_change": kinds,
    }


def list_changes(session: Session, *, run: int, limit: int = 50, cursor: str | None = None) -> Page:
    """The products that show another tag after a run than before it, oldest first; a row each, however often the tag
    changed meanwhile.

    Raises:
        CatalogError: no such run, or a bad cursor.
    """
    if session.get(Run, run) is None:
        raise CatalogError(_no_run(run))
    after = read_cursor(CHANGES_CURSOR, cursor)
    changes = _changes(TagEvent.run_id == run)
    query = (
        select(changes, Product.sku)
        .join(Product, Product.id == changes.c.product_id)
        .where(changes.c.product_id > (after.row_id if after is not None else 0))
        .order_by(changes.c.product_id)
        .limit(limit + 1)
    )
    found = session.execute(query).all()
    positions = [Position(None, row.product_id) for row in found]
    return cut_page(CHANGES_CURSOR, [as_dict(row, CHANGE_COLUMNS) for row in found], positions, limit)


def _count_changes(session: Session, run_id: int) -> list[dict[str, Any]]:
    changes = _changes(TagEvent.run_id == run_id)
    old_tag, new_tag, count = changes.c.old_tag, changes.c.new_tag, func.count().label("products")
    query = (
        select(old_tag, new_tag, count)
        .group_by(old_tag, new_tag)
        .order_by(count.desc(), func.coalesce(old_tag, ""), func.coalesce(new_tag, ""))
    )
    return fetch_dicts(session, query)


def _changes(of_runs: ColumnElement[bool]) -> Subquery:
    """By run and product the tag before the run's first change and after its last one, where these differ.

    By their names of today: two labels may share a category.
    """
    ends = (
        select(
            TagEvent.run_id, TagEvent.product_id, func.min(TagEvent.id).label("first_id"),
            func.max(TagEvent.id).label("last_id"),
        )
        .where(of_runs)
        .group_by(TagEvent.run_id, TagEvent.product_id)
        .subquery()
    )  # fmt: skip
    first, last, old, new = aliased(TagEvent), aliased(TagEvent), aliased(Label), aliased(Label)
    return (
        select(
            ends.c.run_id, ends.c.product_id, old.shown.label("old_tag"), new.shown.label("new_tag"), last.changed_by,
            last.changed_at,
        )
        .join(first, first.id == ends.c.first_id)
        .join(last, last.id == ends.c.last_id)
        .outerjoin(old, old.id == first.old_label_id)
        .outerjoin(new, new.id == last.new_label_id)
        .where(old.shown.is_distinct_from(new.shown))
        .subquery()
    )  # fmt: skip


def _no_run(run_id: int) -> str:
    return f"no run {run_id} in the catalog: `hangtag runs` lists them"


def _runs() -> Select[*tuple[Any, ...]]:
    return select(
        Run.id.label("run"), Run.kind, Run.state, Run.paths, ModelVersion.name.label("model"), Run.created_at,
        Run.finished_at, Run.images, Run.products, Run.due, Run.unchanged, Run.skipped, Run.classified, Run.reused,
        Run.tagged, Run.review, Run.failed, Run.schedule, Run.slot, Run.postponed, Run.gone, Run.note,
        Run.changed, Run.deadline_at, (Run.tagged + Run.review + Run.failed).label("done"),
    ).join(ModelVersion, ModelVersion.id == Run.model_version_id)  # fmt: skip


def count_failures(session: Session, *, run: int | None = None) -> dict[str, int]:
    """How many images failed by code, most first."""
    count = func.count(Image.id)
    query = (
        select(Image.failure_code, count)
        .where(Image.failure_code.is_not(None), Image.gone_at.is_(None))
        .group_by(Image.failure_code)
        .order_by(count.desc(), Image.failure_code)
    )
    if run is not None:
        query = query.where(Image.run_id == run)
    return {str(code): found for code, found in session.execute(query)}


def count_failures_left(session: Session, run_id: int) -> tuple[int, int]:
    """How many images failed in a run, and how many of them no later run has met, and are there."""
    failed = session.scalars(select(Run.failed).where(Run.id == run_id)).one()
    return failed, sum(count_failures(session, run=run_id).values())


def is_trial(session: Session, run_id: int) -> bool:
    """Whether a model only predicted in it."""
    return session.scalars(select(Run.trial).where(Run.id == run_id)).one()


def failures(
    session: Session,
    *,
    run: int | None = None,
    code: str | None = None,
    sku: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Images that failed, latest first, with the code and the reason.

    Args:
        run: the run that worked on the image last.
        sku: a pattern, as of `find`.

    Raises:
        CatalogError: no such run, or a bad cursor.
    """
    after = read_cursor("failures", cursor)
    if run is not None and session.get(Run, run) is None:
        raise CatalogError(_no_run(run))
    query = (
        select(
            Image.id, Image.failed_at, Product.sku, Source.root, Image.key.label("image"),
            Image.failure_code.label("code"), Image.failure_reason.label("reason"), Image.run_id.label("run"),
        )
        .join(Product, Product.id == Image.product_id)
        .join(Source, Source.id == Image.source_id)
        .where(Image.failure_code.is_not(None), Image.gone_at.is_(None))
        .order_by(Image.failed_at.desc(), Image.id.desc())
        .limit(limit + 1)
    )  # fmt: skip
    if run is not None:
        query = query.where(Image.run_id == run)
    if code is not None:
        query = query.where(Image.failure_code == code)
    if sku is not None:
        query = query.where(matches_pattern(session, Product.sku, sku))
    if after is not None:
        # The cursor counts microseconds since 1970: exact, which a float of seconds is not.
        moment = EPOCH + timedelta(microseconds=after.key or 0)
        query = query.where(tuple_(Image.failed_at, Image.id) < tuple_(moment, after.row_id))
    found = session.execute(query).all()
    positions = [Position((row.failed_at - EPOCH) // MICROSECOND, row.id) for row in found]
    return cut_page("failures", [as_dict(row, FAILURE_COLUMNS) for row in found], positions, limit)
