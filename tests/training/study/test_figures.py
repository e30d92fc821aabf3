from dataclasses import replace

import numpy as np
import pytest

from tests.training.study.studies import draw_net, draw_study
from training.study.entries import ENTRIES
from training.study.figures import LABELS, choose_winner


def test_the_winner_is_chosen_on_validation_whatever_the_test_set_says() -> None:
    shown = draw_net(ENTRIES[1], validation=0.92, test=0.80)
    tempting = draw_net(ENTRIES[2], validation=0.91, test=0.99)

    assert choose_winner([tempting, shown]) is shown
    assert choose_winner([shown, tempting]) is shown


def test_one_lucky_seed_does_not_win() -> None:
    steady = draw_net(ENTRIES[1], validation=0.92)
    lucky = replace(draw_net(ENTRIES[2]), validation_accuracy=(0.90, 0.95, 0.90))

    assert choose_winner([lucky, steady]) is steady


def test_of_equal_nets_the_smallest_wins() -> None:
    large, small = draw_net(ENTRIES[1], parameters=9), draw_net(ENTRIES[2], parameters=8)

    assert choose_winner([large, small]) is small


def test_json_has_every_seed_their_mean_and_their_deviation() -> None:
    told = draw_net(ENTRIES[3], test=0.91).as_json()

    assert told["test_accuracy"] == {"mean": 0.91, "deviation": 0.001, "by_seed": [0.909, 0.91, 0.911]}
    assert told["test_accuracy_in_floats"] == {"mean": 0.912, "deviation": 0.001, "by_seed": [0.911, 0.912, 0.913]}
    assert told["published_accuracy"] == 0.91
    one = draw_net(seeds=(8,)).as_json()["test_accuracy"]
    assert isinstance(one, dict)
    assert one["deviation"] is None
    scores = told["labels"]
    assert isinstance(scores, dict)
    assert list(scores) == list(LABELS)


def test_confusions_are_shares_of_each_labels_images_over_all_seeds() -> None:
    net = draw_net()
    empty = net.confusions.copy()
    empty[:, 3] = 0

    assert net.confusion_shares.sum(axis=1) == pytest.approx(np.ones(len(LABELS)))
    by_hand = net.confusions[:, 2, 6].sum() / net.confusions[:, 2].sum()
    assert net.confusion_shares[2, 6] == pytest.approx(by_hand)
    assert (replace(net, confusions=empty).confusion_shares[3] == 0).all()


def test_a_study_tells_the_figures_of_all_its_nets() -> None:
    told = draw_study().as_json()

    assert told["winner"] == "hangtag"
    nets = told["nets"]
    assert isinstance(nets, list)
    assert [net["net"] for net in nets] == [entry.name for entry in ENTRIES if not entry.only_teaches]
