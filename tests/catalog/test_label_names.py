import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from catalog.database import reading
from catalog.label_names import disagree, load_label_names, shown_parent
from catalog.models import Label
from tests.catalog.shop import Shop
from tests.catalog.test_taxonomy import name_labels


@pytest.fixture
def named(shop: Shop) -> Shop:
    """Shirt and Coat share a category, Boots is a parent's as well as a label's, the shop sells no sandals."""
    name_labels(shop, {"Shirt": "Tops > All", "Coat": "Tops > All", "Shoes": "Boots", "Boot": "Boots", "Sandal": ""})
    return shop


def found(shop: Shop, name: str) -> list[str]:
    with reading(shop.engine) as session:
        ids = load_label_names(session).find(name)
        own = dict(session.execute(select(Label.id, Label.name)).all())
    return [own[label_id] for label_id in ids]


def test_a_category_finds_all_its_labels_and_its_parent_first(named: Shop) -> None:
    assert found(named, "Tops > All") == ["Shirt", "Coat"]
    assert found(named, "Boots") == ["Shoes", "Boot"]


def test_a_labels_own_name_finds_it_where_nothing_else_is_called_so(named: Shop) -> None:
    assert [found(named, name) for name in ("Tops", "Boot", "Sandal", "Shirt", "Hat")] == [
        ["Tops"], ["Boot"], ["Sandal"], ["Shirt"], [],
    ]  # fmt: skip
    name_labels(named, {"Shirt": "Coat", "Coat": "Jackets"})
    assert found(named, "Coat") == ["Shirt"]


def test_case_makes_no_difference_where_one_name_alone_is_meant(named: Shop) -> None:
    assert found(named, "tops > ALL") == ["Shirt", "Coat"]
    assert [found(named, name) for name in ("BOOTS", "tops", "OTHER", "hat")] == [
        ["Shoes", "Boot"], ["Tops"], ["other"], [],
    ]  # fmt: skip
    # Own names, too, which are not shown; what is shown comes before them, however it is spelled.
    assert [found(named, name) for name in ("boot", "SANDAL")] == [["Boot"], ["Sandal"]]
    name_labels(named, {"Shirt": "COAT", "Coat": "Jackets"})
    assert [found(named, name) for name in ("Coat", "coat", "jackets")] == [["Shirt"], ["Shirt"], ["Coat"]]
    name_labels(named, {"Shirt": "Coats", "Coat": "coats"})
    assert [found(named, name) for name in ("Coats", "coats", "COATS")] == [["Shirt"], ["Coat"], []]


def test_the_names_that_are_listed_are_those_that_are_shown(named: Shop) -> None:
    with reading(named.engine) as session:
        names = load_label_names(session)
    assert names.listed() == ["Boots", "Tops", "Tops > All", "other"]
    assert names.call(named.label_id("Coat")) == "Tops > All"
    assert names.call(named.label_id("Sandal")) == "Sandal"


def test_a_query_says_what_the_names_say(named: Shop) -> None:
    parent = aliased(Label)
    with reading(named.engine) as session:
        rows = session.execute(
            select(Label.name, Label.shown, shown_parent(Label, parent))
            .outerjoin(parent, parent.id == Label.parent_id)
            .order_by(Label.id)
        )
        assert [tuple(row) for row in rows] == [
            ("Tops", "Tops", "Tops"), ("Shoes", "Boots", "Boots"), ("Shirt", "Tops > All", "Tops"),
            ("Coat", "Tops > All", "Tops"), ("Boot", "Boots", "Boots"), ("Sandal", None, "Boots"),
            ("other", "other", "other"),
        ]  # fmt: skip
        counts = session.execute(select(Label.shown, func.count()).group_by(Label.shown)).all()
        assert dict(counts) == {"Tops": 1, "Boots": 2, "Tops > All": 2, None: 1, "other": 1}


@pytest.mark.parametrize(
    ("said", "other", "disagrees"),
    [
        ("Shirt", "Boot", True),
        ("Shirt", "Coat", False),  # one category
        ("Tops", "Coat", False),  # the parent of what is shown
        ("Coat", "Tops", False),  # the parent is shown
        ("Shirt", "Sandal", None),  # the shop has no category for it
        ("Coat", "Shoes", True),
    ],
)
def test_names_disagree_unless_they_are_one_or_parent_and_child(
    named: Shop, said: str, other: str, disagrees: bool | None
) -> None:
    with reading(named.engine) as session:
        assert ask(session, said, other) == disagrees


def ask(session: Session, said: str, other: str) -> bool | None:
    one, two = aliased(Label), aliased(Label)
    query = select(disagree(one, two)).select_from(one).join(two, two.name == other)
    return session.scalars(query.where(one.name == said)).one()


def test_a_category_of_labels_under_two_parents_disagrees_with_neither_parent(shop: Shop) -> None:
    name_labels(shop, {"Coat": "Outdoor", "Boot": "Outdoor"})
    with reading(shop.engine) as session:
        answers = {ask(session, said, parent) for said in ("Coat", "Boot") for parent in ("Tops", "Shoes")}
        assert answers == {False}
        assert ask(session, "Shirt", "Shoes") is True
