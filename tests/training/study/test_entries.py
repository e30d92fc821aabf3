import numpy as np
import pytest

from tests.training.study.studies import draw_test_images
from training.backbone import ARCHITECTURES, build_net, load_backbone, pack_backbone
from training.bundle import InputSpec
from training.data_sets import DataSet, LabelledImages
from training.errors import TrainingError
from training.study.entries import ENTRIES, choose_seeds, divide_data, plan_fit

SPEC = InputSpec(28, 28, 1)


def test_the_six_nets_are_fitted_as_the_study_fitted_them() -> None:
    for entry in ENTRIES[:6]:
        recipe = plan_fit(entry, seed=3).recipe
        assert (recipe.optimizer, recipe.peak_learning_rate, recipe.weight_decay) == ("adam", 0.001, 0.0)
        assert (recipe.epochs, recipe.batch_images, recipe.seed, recipe.minutes) == (10, 32, 3, None)
        assert not recipe.flips
        assert (recipe.shift_px, recipe.erase_share, recipe.light, recipe.label_smoothing) == (0, 0.0, 0.0, 0.0)
        assert recipe.average_decay == 0.0
    assert [entry.published_accuracy for entry in ENTRIES] == [None, None, None, 0.91, 0.91, 0.90, None, None, None]
    assert {entry.architecture for entry in ENTRIES} < set(ARCHITECTURES)


def test_a_net_learns_only_from_nets_that_stand_before_it() -> None:
    for place, entry in enumerate(ENTRIES):
        before = {earlier.name for earlier in ENTRIES[:place]}
        assert set(entry.learns_from) <= before
    assert ENTRIES[8].learns_from == ("Model 1", "hangtag large", "hangtag teacher")
    assert [entry.name for entry in ENTRIES if entry.only_teaches] == ["hangtag teacher"]


def test_a_net_that_begins_where_another_ended_has_its_layers() -> None:
    for entry in ENTRIES:
        for first in [other for other in ENTRIES if other.name == entry.started_by]:
            old, new = (build_net(of.architecture, SPEC, labels=10) for of in (first, entry))
            load_backbone(new, pack_backbone(old, first.architecture))


def test_who_is_taught_sees_mixed_images_and_no_labels() -> None:
    for entry in ENTRIES:
        recipe = plan_fit(entry, seed=1).recipe
        assert (recipe.teacher_share, recipe.mix_share) == ((1, 0.5) if entry.taught_by else (0, 0))


def test_plans_have_names_of_their_own_and_heed_what_is_asked_for() -> None:
    names = {
        plan_fit(entry, seed=seed, quick=quick).name for entry in ENTRIES for seed in (1, 2) for quick in (False, True)
    }

    assert len(names) == 4 * len(ENTRIES)
    assert "fashion-mnist-model-4-seed-2" in names
    assert plan_fit(ENTRIES[8], seed=1, epochs=7, quick=True).recipe.epochs == 7
    assert plan_fit(ENTRIES[8], seed=1, quick=True).recipe.epochs == 2
    assert plan_fit(ENTRIES[8], seed=1).recipe.epochs == ENTRIES[8].recipe.epochs


def test_the_last_twelfth_is_chosen_by_and_the_test_set_stays_whole() -> None:
    pixels = np.zeros((60_000, 1, 1, 1), np.uint8)
    training = LabelledImages(pixels, np.arange(60_000))
    test = draw_test_images()

    parts = divide_data(DataSet(training, test))

    assert (parts.training.targets == np.arange(55_000)).all()
    assert (parts.validation.targets == np.arange(55_000, 60_000)).all()
    assert len(parts.test) == len(test)
    quick = divide_data(DataSet(training, test), quick=True)
    assert (len(quick.training), len(quick.validation), len(quick.test)) == (550, 50, 200)


def test_seeds_are_those_asked_for_or_three_and_none_stands_twice() -> None:
    assert choose_seeds((), quick=False) == (1, 2, 3)
    assert choose_seeds((), quick=True) == (1,)
    assert choose_seeds((5, 0), quick=True) == (5, 0)
    with pytest.raises(TrainingError, match="--seed 4 is given twice"):
        choose_seeds((4, 1, 4), quick=False)
