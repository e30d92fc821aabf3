from collections.abc import Sequence
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.taught_labels import TaughtLists, name_of_other, prepare_lists


class Catalog:
    """A teacher with one thing to say."""

    def write_labels(self, csv_path: Path, held_out_path: Path, *, imported: bool) -> Sequence[str]:
        csv_path.write_text("newer")
        held_out_path.write_text("newer")
        return [f"imported: {imported}"]

    def name_of_other(self) -> str | None:
        return "none"


def prepare(out: Path, *, failing: bool) -> list[str]:
    said: list[str] = []
    with prepare_lists(out, Catalog(), imported=False, resume=False, say=said.append) as lists:
        assert lists.labels.read_text() == "newer"
        if failing:
            raise TrainingError("too few photos")
    return said


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_training_that_fails_takes_its_lists_away(tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        prepare(tmp_path / "ours", failing=True)

    assert files(tmp_path) == {}


def test_a_training_that_fails_leaves_the_lists_of_the_bundle_that_is_there(tmp_path: Path) -> None:
    lists = TaughtLists(tmp_path / "ours")
    lists.labels.write_text("older")
    lists.held_out.write_text("older, too")

    with pytest.raises(TrainingError):
        prepare(tmp_path / "ours", failing=True)

    assert files(tmp_path) == {"ours.labels.csv": "older", "ours.held-out.csv": "older, too"}
    assert prepare(tmp_path / "ours", failing=False) == ["imported: False"]
    assert files(tmp_path) == {"ours.labels.csv": "newer", "ours.held-out.csv": "newer"}


def test_a_catalog_that_refuses_leaves_the_lists_that_are_there(tmp_path: Path) -> None:
    class Silent(Catalog):
        def write_labels(self, csv_path: Path, held_out_path: Path, *, imported: bool) -> Sequence[str]:
            raise LookupError("people said too little")  # an error of the service's own, not of a training

    (tmp_path / "ours.labels.csv").write_text("older")

    with (
        pytest.raises(LookupError),
        prepare_lists(tmp_path / "ours", Silent(), imported=False, resume=False, say=lambda text: None),
    ):
        pass

    assert files(tmp_path) == {"ours.labels.csv": "older"}


def test_who_knows_no_catalog_knows_no_label_for_none_of_them() -> None:
    assert (name_of_other(Catalog()), name_of_other(None)) == ("none", None)
