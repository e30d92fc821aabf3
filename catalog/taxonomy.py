"""The shop's taxonomy: which of its categories each label and parent is.

Owns every write to `label.category`. What labels are called is read by `catalog.label_names`; a file is taken apart
by `catalog.word_lists`. Nothing here touches a prediction, a tag or an event: a taxonomy renames.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session, aliased

from catalog.database import take_turn
from catalog.models import Label, Run
from catalog.statements import fetch_dicts
from catalog.word_lists import NO_UTF8, Line, is_utf8

FILE_COLUMNS = ("label", "category")
SHOWN_COLUMNS = ("label", "parent", "category")
NEAREST = 3  # names that are offered for one that is unknown


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """The category of each label by its id, empty for none of the shop's; or why lines are refused."""

    categories: Mapping[int, str]
    refusals: Sequence[tuple[int, str]]


def read_taxonomy(session: Session, lines: Sequence[Line]) -> Taxonomy:
    """What the lines of a file say, held to the labels of the catalog."""
    known = dict(session.execute(select(Label.name, Label.id)).all())
    first: dict[str, int] = {}
    categories: dict[int, str] = {}
    refusals = []
    for line in lines:
        label, category = (line.cells.get(column, "").strip() for column in FILE_COLUMNS)
        refusal = _refuse(line, label, category, known)
        if refusal is None and label in first:
            refusal = f"{label!r} stands in line {first[label]} already"
        if refusal is not None:
            refusals.append((line.number, refusal))
            continue
        first[label] = line.number
        categories[known[label]] = category
    return Taxonomy(categories, refusals)


def _refuse(line: Line, label: str, category: str, known: Mapping[str, int]) -> str | None:
    """Why a line cannot be taken."""
    if not is_utf8(label + category):  # a spreadsheet's own encoding: names would be spoilt
        return NO_UTF8
    if not label:
        return "no label"
    if label not in known:
        return f"no label {label!r} in the catalog, nearest: {', '.join(_nearest(label, known)) or 'none'}"
    if "category" not in line.cells:  # cut off, and not empty on purpose
        return f"no cell for the category of {label!r}; an empty one says that the shop has none"
    if len(category.splitlines()) > 1:
        return f"the category of {label!r} has a line break"
    return None


def _nearest(label: str, known: Mapping[str, int]) -> list[str]:
    folded = {name.casefold(): name for name in known}
    return [folded[name] for name in difflib.get_close_matches(label.casefold(), folded, NEAREST, cutoff=0.0)]


def set_categories(session: Session, categories: Mapping[int, str]) -> None:
    """Make these the categories, by label id; every other label goes by its own name."""
    take_turn(session)
    rows = session.execute(select(Label.id, Label.name, Label.category).order_by(Label.id)).all()
    wanted = {row.id: categories.get(row.id) for row in rows}
    wanted |= {row.id: None for row in rows if wanted[row.id] == row.name}
    # In the order of ids, as those who hold the names lock them.
    changes = [{"b_id": row.id, "b_category": wanted[row.id]} for row in rows if row.category != wanted[row.id]]
    if changes:
        statement = update(Label).where(Label.__table__.c.id == bindparam("b_id"))
        session.connection().execute(statement.values(category=bindparam("b_category")), changes)
        # Labels that share a category are one tag: what a run changed is to be counted by the names of now.
        session.execute(update(Run).where(Run.changed.is_not(None)).values(changed=None))


def list_taxonomy(session: Session) -> list[dict[str, Any]]:
    """Every label and parent with what it is shown as, parents first; None: the shop has no category for it.

    As CSV it is a file that `read_taxonomy` takes and that changes nothing.
    """
    parent = aliased(Label)
    query = (
        select(Label.name.label("label"), parent.name.label("parent"), Label.shown.label("category"))
        .outerjoin(parent, parent.id == Label.parent_id)
        .order_by(Label.parent_id.is_not(None), Label.id)
    )
    return fetch_dicts(session, query)
