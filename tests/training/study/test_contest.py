import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.nets import make_tiny_bundle
from tests.training.study.studies import draw_test_images
from training.bundle import Bundle, InputSpec, write_bundle
from training.classifier import Classifier
from training.data_sets import DataSet, TaughtImages
from training.errors import TrainingError
from training.recipes import Made, Parts
from training.starts import Backbone, Start
from training.study.contest import Contest, Fit, _Task, _write_record, run_contest
from training.study.entries import ENTRIES, divide_data, plan_fit
from training.study.lessons import weigh_images

ENTRY = ENTRIES[0]
CONTEST = Contest((ENTRY,), (1,), quick=True)
PLAN = plan_fit(ENTRY, seed=1, quick=True)
RECORD = f"{PLAN.name}.json"
HISTORY = [{"epoch": 1.0, "loss": 0.5, "validation_accuracy": 0.75, "elapsed_s": 90.0}]


@pytest.fixture(scope="module")
def parts() -> Parts:
    return divide_data(DataSet(draw_test_images(120), draw_test_images(50)))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return make_tiny_bundle(InputSpec(28, 28, 1), labels=10)


@pytest.fixture
def work(tmp_path: Path, parts: Parts, bundle: Bundle) -> Path:
    """A work folder with one fit in it."""
    write_bundle(bundle, tmp_path / PLAN.name)
    made = Made(bundle, Backbone("none", b""), HISTORY)
    _write_record(tmp_path / RECORD, made, CONTEST.identify_fits(parts)[PLAN.name])
    return tmp_path


def resume(work: Path, parts: Parts, contest: Contest = CONTEST) -> list[Fit]:
    return run_contest(contest, parts, work, resume=True, report=lambda title, step: pytest.fail("was fitted again"))


def test_a_fit_that_is_there_is_read_and_not_done_again(work: Path, parts: Parts, bundle: Bundle) -> None:
    said: list[str] = []

    (fit,) = run_contest(CONTEST, parts, work, resume=True, say=said.append)

    assert (fit.entry, fit.seed, fit.bundle.sha256) == (ENTRY, 1, bundle.sha256)
    assert list(fit.history) == HISTORY
    assert fit.minutes == 1.5
    assert said == ["fit 1 of 1: Model 1, seed 1: is there"]


def test_a_fit_of_another_recipe_or_other_images_is_one_line(work: Path, parts: Parts) -> None:
    other_test = replace(parts, test=parts.test.select(np.arange(1, 50)))
    other_validation = replace(parts, validation=parts.validation.select(np.arange(5)))
    for contest, data in (
        (replace(CONTEST, epochs=9), parts),
        (CONTEST, other_test),
        (CONTEST, other_validation),
    ):
        with pytest.raises(
            TrainingError, match=r"seed-1-quick.json is of another recipe or other data; leave"
        ) as caught:
            resume(work, data, contest)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"fit_of": 1, "bundle_sha256": 2, "history": [3]}'])
def test_a_record_that_is_none_is_one_line(work: Path, parts: Parts, content: str) -> None:
    (work / RECORD).write_text(content)

    with pytest.raises(TrainingError, match=r"seed-1-quick.json is not the record of a fit") as caught:
        resume(work, parts)
    assert "\n" not in str(caught.value)


def test_a_record_beside_another_bundle_is_one_line(work: Path, parts: Parts, bundle: Bundle) -> None:
    told = json.loads((work / RECORD).read_text())
    (work / RECORD).write_text(json.dumps({**told, "bundle_sha256": "0" * 64}))

    with pytest.raises(TrainingError, match="does not belong to the bundle beside it"):
        resume(work, parts)


def test_all_nets_are_fitted_once_before_any_is_fitted_twice_and_teachers_with_every_seed_before_who_learns() -> None:
    taught = replace(ENTRIES[1], taught_by=ENTRIES[0].name)
    started = replace(ENTRIES[3], started_by=taught.name)

    waves = Contest((ENTRIES[0], taught, ENTRIES[2], started), (4, 5)).list_plans()

    assert [[(entry.name, plan.recipe.seed) for entry, plan in wave] for wave in waves] == [
        [("Model 1", 4), ("Model 3", 4), ("Model 1", 5), ("Model 3", 5)],
        [("Model 2", 4), ("Model 2", 5)],
        [("Model 4", 4), ("Model 4", 5)],
    ]


def test_who_learns_is_another_fit_where_any_of_the_teachers_is(parts: Parts) -> None:
    taught = replace(ENTRIES[1], taught_by=ENTRIES[0].name)
    name = plan_fit(taught, seed=4).name
    contest = Contest((ENTRIES[0], taught), (4, 5))

    identity = contest.identify_fits(parts)[name]

    assert replace(contest, seeds=(4, 6)).identify_fits(parts)[name] != identity
    assert Contest((ENTRIES[0], ENTRIES[1]), (4, 5)).identify_fits(parts)[name] != identity
    assert contest.identify_fits(parts)[name] == identity


def test_who_starts_from_a_net_is_another_fit_where_that_net_is_and_not_where_another_seed_is(parts: Parts) -> None:
    started = replace(ENTRIES[1], started_by=ENTRIES[0].name)
    name = plan_fit(started, seed=5).name
    contest = Contest((ENTRIES[0], started), (4, 5))

    identity = contest.identify_fits(parts)[name]

    longer = replace(ENTRIES[0], recipe=replace(ENTRIES[0].recipe, epochs=11))
    assert Contest((longer, started), (4, 5)).identify_fits(parts)[name] != identity
    assert Contest((ENTRIES[0], ENTRIES[1]), (4, 5)).identify_fits(parts)[name] != identity
    assert replace(contest, seeds=(6, 5)).identify_fits(parts)[name] == identity


def test_who_only_teaches_is_fitted_where_somebody_is_to_learn_and_is_in_no_report(
    work: Path, parts: Parts, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    teaching = replace(ENTRIES[1], only_teaches=True)
    learning = replace(ENTRIES[2], taught_by=teaching.name, eased_by=ENTRY.name)
    contest = Contest((ENTRY, teaching, learning), (1,), quick=True)
    fitted: list[str] = []

    def write_instead(fit: object, asked: Mapping[str, _Task], **_: object) -> None:
        fitted.extend(asked)
        for task in asked.values():
            write_bundle(bundle, work / task.plan.name)
            _write_record(work / f"{task.plan.name}.json", Made(bundle, Backbone("none", b""), HISTORY), task.identity)

    monkeypatch.setattr("training.study.contest.fit_side_by_side", write_instead)
    for gone in ((), (teaching,), (learning,)):
        fitted.clear()
        for entry in gone:
            (work / f"{plan_fit(entry, seed=1, quick=True).name}.json").unlink()
        fits = run_contest(contest, parts, work, resume=True)
        assert [fit.entry.name for fit in fits] == ["Model 1", "Model 3"]
        assert fitted == (["Model 2, seed 1", "Model 3, seed 1"] if gone != (teaching,) else [])


def test_what_a_net_learns_from_stands_by_seed_whichever_fits_were_there(
    work: Path, parts: Parts, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    learning = replace(ENTRIES[1], eased_by=ENTRY.name, taught_by=ENTRY.name, started_by=ENTRY.name)
    other = make_tiny_bundle(InputSpec(28, 28, 1), labels=10, seed=8)
    tasks: list[_Task] = []

    def write_instead(fit: object, asked: Mapping[str, _Task], **_: object) -> None:
        for task in asked.values():
            made = Made(other, Backbone("none", b"fitted"), HISTORY)
            write_bundle(other, work / task.plan.name, backbone=made.backbone.content)
            _write_record(work / f"{task.plan.name}.json", made, task.identity)
        tasks.extend(asked.values())

    def read_backbone(folder: str) -> Start:
        return Start(bundle.manifest, Backbone("none", (Path(folder) / "backbone.npz").read_bytes()))

    monkeypatch.setattr("training.study.contest.fit_side_by_side", write_instead)
    monkeypatch.setattr("training.study.contest.read_start", read_backbone)
    (work / PLAN.name / "backbone.npz").write_bytes(b"was there")

    fits = run_contest(Contest((ENTRY, learning), (3, 1), quick=True), parts, work, resume=True)

    names = [("Model 1", 3), ("Model 1", 1), ("Model 2", 3), ("Model 2", 1)]
    assert [(fit.entry.name, fit.seed) for fit in fits] == names
    assert [task.backbone and task.backbone.content for task in tasks] == [None, b"fitted", b"was there"]
    assert [task.keep_backbone for task in tasks] == [True, False, False]
    by_first = weigh_images(parts.training, Classifier(other).classify(parts.training.images))
    for task in tasks[1:]:
        assert isinstance(task.parts.training, TaughtImages)
        assert [each.sha256 for each in task.parts.training.teachers] == [other.sha256, bundle.sha256]
        assert (task.parts.training.weights == by_first.weights).all()
