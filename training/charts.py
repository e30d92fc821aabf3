"""The curves of a report, as SVG for the middle of an HTML page.

Owns how they look, and the way from any figure of matplotlib into a page, light or dark; the numbers come from
`report`. Imports matplotlib when a curve is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's own text colour, light or dark, until the SVG is written
_LINE, _SECOND = "#2a78c8", "#c8762a"  # both readable on white and on near-black
FAINT = 0.25

_Floats = NDArray[np.float64]


def draw_calibration(confidences: _Floats, right: NDArray[np.bool_]) -> str:
    """The share that is right against the confidence, by tenths; a dot is the larger, the more photos it holds."""
    axes = _open_axes("confidence", "share right")
    tenths = np.clip((confidences * 10).astype(int), 0, 9)
    there = [tenth for tenth in range(10) if (tenths == tenth).any()]
    x = [float(confidences[tenths == tenth].mean()) for tenth in there]
    y = [float(right[tenths == tenth].mean()) for tenth in there]
    sizes = [20 + 300 * float((tenths == tenth).mean()) for tenth in there]
    axes.plot([0, 1], [0, 1], color=INK, alpha=FAINT, linewidth=1, linestyle="--")
    axes.plot(x, y, color=_LINE, linewidth=1.5)
    axes.scatter(x, y, s=sizes, color=_LINE, zorder=3)
    return write_svg(
        _figure_of(axes), "Calibration: where the line is below the diagonal, confidences promise too much"
    )


def draw_coverage(confidences: _Floats, right: NDArray[np.bool_]) -> str:
    """The share that is right among the surest answers, against how many of all answers these are."""
    axes = _open_axes("share of photos answered, surest first", "share right among them")
    order = np.argsort(-confidences, kind="stable")
    taken = np.arange(1, len(order) + 1)
    accuracy = np.cumsum(right[order]) / taken
    first = min(len(order) - 1, max(4, len(order) // 50))  # the share of three photos is no share
    axes.plot((taken / len(order))[first:], accuracy[first:], color=_LINE, linewidth=1.5)
    lowest = float(accuracy[first:].min())
    axes.set_ylim(max(0.0, lowest - 0.05), 1.005)
    return write_svg(_figure_of(axes), "Accuracy against coverage")


def draw_history(history: Sequence[dict[str, float]]) -> str:
    """How the fit went: the share right on the validation part after each epoch."""
    axes = _open_axes("epoch", "share right, validation part")
    epochs = [entry["epoch"] for entry in history]
    accuracies = [entry["validation_accuracy"] for entry in history]
    axes.plot(epochs, accuracies, color=_SECOND, linewidth=1.5, marker="o" if len(epochs) < 12 else None)  # noqa: PLR2004
    axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    axes.set_ylim(max(0.0, min(accuracies) - 0.05), min(1.005, max(accuracies) + 0.05))
    return write_svg(_figure_of(axes), "How the fit went")


def open_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure that makes room for what is put into it."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - without pyplot: no windows, no state

    return Figure(figsize=(width_in, height_in), layout="constrained")


def dress_axes(axes: Axes, x: str, y: str) -> None:
    """Name the axes, and leave of their frame a faint grid."""
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.grid(color=INK, alpha=FAINT / 2, linewidth=0.8)
    axes.tick_params(colors=INK, length=0)
    axes.patch.set_alpha(0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def write_svg(figure: Figure, title: str) -> str:
    """The figure as an <svg> element in the page's own text colour and font; `title` is for who cannot see it."""
    import matplotlib as mpl  # noqa: PLC0415

    file = io.StringIO()
    # Text stays text, in the page's own font; no date, and ids that depend on the drawing alone.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)


def _open_axes(x: str, y: str) -> Axes:
    axes = open_figure(4.1, 3.0).add_subplot()
    dress_axes(axes, x, y)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    return axes


def _figure_of(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return figure
