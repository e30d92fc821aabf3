"""Diagrams of the study's nets: what becomes of an image from layer to layer, drawn to one scale.

Owns how layers look; shapes and numbers are read off the Keras models themselves. Imports matplotlib when it draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
from keras import layers

from training.backbone import build_net
from training.bundle import InputSpec
from training.charts import INK, open_figure
from training.study.figures import LABELS, NetFigures
from training.study.pictures import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# All lengths in pixels of a map: an image is 28 wide and high.
_PIXELS_AN_INCH = 42.0
_CHANNEL = 0.22  # how thick a channel is: 160 of them are 35 pixels
_SLANT = 0.30  # how far a map's width leads up and to the right, of its length
_GAP, _LEAST_STEP = 7.0, 28.0  # between blocks; the least that a block's text needs
_NAMES = 76.0  # the column at the left
_ROW, _LINE = 62.0, 6.2
_TEXT_BELOW = 19.5  # the middle of the row: under a map of 28 pixels, so that the texts of a row stand in line
_ARROW = 3.4  # from the middle of the gap

_COLOURS = {"input": "#8a94a0", "convolution": "#2a78c8", "pooling": "#c8762a", "dense": "#2f9a78"}


@dataclass(frozen=True)
class Block:
    """What a layer puts out: its kind, the shape without the batch, and the layer in words."""

    kind: str
    shape: tuple[int, ...]
    words: str

    @property
    def size(self) -> tuple[float, float, float]:
        """Thickness, height and depth as drawn. Of a row of numbers the height is a square's of as many."""
        if len(self.shape) == 1:
            return 1.6, self.shape[0] ** 0.5, 0.0
        height, width, channels = self.shape
        return max(1.0, channels * _CHANNEL), float(height), width * _SLANT


def list_blocks(model: keras.Model) -> list[Block]:
    """The layers of `model` that change the shape or hold weights, in order; normalisation and ReLU go with theirs."""
    blocks = []
    for layer in model.layers:
        shape = tuple(int(side) for side in layer.output.shape[1:])
        if isinstance(layer, layers.InputLayer):
            blocks.append(Block("input", shape, "pixels"))
        elif isinstance(layer, layers.Conv2D) and max(layer.kernel_size) > 1:  # of 1x1 are shortcuts, beside the way
            stride = f" /{layer.strides[0]}" if layer.strides[0] > 1 else ""
            blocks.append(Block("convolution", shape, f"conv {layer.kernel_size[0]}×{layer.kernel_size[1]}{stride}"))
        elif isinstance(layer, layers.MaxPooling2D):
            blocks.append(Block("pooling", shape, f"pool {layer.pool_size[0]}"))
        elif isinstance(layer, layers.GlobalAveragePooling2D):
            blocks.append(Block("pooling", shape, "mean"))
        elif isinstance(layer, layers.Dense):
            blocks.append(Block("dense", shape, "dense"))
    return blocks


def draw_architectures(nets: Sequence[NetFigures], spec: InputSpec) -> Picture:
    """All nets below each other, every block to the same scale."""
    rows = [list_blocks(build_net(net.entry.architecture, spec, labels=len(LABELS))) for net in nets]
    length = _NAMES + max(sum(_step(block) for block in row) for row in rows)
    height = _ROW * len(nets)
    figure = open_figure(length / _PIXELS_AN_INCH, height / _PIXELS_AN_INCH)
    axes = figure.add_subplot()
    axes.set_xlim(0, length)
    axes.set_ylim(-height, 0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    for place, (net, row) in enumerate(zip(nets, rows, strict=True)):
        middle = -_ROW * (place + 0.5) + 4.0
        _write_name(axes, net, middle)
        left = _NAMES
        for number, block in enumerate(row):
            if number:
                _draw_arrow(axes, left - _GAP / 2, middle)
            _draw_block(axes, block, left, middle)
            left += _step(block)
    return Picture("architectures.svg", "The nets, layer by layer, to one scale", figure)


def _step(block: Block) -> float:
    thickness, _, depth = block.size
    return max(thickness + depth + _GAP, _LEAST_STEP)


def _write_name(axes: Axes, net: NetFigures, middle: float) -> None:
    axes.text(0, middle + 4, net.entry.name, color=INK, fontsize=11, fontweight="bold", va="center")
    for line, words in enumerate((f"{net.parameters:,} parameters", f"{net.flops / 1e6:,.1f} MFLOP an image")):
        axes.text(0, middle - 4 - _LINE * line, words, color=INK, alpha=0.75, fontsize=7.5, va="center")


def _draw_block(axes: Axes, block: Block, left: float, middle: float) -> None:
    from matplotlib.patches import Polygon  # noqa: PLC0415

    thickness, height, depth = block.size
    low, high, right = middle - height / 2, middle + height / 2, left + thickness
    rise = depth * 0.6
    colour = _COLOURS[block.kind]
    top = [(left, high), (left + depth, high + rise), (right + depth, high + rise), (right, high)]
    side = [(right, low), (right + depth, low + rise), (right + depth, high + rise), (right, high)]
    front = [(left, low), (right, low), (right, high), (left, high)]
    for corners, strength in ((top, 0.45), (side, 0.65), (front, 0.95)):
        if depth or corners is front:
            axes.add_patch(Polygon(corners, closed=True, facecolor=colour, alpha=strength, linewidth=0))
    words = ("×".join(f"{side:,}" for side in block.shape), block.words)
    for line, text in enumerate(words):
        place = (left + (thickness + depth) / 2, middle - _TEXT_BELOW - _LINE * line)
        axes.text(*place, text, color=INK, alpha=1 - 0.3 * line, fontsize=6.8, ha="center", va="center")


def _draw_arrow(axes: Axes, x: float, middle: float) -> None:
    style = {"arrowstyle": "-|>", "color": INK, "alpha": 0.45, "linewidth": 0.8, "mutation_scale": 6}
    axes.annotate("", xy=(x + _ARROW, middle), xytext=(x - _ARROW, middle), arrowprops=style)
