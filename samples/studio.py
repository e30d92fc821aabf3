"""The photographer: turns an item into pixels with light, shadow and a background.

Owns shading and the picture's frame. Leaves what is drawn to the garments and the file format to `draw`.

Each part gets a height (blurred copies of its mask for roundness, folds, a little noise), the height's slope gives a
normal, and the normal the light (Lambert's law and a Blinn highlight). Heights are computed at a fixed number of pixels
per drawing unit, so that one item looks the same at every size of photo.
"""

from dataclasses import dataclass

import numpy as np
from fabrics import Colour, Field
from items import Fold, Item, Line, Part
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from paths import Points
from PIL import Image, ImageDraw

RELIEF_PX = 6.0  # pixels per unit for heights: the finest fold is 1 unit wide
EDGE_SAMPLES = 3  # outlines are drawn three times as large and averaged down: smooth edges
LIGHT = np.array([-0.42, -0.58, 0.70]) / np.linalg.norm([-0.42, -0.58, 0.70])  # from above left, as in shops' photos
TOWARD_VIEWER = np.array([0.0, 0.0, 1.0])
HALFWAY = (LIGHT + TOWARD_VIEWER) / np.linalg.norm(LIGHT + TOWARD_VIEWER)
AMBIENT = 0.5


@dataclass(frozen=True)
class Shot:
    """How one photo is taken: size in pixels, backdrop, margin as a share of the frame, lean in degrees."""

    width: int
    height: int
    backdrop: Colour = (255, 255, 255)
    falloff: float = 0.0
    margin: float = 0.07
    lean: float = 0.0
    grain: float = 0.004
    seed: int = 0


def photograph(item: Item, shot: Shot) -> Image.Image:
    """Take an RGB photo of the item in front of the shot's backdrop."""
    camera = Camera(item, shot)
    camera.expose()
    picture = _backdrop(shot, camera.rng)
    picture = picture * (1 - camera.shadow()[..., None])
    alpha = camera.alpha[..., None]
    picture = picture * (1 - alpha) + camera.rgb * alpha
    picture = picture + camera.rng.normal(0, shot.grain, (shot.height, shot.width, 1))
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))


def cut_out(item: Item, shot: Shot) -> Image.Image:
    """Take an RGBA photo of the item alone, without backdrop and shadow."""
    camera = Camera(item, shot)
    camera.expose()
    pixels = np.dstack([camera.rgb, camera.alpha])
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))


def _backdrop(shot: Shot, rng: Generator) -> Field:
    """Paper or a wall: plain, a little darker away from the light."""
    y, x = np.mgrid[0 : shot.height, 0 : shot.width].astype(np.float32)
    across, down = x / shot.width - rng.uniform(0.3, 0.5), y / shot.height - rng.uniform(0.25, 0.45)
    light = 1 - shot.falloff * (across**2 + down**2)
    colour = np.asarray(shot.backdrop, dtype=np.float32) / 255
    return (light[..., None] * colour).astype(np.float32)


class Camera:
    """Exposes an item's layers, from the back to the front, on colour and alpha."""

    def __init__(self, item: Item, shot: Shot) -> None:
        self.item, self.shot = item, shot
        self.rng = default_rng(shot.seed)
        self.phases = self.rng.uniform(0, 2 * np.pi, 4)
        self.rgb: Field = np.zeros((shot.height, shot.width, 3), dtype=np.float32)
        self.alpha: Field = np.zeros((shot.height, shot.width), dtype=np.float32)
        self.unit_px, self.origin = 1.0, np.zeros(2)
        bounds = self._bounds()
        room = np.array([shot.width, shot.height]) * (1 - 2 * shot.margin)
        self.unit_px = float(np.min(room / (bounds[1] - bounds[0])))
        self.origin = np.array([shot.width, shot.height]) / 2 - self.unit_px * bounds.mean(axis=0)

    def expose(self) -> None:
        """Draw all layers."""
        for layer in self.item.layers:
            if isinstance(layer, Part):
                self._lay(layer)
            else:
                self._mark(layer)

    def shadow(self) -> Field:
        """Give the darkness (0..1) that the item throws on its backdrop."""
        unit, floor = self.unit_px, self.item.floor
        if floor is None:
            near = _moved(_blurred(self.alpha, 0.7 * unit), 0.35 * unit, 0.5 * unit)
            far = _moved(_blurred(self.alpha, 2.6 * unit), 1.0 * unit, 1.5 * unit)
            return (0.16 * near + 0.10 * far).astype(np.float32)
        ground = self._pixels(np.array([[0.0, floor]]))[0, 1]
        y = np.arange(self.shot.height, dtype=np.float32)[:, None]
        feet = self.alpha * (np.abs(y - ground + 0.8 * unit) < 1.6 * unit)
        reach = np.repeat(feet.max(axis=0)[None], self.shot.height, axis=0) * (np.abs(y - ground) < 0.5 * unit)
        near, far = _blurred(reach, 0.8 * unit), _blurred(reach, 2.2 * unit)
        return np.clip(0.5 * near + 0.35 * far, 0, 0.6).astype(np.float32)

    def _bounds(self) -> Points:
        outlines = [self._pixels(layer.outline) for layer in self.item.layers if isinstance(layer, Part)]
        places = np.vstack(outlines)
        return np.stack([places.min(axis=0), places.max(axis=0)])

    def _pixels(self, points: Points) -> Points:
        """Take drawing units to pixels: a little handmade wobble, the lean, scale and place."""
        x, y = points[:, 0], points[:, 1]
        a, b, c, d = self.phases
        wobbled = np.column_stack(
            [
                x + 0.35 * np.sin(y / 9 + a) + 0.25 * np.sin(x / 7 + b),
                y + 0.35 * np.sin(x / 10 + c) + 0.20 * np.sin(y / 8 + d),
            ]
        )
        if self.item.floor is not None:
            wobbled = points
        angle = np.radians(self.shot.lean)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        placed: Points = (wobbled @ turn) * self.unit_px + self.origin
        return placed

    def _window(self, points: Points, pad_px: float) -> tuple[slice, slice, Points]:
        """Give the part of the frame that surrounds the points, and its corner."""
        low = np.maximum(np.floor(points.min(axis=0) - pad_px), 0).astype(int)
        high = np.minimum(np.ceil(points.max(axis=0) + pad_px), (self.shot.width, self.shot.height)).astype(int)
        return slice(low[1], high[1]), slice(low[0], high[0]), low.astype(np.float64)

    def _lay(self, part: Part) -> None:
        outline = self._pixels(part.outline)
        rows, columns, corner = self._window(outline, 2 + 4 * part.lift * self.unit_px)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        if min(shape) < 1:
            return
        mask = _filled(outline - corner, shape)
        if part.within is not None:
            mask = mask * _filled(self._pixels(part.within) - corner, shape)
        if part.lift > 0:
            spread = part.lift * self.unit_px
            dark = _moved(_blurred(mask, 0.8 * spread), 0.5 * spread, 0.8 * spread)
            self.rgb[rows, columns] *= (1 - 0.5 * dark)[..., None]
        light, shine = self._light(part, mask, corner)
        colour = self._cloth(part, shape, corner)
        lit = _lit(colour, light * part.tone, shine * part.fabric.gloss)
        self.rgb[rows, columns] += (lit - self.rgb[rows, columns]) * mask[..., None]
        self.alpha[rows, columns] = np.maximum(self.alpha[rows, columns], mask)

    def _cloth(self, part: Part, shape: tuple[int, int], corner: Points) -> Field:
        y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
        angle = np.radians(self.shot.lean + part.turn)
        across = (x + np.float32(corner[0] - self.origin[0])) / np.float32(self.unit_px)
        down = (y + np.float32(corner[1] - self.origin[1])) / np.float32(self.unit_px)
        u = (across * np.cos(angle) + down * np.sin(angle)).astype(np.float32)
        v = (down * np.cos(angle) - across * np.sin(angle)).astype(np.float32)
        base = np.asarray(part.fabric.colour, dtype=np.float32) / 255
        pattern, weave = part.fabric.pattern, part.fabric.weave
        colour = pattern(u, v, base) if pattern else np.broadcast_to(base, (*shape, 3))
        return (colour * weave(u, v)[..., None]).astype(np.float32) if weave else colour.astype(np.float32)

    def _light(self, part: Part, mask: Field, corner: Points) -> tuple[Field, Field]:
        """Give diffuse light (1 on flat cloth) and highlight (0..1) for each pixel of the part's window."""
        scale = min(1.0, RELIEF_PX / self.unit_px)
        relief_px = self.unit_px * scale
        small = _resized(mask, (max(2, round(mask.shape[0] * scale)), max(2, round(mask.shape[1] * scale))))
        height = part.puff * (1.0 * _blurred(small, 1.1 * relief_px) + 3.0 * _blurred(small, 4.5 * relief_px))
        for fold in part.folds:
            height = height + self._ridge(fold, small.shape, corner, scale)
        if part.fabric.wrinkle > 0:
            for size, depth in ((1.4, 0.10), (4.5, 0.55)):
                noise = _blurred(self.rng.normal(0, 1, small.shape).astype(np.float32), size * relief_px)
                height = height + depth * part.fabric.wrinkle * noise / (float(noise.std()) + 1e-6)
        down, across = np.gradient(height * relief_px)
        normal = np.stack([-across, -down, np.ones_like(height)], axis=-1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        light = AMBIENT + (1 - AMBIENT) * np.maximum(normal @ LIGHT, 0) / LIGHT[2]
        shine = np.maximum(normal @ HALFWAY, 0) ** 40
        flat = float(HALFWAY[2]) ** 40
        shine = np.clip((shine - flat) / (1 - flat), 0, 1)
        return _resized(light.astype(np.float32), mask.shape), _resized(shine.astype(np.float32), mask.shape)

    def _ridge(self, fold: Fold, shape: tuple[int, ...], corner: Points, scale: float) -> Field:
        line = (self._pixels(fold.line) - corner) * scale
        width = fold.width * self.unit_px * scale
        taper = np.sin(np.linspace(0.12, np.pi - 0.12, len(line)))
        sheet = Image.new("L", (shape[1], shape[0]))
        pen = ImageDraw.Draw(sheet)
        for i in range(len(line) - 1):
            pen.line([*line[i], *line[i + 1]], fill=round(255 * taper[i]), width=max(1, round(width * 0.6)))
        blurred = _blurred(np.asarray(sheet, dtype=np.float32) / 255, 0.55 * width)
        peak = max(float(blurred.max()), 0.2)  # blurring flattens narrow folds: depth is what remains
        return (fold.depth / peak * blurred).astype(np.float32)

    def _mark(self, line: Line) -> None:
        strokes = [self._pixels(stroke) for stroke in line.strokes]
        if not strokes:
            return
        rows, columns, corner = self._window(np.vstack(strokes), 2 + line.width * self.unit_px)
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        if min(shape) < 1:
            return
        mask = _stroked([stroke - corner for stroke in strokes], line.width * self.unit_px, shape) * line.strength
        if line.within is not None:
            mask = mask * _filled(self._pixels(line.within) - corner, shape)
        there = self.rgb[rows, columns]
        paint = 0.35 * there if line.colour is None else np.asarray(line.colour, dtype=np.float32) / 255
        self.rgb[rows, columns] = there + (paint - there) * mask[..., None]


def _lit(colour: Field, light: Field, shine: Field) -> Field:
    """Light a colour: shadows darken and deepen it, light beyond 1 and shine whiten it."""
    dim = np.minimum(light, 1.0)[..., None]
    bright = np.clip(light - 1.0, 0, 1)[..., None]
    lit = colour ** (1 + 0.35 * (1 - dim)) * dim
    lit = lit + (1 - lit) * np.clip(0.45 * bright + 0.8 * shine[..., None], 0, 1)
    return np.asarray(lit, dtype=np.float32)


def _filled(points: Points, shape: tuple[int, ...]) -> Field:
    sheet = Image.new("L", (shape[1] * EDGE_SAMPLES, shape[0] * EDGE_SAMPLES))
    ImageDraw.Draw(sheet).polygon([(float(x), float(y)) for x, y in points * EDGE_SAMPLES], fill=255)
    return np.asarray(sheet.reduce(EDGE_SAMPLES), dtype=np.float32) / 255


def _stroked(strokes: list[Points], width_px: float, shape: tuple[int, ...]) -> Field:
    sheet = Image.new("L", (shape[1] * EDGE_SAMPLES, shape[0] * EDGE_SAMPLES))
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        places = [(float(x), float(y)) for x, y in stroke * EDGE_SAMPLES]
        pen.line(places, fill=255, width=max(2, round(width_px * EDGE_SAMPLES)), joint="curve")
    return np.asarray(sheet.reduce(EDGE_SAMPLES), dtype=np.float32) / 255


def _resized(field: Field, shape: tuple[int, ...]) -> Field:
    if field.shape == tuple(shape):
        return field
    image = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR), dtype=np.float32)


def _moved(field: Field, dx_px: float, dy_px: float) -> Field:
    """Move a field right and down by whole pixels; what comes in is 0."""
    dx, dy = round(dx_px), round(dy_px)
    moved = np.zeros_like(field)
    height, width = field.shape
    if dx < width and dy < height:
        moved[dy:, dx:] = field[: height - dy, : width - dx]
    return moved


def _blurred(field: NDArray[np.float32], sigma_px: float) -> Field:
    """Blur nearly as a Gaussian does: three box averages each way; edges are repeated."""
    if sigma_px > 8 and min(field.shape) > 4 * sigma_px:  # a wide blur has no detail: do it on a smaller copy
        small = tuple(max(2, round(side * 4 / sigma_px)) for side in field.shape)
        return _resized(_blurred(_resized(field, small), sigma_px * small[0] / field.shape[0]), field.shape)
    size = max(1, int(np.sqrt(4 * sigma_px**2 + 1)) | 1)
    out = field.astype(np.float32)
    if size == 1:
        return out
    for axis in (0, 1):
        for _ in range(3):
            pad = [(0, 0), (0, 0)]
            pad[axis] = (size // 2 + 1, size // 2)
            total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis, dtype=np.float64)
            first, last = (
                np.take(total, range(out.shape[axis]), axis),
                np.take(total, range(size, size + out.shape[axis]), axis),
            )
            out = ((last - first) / size).astype(np.float32)
    return out
