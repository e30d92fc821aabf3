"""The study's charts: learning curves, confusion matrices, what accuracy costs.

Owns how they look; the numbers are `figures`'. Imports matplotlib and seaborn when a chart is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from training.charts import INK, dress_axes, open_figure
from training.study.figures import LABELS, NetFigures, Study, describe_deviation
from training.study.pictures import COLOURS, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

_RIGHT, _WRONG = "#2a78c8", "#c84632"
_DEEPEST_WRONG = 0.25  # of a label's images: as red as it gets; Shirt for T-shirt is some .15
_LONG_RUN = 3  # where one net has so many times the epochs of another, their axis is logarithmic
_CURVE_MARGIN = 0.01
# Of a dot's name, in shares of the room that the dots take; and how far from the dot its middle is, in names.
_NAME_SIZE = np.array([0.085, 0.075])
_NAME_DISTANCE = np.array([0.85, 1.3])
_SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))


def draw_learning_curves(study: Study) -> Picture:
    """Validation accuracy after each epoch: the mean of the seeds, and from the lowest to the highest as a band."""
    figure = open_figure(8.0, 4.4)
    axes = figure.add_subplot()
    dress_axes(axes, "epoch", "validation accuracy")
    _write_percents(axes)
    last: list[float] = []
    lowest: list[float] = []
    lengths = []
    for net, colour in _colour(study.nets):
        curves = np.array([[epoch["validation_accuracy"] for epoch in history] for history in net.histories])
        middle, epochs = curves.mean(axis=0), np.arange(1, curves.shape[1] + 1)
        axes.fill_between(epochs, curves.min(axis=0), curves.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        axes.plot(epochs, middle, color=colour, linewidth=1.8, marker="o", markersize=3, label=net.entry.name)
        last.append(float(middle[-1]))
        lowest.append(float(curves[:, min(1, curves.shape[1] - 1) :].min()))
        lengths.append(len(epochs))
    # The first epoch of a net is far below all that is compared here: it may leave the picture.
    axes.set_ylim(min(lowest) - _CURVE_MARGIN, max(*last, *lowest) + 2 * _CURVE_MARGIN)
    _set_epochs(axes, lengths)
    _write_legend(axes)
    return Picture("learning-curves.svg", "Learning curves: validation accuracy by epoch", figure)


def draw_costs(study: Study) -> Picture:
    """Test accuracy against speed: a dot is as large as the net's parameters, its whiskers the seeds' deviation."""
    from matplotlib.ticker import LogLocator  # noqa: PLC0415

    figure = open_figure(8.0, 4.0)
    axes = figure.add_subplot()
    dress_axes(axes, "int8 images a second, one thread", "test accuracy")
    axes.set_xscale("log")
    _write_percents(axes)
    _frame_costs(axes, study)
    most = max(net.parameters for net in study.nets)
    sides = _choose_sides([(float(np.log10(net.images_per_s)), mean(net.test_accuracy)) for net in study.nets])
    for (net, colour), side in zip(_colour(study.nets), sides, strict=True):
        accuracy = mean(net.test_accuracy)
        deviation = describe_deviation(net.test_accuracy)
        axes.errorbar(net.images_per_s, accuracy, yerr=deviation, color=colour, linewidth=1.4, capsize=2)
        size = 30 + 420 * net.parameters / most
        distance = 4 + (size / np.pi) ** 0.5
        axes.scatter(net.images_per_s, accuracy, s=size, color=colour, alpha=0.75, linewidth=0, zorder=3)
        axes.annotate(
            net.entry.name,
            (net.images_per_s, accuracy),
            xytext=(side[0] * distance, side[1] * distance),
            textcoords="offset points",
            ha=("center", "left", "right")[side[0]],
            va=("center", "bottom", "top")[side[1]],
            color=INK,
            fontsize=9,
            zorder=4,
        )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    _write_plain_numbers(axes)
    return Picture("costs.svg", "Test accuracy against speed; a dot is as large as the net has parameters", figure)


def _frame_costs(axes: Axes, study: Study) -> None:
    """Room for dots and names, set before anything is drawn: left to itself, matplotlib divides by a range of 0."""
    speeds = [net.images_per_s for net in study.nets]
    accuracies = [accuracy for net in study.nets for accuracy in net.test_accuracy]
    wider = max((max(speeds) / min(speeds)) ** 0.12, 1.2)
    higher = 0.2 * max(max(accuracies) - min(accuracies), 0.01)
    axes.set_xlim(min(speeds) / wider, max(speeds) * wider)
    axes.set_ylim(min(accuracies) - higher, max(accuracies) + higher)


def draw_confusions(study: Study) -> Picture:
    """Of each label's test images the percent that gets each answer: the winner, and the nets of published figures."""
    published = [net for net in study.nets if net.entry.published_accuracy is not None]
    nets = [study.winner, *(net for net in published if net is not study.winner)]
    rows = -(-len(nets) // 2)
    figure = open_figure(10.4, 5.0 * rows)
    all_axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes, net in zip(all_axes, nets, strict=False):
        _draw_matrix(axes, net.confusion_shares)
        _dress_matrix(axes, net, wins=net is study.winner)
    for axes in all_axes[len(nets) :]:
        axes.set_axis_off()
    return Picture("confusions.png", "Confusion matrices, in percent of each label's test images", figure)


def _draw_matrix(axes: Axes, shares: NDArray[np.float64]) -> None:
    """The diagonal in one colour, all else in another, deep already where a quarter goes wrong."""
    import seaborn  # noqa: PLC0415 - brings pandas: a second

    off = ~np.eye(len(LABELS), dtype=bool)
    percents = np.rint(100 * shares)
    texts = np.where(percents > 0, np.char.mod("%d", percents), "")
    for hidden, colour, deepest in ((off, _RIGHT, 1.0), (~off, _WRONG, _DEEPEST_WRONG)):
        seaborn.heatmap(
            shares,
            mask=hidden,
            annot=texts,
            fmt="",
            cmap=_fade(colour),
            vmin=0,
            vmax=deepest,
            cbar=False,
            square=True,
            annot_kws={"fontsize": 8, "color": INK},
            xticklabels=LABELS,
            yticklabels=LABELS,
            ax=axes,
        )


def _dress_matrix(axes: Axes, net: NetFigures, *, wins: bool) -> None:
    title = f"{net.entry.name}{', the winner' if wins else ''}: {mean(net.test_accuracy):.1%} right"
    axes.set_title(title, color=INK, fontsize=11, pad=10)
    axes.set_xlabel("answer", color=INK)
    axes.set_ylabel("label", color=INK)
    axes.tick_params(colors=INK, length=0, labelsize=8.5)
    axes.tick_params(axis="x", labelrotation=45)
    for text in axes.get_xticklabels():
        text.set_horizontalalignment("right")
        text.set_rotation_mode("anchor")
    axes.patch.set_alpha(0)
    edges = np.arange(len(LABELS) + 1)
    axes.hlines(edges, 0, len(LABELS), color=INK, alpha=0.12, linewidth=0.6)
    axes.vlines(edges, 0, len(LABELS), color=INK, alpha=0.12, linewidth=0.6)


def _fade(colour: str) -> Colormap:
    """From nothing at all to `colour`, so that the page, light or dark, shows through; steep at first."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba  # noqa: PLC0415

    steps = [to_rgba(colour, 0.85 * share**0.7) for share in np.linspace(0, 1, 32)]
    return LinearSegmentedColormap.from_list(colour, steps)


def _choose_sides(dots: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """For each dot on which side its name stands, right (1, 0) or above (0, 1) and so on, clear of dots and names."""
    places = np.array(dots)
    places = (places - places.min(axis=0)) / np.ptp(places, axis=0).clip(min=1e-9) / _NAME_SIZE
    sides = [_SIDES[0]] * len(places)
    names: list[NDArray[np.float64]] = []
    for index in np.argsort(places[:, 0]).tolist():  # from the left: a neighbour has two sides at least
        place = places[index]
        others = np.array([*np.delete(places, index, axis=0), *names])
        gaps = {side: _measure_gap(place + np.array(side) * _NAME_DISTANCE, others) for side in _SIDES}
        clear = [side for side, gap in gaps.items() if gap >= 1]
        sides[index] = clear[0] if clear else max(gaps, key=gaps.__getitem__)
        names.append(place + np.array(sides[index]) * _NAME_DISTANCE)
    return sides


def _measure_gap(place: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """The distance to the nearest of `others`, in names: below 1 they may touch."""
    return float(np.abs(others - place).max(axis=1).min()) if len(others) else float("inf")


def _colour(nets: Sequence[NetFigures]) -> list[tuple[NetFigures, str]]:
    return [(net, COLOURS[place % len(COLOURS)]) for place, net in enumerate(nets)]


def _set_epochs(axes: Axes, lengths: Sequence[int]) -> None:
    longest = max(lengths)
    if longest >= _LONG_RUN * min(lengths):
        axes.set_xscale("log")
        axes.set_xticks([n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n <= longest])
        axes.set_xlim(0.95, longest * 1.05)
        _write_plain_numbers(axes)
        return
    axes.set_xticks(range(1, longest + 1, max(1, longest // 10)))
    axes.set_xlim(0.8, longest + 0.2)


def _write_plain_numbers(axes: Axes) -> None:
    """1,000 on a logarithmic axis in place of a power of ten, and a few between."""
    from matplotlib.ticker import FuncFormatter, NullFormatter  # noqa: PLC0415

    axes.tick_params(which="minor", length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _write_percents(axes: Axes) -> None:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))


def _write_legend(axes: Axes) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, labelcolor=INK, fontsize=9)
