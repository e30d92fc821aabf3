"""Small batches of training images, each made by a process of its own from what the batch itself holds.

Owns what one image of each part of the mixture is made from: scenes, cut-outs, changed photos, drawings. A batch can
be pickled and knows the numbers of its images; the seed and such a number alone decide what an image shows, so that
neither the number of processes nor a making that was broken off changes a pixel. Leaves processes, files and how much
there is of what to `mixture`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from training.bundle import BundleError, InputSpec, Manifest
from training.casual_photos import MAX_PIXELS, OTHER, CasualPhoto, decode_casual_photo, read_bytes, vary_photo
from training.data_sets import Images, LabelledImages, Targets
from training.decoding import ImageError, Pixels
from training.drawing.chance import happens
from training.drawing.drawn_items import draw_backpack, draw_flip_flops
from training.drawing.drawn_shoes import draw_ankle_boot, draw_sneaker
from training.drawing.drawn_things import draw_thing
from training.drawing.garments import ANKLE_BOOT, BAG, SANDAL, SNEAKER, WEARABLE, cut_out, dress_image, find_silhouettes
from training.drawing.scenes import draw_scene
from training.errors import TrainingError
from training.item_view import view_negatives
from training.preprocessing import PREPROCESSINGS, prepare_photo

PREPROCESSING = "item-view/1"
CUT_PX = 96  # photos are cut at up to twice that; finer threads only fray the cut
COLOUR_CHANNELS = 3

# How often somebody wears what can be worn, and how often the ground is white: as in shops rather than in homes.
WORN_SHARE, WORN_ON_WHITE, LAID_ON_WHITE = 0.7, 0.75, 0.55
CUT_WORN_SHARE, CUT_ON_WHITE = 0.75, 0.8  # at home they were photographed, so these show them elsewhere
DRAWN_ON_WHITE = 0.7

Made: TypeAlias = tuple[Images, Targets]


@dataclass(frozen=True)
class Setting:
    """What every batch needs to know: the seed of all chance, and what the net takes."""

    seed: int
    spec: InputSpec

    def start_chance(self, part: str, number: int) -> Generator:
        """The chance of one image, by the part that it belongs to and its number in there."""
        return np.random.default_rng([self.seed, zlib.crc32(part.encode()), number])

    def view(self, photo: Pixels) -> Pixels:
        """The net's input of a photo."""
        return PREPROCESSINGS[PREPROCESSING].apply(photo, self.spec)

    def stack(self, images: Sequence[Pixels], targets: Sequence[int] | Targets) -> Made:
        """Images and targets as arrays, also where there are none."""
        shape = (len(images), self.spec.height, self.spec.width, self.spec.channels)
        return np.array(images, np.uint8).reshape(shape), np.array(targets, np.int64)


class Batch(Protocol):
    """Some images of a part, to be made; `count` is how many things they are made from."""

    @property
    def count(self) -> int:
        """Images of Fashion-MNIST, photos, or drawings."""

    def make(self, setting: Setting) -> Made:
        """The images, uint8 (n, height, width, channels), and their targets, int64 (n,)."""


@dataclass(frozen=True)
class ScaledBatch:
    """Images of Fashion-MNIST as they are, at the net's size."""

    images: NDArray[np.uint8]  # (n, rows, columns)
    targets: Targets

    @property
    def count(self) -> int:
        """Images."""
        return len(self.targets)

    def make(self, setting: Setting) -> Made:
        """Each image scaled up by bicubic interpolation; all channels are the same."""
        spec = setting.spec
        size = (spec.width, spec.height)
        scaled = [np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)) for image in self.images]
        gray, targets = setting.stack([], []) if not scaled else (np.stack(scaled)[..., None], self.targets)
        return np.repeat(view_negatives(gray), spec.channels, axis=3), targets


def scale_images(data: LabelledImages, spec: InputSpec) -> LabelledImages:
    """Images of Fashion-MNIST, uint8 (n, rows, columns, 1), as a net with "item-view/1" takes them."""
    return LabelledImages(*ScaledBatch(data.images[..., 0], data.targets).make(Setting(0, spec)))


def show_images(data: LabelledImages, manifest: Manifest) -> LabelledImages:
    """Images of Fashion-MNIST, uint8 (n, 28, 28, 1), as a net takes them; raises BundleError where it cannot."""
    spec = manifest.input
    if manifest.preprocessing == PREPROCESSING:
        return scale_images(data, spec)
    if (spec.height, spec.width, spec.channels) == data.images.shape[1:]:
        return data  # "flat-field/1" turns photos into what these are
    raise BundleError(f"{manifest.name} has the preprocessing {manifest.preprocessing}, made for photos alone")


@dataclass(frozen=True)
class SceneBatch:
    """`scenes` scenes of each image of Fashion-MNIST from number `first` on."""

    images: NDArray[np.uint8]  # (n, rows, columns)
    targets: Targets
    first: int
    scenes: int
    part: str = "scenes"

    @property
    def count(self) -> int:
        """Images."""
        return len(self.targets)

    def make(self, setting: Setting) -> Made:
        """The scenes, each as the preprocessing sees it."""
        masks = find_silhouettes(self.images)
        scenes = []
        for place, (image, mask, target) in enumerate(zip(self.images, masks, self.targets.tolist(), strict=True)):
            rng = setting.start_chance(self.part, self.first + place)
            for _ in range(self.scenes):
                worn = target in WEARABLE and happens(WORN_SHARE, rng)
                on_white = happens(WORN_ON_WHITE if worn else LAID_ON_WHITE, rng)
                garment = dress_image(image, mask, target, rng)
                scenes.append(setting.view(draw_scene(garment, rng, worn=worn, on_white=on_white)))
        return setting.stack(scenes, np.repeat(self.targets, self.scenes))


@dataclass(frozen=True)
class CasualBatch:
    """Photos taken at home from number `first` on: each as it is, and `variants` times changed."""

    photos: Sequence[CasualPhoto]
    first: int
    variants: int

    @property
    def count(self) -> int:
        """Photos."""
        return len(self.photos)

    def make(self, setting: Setting) -> Made:
        """Photo after photo, the unchanged one first, exactly as a worker will see it."""
        images, targets = [], []
        for place, photo in enumerate(self.photos):
            rng = setting.start_chance("casual", self.first + place)
            images.append(_prepare(photo, setting.spec))
            if self.variants:
                pixels = decode_casual_photo(photo)
                images += [setting.view(vary_photo(pixels, rng)) for _ in range(self.variants)]
            targets += [photo.target] * (1 + self.variants)
        return setting.stack(images, targets)


def _prepare(photo: CasualPhoto, spec: InputSpec) -> Pixels:
    try:
        return prepare_photo(read_bytes(photo), spec, PREPROCESSING, max_pixels=MAX_PIXELS)
    except ImageError as error:
        raise TrainingError(f"{photo.path}: {error.reason}") from None


@dataclass(frozen=True)
class CutOutBatch:
    """`scenes` scenes of the item of each photo from number `first` on, where it can be cut out."""

    photos: Sequence[CasualPhoto]
    first: int
    scenes: int

    @property
    def count(self) -> int:
        """Photos."""
        return len(self.photos)

    def make(self, setting: Setting) -> Made:
        """The scenes, each in other colours; none of a photo whose item cannot be told from its background."""
        images, targets = [], []
        for place, photo in enumerate(self.photos):
            garment = cut_out(decode_casual_photo(photo, working_px=CUT_PX), photo.target)
            if garment is None:
                continue
            rng = setting.start_chance("cut_outs", self.first + place)
            for _ in range(self.scenes):
                worn = photo.target in WEARABLE and happens(CUT_WORN_SHARE, rng)
                scene = draw_scene(garment.recolour(rng), rng, worn=worn, on_white=happens(CUT_ON_WHITE, rng))
                images.append(setting.view(scene))
                targets.append(photo.target)
        return setting.stack(images, targets)


@dataclass(frozen=True)
class ThingBatch:
    """Drawn things that are none of the ten labels: the numbers from `first` on."""

    first: int
    count: int
    part: str = "things"

    def make(self, setting: Setting) -> Made:
        """The drawings, as the preprocessing sees them."""
        images = []
        for number in range(self.first, self.first + self.count):
            rng = setting.start_chance(self.part, number)
            images.append(setting.view(draw_thing(rng, on_white=happens(DRAWN_ON_WHITE, rng))))
        return setting.stack(images, [OTHER] * self.count)


# In turn: shops show a backpack as often as a flip-flop, and sneakers more often than either.
DRAWINGS = (
    (draw_backpack, BAG),
    (draw_flip_flops, SANDAL),
    (draw_sneaker, SNEAKER),
    (draw_backpack, BAG),
    (draw_flip_flops, SANDAL),
    (draw_sneaker, SNEAKER),
    (draw_ankle_boot, ANKLE_BOOT),
    (draw_sneaker, SNEAKER),
)


@dataclass(frozen=True)
class DrawnBatch:
    """Drawn bags and shoes, in the turn of DRAWINGS, from number `first` on."""

    first: int
    count: int

    def make(self, setting: Setting) -> Made:
        """The drawings, as the preprocessing sees them."""
        images, targets = [], []
        for number in range(self.first, self.first + self.count):
            rng = setting.start_chance("drawn", number)
            draw, target = DRAWINGS[number % len(DRAWINGS)]
            images.append(setting.view(draw(rng, on_white=happens(DRAWN_ON_WHITE, rng))))
            targets.append(target)
        return setting.stack(images, targets)
