"""The card of the second bundle, held to the bundle and to the study."""

import json
import re
from pathlib import Path
from statistics import mean

from tests.docs.readme import ROOT
from training.bundle import open_bundle

CARD = (ROOT / "docs" / "fashion-mnist.md").read_text(encoding="utf-8")
STUDY = json.loads((ROOT / "docs" / "study" / "figures.json").read_text(encoding="utf-8"))
NETS = {net["net"]: net for net in STUDY["nets"]}


def test_the_card_is_that_of_the_bundle() -> None:
    bundle = open_bundle(Path("fashion-mnist"))
    assert f"`{bundle.sha256}`" in CARD
    assert f"# Model card: {bundle.manifest.name}\n" in CARD
    assert f"{len(bundle.artifact):,} bytes in int8" in CARD


def test_the_bundle_is_the_studys_and_the_figures_are_too() -> None:
    test = open_bundle(Path("fashion-mnist")).manifest.metrics["test"]
    assert isinstance(test, dict)
    assert test["accuracy"] == NETS["hangtag"]["test_accuracy"]["by_seed"][0]
    (row,) = re.findall(r"^\| right \| ([\d.]+) ± ([\d.]+) % \| ([\d.]+) ± ([\d.]+) %", CARD, re.MULTILINE)
    ours, large = NETS["hangtag"]["test_accuracy"], NETS["hangtag large"]["test_accuracy"]
    expected = [f"{100 * found:.2f}" for each in (ours, large) for found in (each["mean"], each["deviation"])]
    assert list(row) == expected


def test_the_study_was_a_whole_one() -> None:
    assert not STUDY["quick"]
    assert STUDY["images"] == {"training": 55_000, "validation": 5_000, "test": 10_000}
    assert {tuple(net["seeds"]) for net in STUDY["nets"]} == {(1, 2, 3)}
    for net in STUDY["nets"]:
        if net["published_accuracy"] is not None:
            assert abs(mean(net["test_accuracy"]["by_seed"]) - net["published_accuracy"]) < 0.015
