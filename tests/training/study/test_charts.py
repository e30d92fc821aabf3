import pytest

from tests.training.study.studies import draw_net, draw_study
from training.study.charts import draw_costs
from training.study.entries import ENTRIES
from training.study.figures import Study


@pytest.mark.parametrize(
    ("seeds", "speed"), [((1,), 5000.0), ((1, 2), 5000.0), ((1,), 9000.0), ((1,), 5000.000000000001)]
)
def test_nets_that_are_equally_right_can_be_drawn(seeds: tuple[int, ...], speed: float) -> None:
    whole = draw_study(seeds=seeds)
    nets = [
        draw_net(ENTRIES[0], test=1.0, seeds=seeds, images_per_s=5000.0),
        draw_net(ENTRIES[1], test=1.0, seeds=seeds, images_per_s=speed),
    ]

    picture = draw_costs(Study(nets, nets[0], whole.probabilities, whole.test, whole.images, quick=True))

    [axes] = picture.figure.axes
    low, high = axes.get_ylim()
    assert low < 1 < high
    assert axes.get_xlim()[0] < 5000 <= speed < axes.get_xlim()[1]
