"""Runs: one pass over sources, from the first row registered to the last image done, and its counts.

A run is done when no image of it waits. Counts are images; while a run is under way they are added up by the
writers, and at its end they are counted once more from the rows: what became of a product's first photo may be another
thing by its last one. Where a later run has met images that this one had done, the rows say that run, and the counts
stay as they were added up; so they do for a run that tries a model version, which leaves no failure in the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, case, exists, func, select, update
from sqlalchemy.orm import Session

from catalog.model_versions import ATTRIBUTE
from catalog.models import Image, Run, Tag
from catalog.output import counted

# An enqueue commits several times a second; one that has not for this long was killed.
ENQUEUE_SILENCE_S = 60


def start_run(
    session: Session,
    *,
    kind: str,
    paths: Sequence[str],
    model_version_id: int,
    schedule: str | None = None,
    slot: str | None = None,
    trial: bool = False,
    deadline_at: datetime | None = None,
    again: bool = False,
    now: datetime,
) -> int:
    """The id of a new run, in the state "enqueueing".

    Args:
        trial: it lets a model version predict that is not promoted, and leaves the tags alone.

    Raises:
        IntegrityError: the slot of the schedule has a run: another scheduler was quicker.
    """
    run = Run(
        kind=kind,
        paths=list(paths),
        model_version_id=model_version_id,
        schedule=schedule,
        slot=slot,
        trial=trial,
        deadline_at=deadline_at,
        again=again,
        state="enqueueing",
        created_at=now,
        touched_at=now,
    )
    session.add(run)
    session.flush()
    return run.id


def has_run(session: Session, *, schedule: str, slot: str) -> bool:
    """Whether a slot of a schedule has its run, or a later one has: where an hour is repeated, the slot before it
    seems to be the latest once more.
    """
    query = select(Run.id).where(Run.schedule == schedule, Run.slot >= slot).limit(1)
    return session.scalar(query) is not None


def is_under_way(session: Session, *, schedule: str) -> bool:
    """Whether a run of a schedule is not finished."""
    return session.scalar(select(Run.id).where(Run.schedule == schedule, Run.finished_at.is_(None))) is not None


@dataclass(frozen=True, slots=True)
class RunCounts:
    """What enqueueing found, in images but for `products`."""

    images: int
    products: int
    unchanged: int
    skipped: int
    due: int
    postponed: int = 0  # what the enqueueing itself found no time for


def close_enqueueing(
    session: Session, run_id: int, counts: RunCounts, *, note: str | None = None, now: datetime
) -> None:
    """Everything of the run is registered: from now on it is done when no image of it waits."""
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(
            state="running",
            touched_at=now,
            finished_at=None,  # silent for long, it may have been taken for killed
            changed=None,
            images=counts.images,
            products=counts.products,
            unchanged=counts.unchanged,
            skipped=counts.skipped,
            due=counts.due,
            postponed=Run.postponed + counts.postponed,
            note=note,
        )
    )


def touch_run(session: Session, run_id: int, *, images: int, unchanged: int, due: int, now: datetime) -> None:
    """Note a batch that was registered."""
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(
            images=Run.images + images,
            unchanged=Run.unchanged + unchanged,
            due=Run.due + due,
            touched_at=now,
            state="enqueueing",
            finished_at=None,
            changed=None,
        )
    )


def add_outcomes(
    session: Session, run_id: int, *, classified: int, reused: int, tagged: int, review: int, failed: int
) -> None:
    """Add a written batch to the run's counts: what progress bars read."""
    session.execute(
        update(Run)
        .where(Run.id == run_id)
        .values(
            classified=Run.classified + classified,
            reused=Run.reused + reused,
            tagged=Run.tagged + tagged,
            review=Run.review + review,
            failed=Run.failed + failed,
        )
    )


def finish_runs(session: Session, *, now: datetime) -> list[int]:
    """Close every run of which no image waits, with its final counts; their ids.

    A run whose enqueueing fell silent is closed as interrupted: what it registered is done, the rest of its
    folder is found by the next run over it.
    """
    finished = session.execute(_idle_runs(now).with_for_update(of=Run, key_share=True)).all()
    for run in finished:
        tagged, review, failed = run.tagged, run.review, run.failed
        if not run.trial and sum(counted_once_more := count_outcomes(session, run.id)) == tagged + review + failed:
            tagged, review, failed = counted_once_more
        due = tagged + review + failed + run.postponed
        session.execute(
            update(Run)
            .where(Run.id == run.id)
            .values(
                state="done" if run.state == "running" else "interrupted",
                finished_at=now,
                # Images that another run took over while they waited are that run's: these counts are of the rest.
                images=Run.unchanged + due,
                due=due,
                tagged=tagged,
                review=review,
                failed=failed,
                note=_add_note(run.note, taken_over=run.due - due),
            )
        )
    return [run.id for run in finished]


def _add_note(note: str | None, *, taken_over: int) -> str | None:
    """The note of a run that is done, with how many of its images another run met before they were."""
    if taken_over <= 0:
        return note
    told = f"another run took over {counted(taken_over, 'image')} that waited, and counts them"
    return told if note is None else f"{note}\n{told}"


def note_changed(session: Session, changed: Mapping[int, int]) -> None:
    """Store how many products each run changed; of one that was opened again meanwhile it is not told."""
    for run_id, products in sorted(changed.items()):
        session.execute(update(Run).where(Run.id == run_id, Run.finished_at.is_not(None)).values(changed=products))


def has_idle_run(session: Session, *, now: datetime) -> bool:
    """Whether `finish_runs` would find one; asked first because it only reads."""
    return session.execute(_idle_runs(now).limit(1)).one_or_none() is not None


def _idle_runs(now: datetime) -> Select[*tuple[Any, ...]]:
    """The open runs of which no image waits, and no enqueueing is under way."""
    waits = exists().where(Image.run_id == Run.id, Image.chunk_id.is_not(None))
    silent = (Run.state == "enqueueing") & (Run.touched_at < now - timedelta(seconds=ENQUEUE_SILENCE_S))
    columns = (Run.id, Run.state, Run.trial, Run.due, Run.tagged, Run.review, Run.failed, Run.postponed, Run.note)
    query = select(*columns).where(Run.finished_at.is_(None), (Run.state == "running") | silent, ~waits)
    return query.order_by(Run.id)


def count_outcomes(session: Session, run_id: int) -> tuple[int, int, int]:
    """Tagged, review and failed images of a run that does not wait, counted from the rows.

    An image counts as tagged if its product shows a tag (a parent is one), as review if it shows none.
    """
    failed = Image.failure_code.is_not(None)
    shows = Tag.label_id.is_not(None)
    row = session.execute(
        select(
            func.coalesce(func.sum(case((~failed & shows, 1), else_=0)), 0),
            func.coalesce(func.sum(case((~failed & ~func.coalesce(shows, False), 1), else_=0)), 0),
            func.coalesce(func.sum(case((failed, 1), else_=0)), 0),
        )
        .select_from(Image)
        .outerjoin(Tag, (Tag.product_id == Image.product_id) & (Tag.attribute == ATTRIBUTE))
        .where(Image.run_id == run_id, Image.chunk_id.is_(None))
    ).one()
    return int(row[0]), int(row[1]), int(row[2])
