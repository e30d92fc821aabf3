"""What labels are called: by the shop's own categories where a taxonomy names some, else by their own names.

Read-only. `Label.shown` says the same to a query; the categories are set by `catalog.taxonomy`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from catalog.models import Label

LabelAlias = type[Label]


@dataclass(frozen=True, slots=True)
class LabelNames:
    """The names that hold now. `fold` is what a name is compared by, as `str.casefold`."""

    by_category: Mapping[str, tuple[int, ...]]  # what is shown -> the labels that are, parents first
    by_folded: Mapping[str, tuple[int, ...]]  # the same, without its case, where one name alone is so
    by_label: Mapping[str, int]  # the model's own name -> the label
    calls: Mapping[int, str]
    fold: Callable[[str], str]

    def find(self, name: str) -> tuple[int, ...]:
        """The ids of the labels that are shown so; where none is, of the label of this name; else of those that are
        shown so but for upper and lower case, if one name alone is; none at all.
        """
        key = self.fold(name)
        if key in self.by_category:
            return self.by_category[key]
        return (self.by_label[key],) if key in self.by_label else self.by_folded.get(name.casefold(), ())

    def call(self, label_id: int) -> str:
        """What the label is shown as, or its own name where the shop has no category for it."""
        return self.calls[label_id]

    def listed(self) -> list[str]:
        """What is shown anywhere, sorted."""
        return sorted(self.by_category)


def load_label_names(session: Session, *, fold: Callable[[str], str] = str, hold: bool = False) -> LabelNames:
    """The names of every label; `hold`: they stay what they are until the transaction ends."""
    query = select(Label.id, Label.name, Label.category, Label.parent_id).order_by(Label.id)
    rows = session.execute(query.with_for_update(read=True) if hold else query).all()
    shown = {row.id: row.name if row.category is None else row.category for row in rows}
    by_category: dict[str, list[int]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.parent_id is not None, row.id)):
        if shown[row.id]:
            by_category[fold(shown[row.id])].append(row.id)
    alike = Counter(name.casefold() for name in by_category)
    return LabelNames(
        {name: tuple(ids) for name, ids in by_category.items()},
        {name.casefold(): tuple(ids) for name, ids in by_category.items() if alike[name.casefold()] == 1},
        {fold(row.name): row.id for row in rows},
        {row.id: shown[row.id] or row.name for row in rows},
        fold,
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
