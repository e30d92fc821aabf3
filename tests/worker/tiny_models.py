"""Three tiny nets that say all kinds of things of drawn photos, as bundles and as the plain rules want them."""

from dataclasses import replace
from functools import cache
from io import BytesIO
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.training.nets import build_net, describe
from tests.worker.plain_rules import PlainModel
from training.bundle import Bundle, InputSpec, Label, Parent, pack_bundle
from training.classifier import Classifier
from training.export import convert_to_int8
from training.preprocessing import ImageError, prepare_photo

SPEC = InputSpec(12, 12, 3)
LABELS = {"Cap": "Headwear", "Beret": "Headwear", "Scarf": "Knitwear", "Glove": "Knitwear", "Belt": None, "other": None}
PARENTS = ("Headwear", "Knitwear")
THRESHOLDS = {
    "Cap": 0.6, "Beret": 0.7, "Scarf": 0.6, "Glove": 0.65, "Belt": 0.6, "other": 0.5, "Headwear": 0.7, "Knitwear": 0.6,
}  # fmt: skip
MAX_PIXELS = 100_000
TEMPERATURE = 0.5  # sure of every second photo


def draw_photo(number: int) -> bytes:
    """A small PNG of coloured rectangles, another one for each number."""
    chance = Random(number)

    def colour() -> tuple[int, int, int]:
        return chance.randrange(256), chance.randrange(256), chance.randrange(256)

    picture = Image.new("RGB", (24, 32), colour())
    pen = ImageDraw.Draw(picture)
    for _ in range(3):
        left, top = chance.randrange(16), chance.randrange(24)
        pen.rectangle((left, top, left + chance.randrange(4, 14), top + chance.randrange(4, 14)), fill=colour())
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


@cache
def tiny_bundle(name: str, seed: int) -> Bundle:
    """An untrained net whose last layer is set so that each label is the best of some photos."""
    photos = np.stack([_prepare(draw_photo(1_000_000 + number)) for number in range(100)])
    net = build_net(SPEC, labels=len(LABELS), seed=seed)
    kernel, bias = net.layers[-1].get_weights()
    net.layers[-1].set_weights([kernel, np.zeros_like(bias)])
    logits = np.asarray(net(photos.astype(np.float32)))
    kernel *= 1.5 / logits.std(axis=0)
    net.layers[-1].set_weights([kernel, -(logits * 1.5 / logits.std(axis=0)).mean(axis=0)])
    manifest = replace(
        describe(SPEC, labels=len(LABELS), temperature=TEMPERATURE),
        name=name,
        labels=tuple(Label(label, parent, THRESHOLDS[label]) for label, parent in LABELS.items()),
        parents=tuple(Parent(parent, THRESHOLDS[parent]) for parent in PARENTS),
        other="other",
    )
    return pack_bundle(manifest, convert_to_int8(net, photos))


def plain_model(bundle: Bundle) -> PlainModel:
    """The same as the plain rules want it; each content is asked for once."""
    classifier = Classifier(bundle)

    @cache
    def answer(content: bytes) -> list[float] | None:
        try:
            pixels = _prepare(content)
        except ImageError:
            return None
        answers: list[float] = classifier.classify(pixels[np.newaxis])[0].tolist()
        return answers

    return PlainModel(bundle.manifest.name, LABELS, "other", dict(THRESHOLDS), answer)


def _prepare(data: bytes) -> NDArray[np.uint8]:
    return prepare_photo(data, SPEC, "flat-field/1", max_pixels=MAX_PIXELS)
