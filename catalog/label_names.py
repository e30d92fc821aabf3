"""What labels are called: by the shop's own categories where a taxonomy names some, else by their own names.

Read-only. `Label.shown` says the same to a query; the categories are set by `catalog.taxonomy`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from catalog.models import Label

LabelAlias = type[Label]


@dataclass(frozen=True, slots=True)
class LabelNames:
    """The names that hold now."""

    by_category: Mapping[str, tuple[int, ...]]  # what is shown -> the labels that are, parents first
    by_label: Mapping[str, tuple[int, ...]]  # the model's own name -> the one label of it
    calls: Mapping[int, str]

    def find(self, name: str) -> tuple[int, ...]:
        """The ids of the labels that are shown so; where none is, of the label of this name; none at all.

        Upper and lower case make no difference, but where several names differ in nothing else: then it is the one
        that is spelled so, or none.
        """
        return _find_name(self.by_category, name) or _find_name(self.by_label, name)

    def explain_ambiguity(self, name: str) -> str | None:
        """Why nothing is found by a name that several have but for upper and lower case; None where none has it."""
        alike = _list_alike({*self.by_category, *self.by_label}, name)
        if not alike:
            return None
        return f"{name!r} may be {' or '.join(map(repr, sorted(alike)))}: it must be spelled as one of them"

    def call(self, label_id: int) -> str:
        """What the label is shown as, or its own name where the shop has no category for it."""
        return self.calls[label_id]

    def listed(self) -> list[str]:
        """What is shown anywhere, sorted."""
        return sorted(self.by_category)


def _find_name(ids: Mapping[str, tuple[int, ...]], name: str) -> tuple[int, ...]:
    if name in ids:
        return ids[name]
    alike = _list_alike(ids, name)
    return ids[alike[0]] if len(alike) == 1 else ()


def _list_alike(names: Iterable[str], name: str) -> list[str]:
    folded = name.casefold()
    return [known for known in names if known.casefold() == folded]


def load_label_names(session: Session, *, hold: bool = False) -> LabelNames:
    """The names of every label; `hold`: they stay what they are until the transaction ends."""
    query = select(Label.id, Label.name, Label.category, Label.parent_id).order_by(Label.id)
    rows = session.execute(query.with_for_update(read=True) if hold else query).all()
    shown = {row.id: row.name if row.category is None else row.category for row in rows}
    by_category: dict[str, list[int]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.parent_id is not None, row.id)):
        if shown[row.id]:
            by_category[shown[row.id]].append(row.id)
    return LabelNames(
        {name: tuple(ids) for name, ids in by_category.items()},
        {row.name: (row.id,) for row in rows},
        {row.id: shown[row.id] or row.name for row in rows},
    )


def shown_parent(label: LabelAlias, parent: LabelAlias) -> ColumnElement[str | None]:
    """What the parent of a label is shown as; a parent is its own."""
    return case((label.parent_id.is_(None), label.shown), else_=parent.shown)


def disagree(said: LabelAlias, other: LabelAlias) -> ColumnElement[bool]:
    """Whether two labels are shown by different names, neither of them the other's parent's; unknown where one is
    missing or not shown. The view `disagreements` asks the same.

    By names and not by ids: where several labels share a category, `said` is any one of them.
    """
    parent, child = aliased(Label), aliased(Label)
    above = select(parent.shown).where(parent.id == other.parent_id).scalar_subquery()
    below = exists().where(child.parent_id == other.id, child.shown == said.shown)
    return and_(said.shown != other.shown, said.shown != func.coalesce(above, ""), ~below)
