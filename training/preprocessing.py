"""The named, versioned preprocessings that bundles refer to.

A net is only as good as what it is shown, so the preprocessing belongs to the model: a manifest names it, and
training, evaluation and workers all call `prepare_photo`. A name that was ever shipped keeps its meaning; what
changes a pixel gets a new version. Leaves bytes to `decoding` and running the net to `classifier`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from training.bundle import BundleError, InputSpec
from training.decoding import FORMATS, CostlyPhotoError, ImageError, Pixels, decode_photo
from training.flat_field import flatten_field
from training.item_view import view_item

__all__ = ["FORMATS", "PREPROCESSINGS", "CostlyPhotoError", "ImageError", "check_preprocessing", "prepare_photo"]


@dataclass(frozen=True)
class Preprocessing:
    """`apply` turns an upright photo into the net's input; it wants `oversampling` times the net's side to work on."""

    apply: Callable[[Pixels, InputSpec], Pixels]
    oversampling: float

    def decode(self, data: bytes, spec: InputSpec, *, max_pixels: int, only_light: bool = False) -> Pixels:
        """The upright photo that `apply` takes, from a file's bytes; raises what `decode_photo` raises."""
        working_px = round(self.oversampling * max(spec.height, spec.width))
        return decode_photo(data, working_px=working_px, max_pixels=max_pixels, only_light=only_light)


PREPROCESSINGS: Mapping[str, Preprocessing] = {
    "flat-field/1": Preprocessing(flatten_field, oversampling=2),
    # 1.6 of 40 pixels: 400x533 is decoded at an eighth, four times as quick as at a quarter.
    "item-view/1": Preprocessing(view_item, oversampling=1.6),
}


def prepare_photo(data: bytes, spec: InputSpec, preprocessing: str, *, max_pixels: int) -> Pixels:
    """The net's input, uint8 (height, width, channels), of a photo's bytes.

    Raises ImageError where the photo cannot be used, BundleError where the preprocessing is not known here.
    """
    check_preprocessing(preprocessing)
    chosen = PREPROCESSINGS[preprocessing]
    return chosen.apply(chosen.decode(data, spec, max_pixels=max_pixels), spec)


def check_preprocessing(name: str) -> None:
    """Raise BundleError unless `name` is a preprocessing of this version of the package."""
    if name not in PREPROCESSINGS:
        known = ", ".join(sorted(PREPROCESSINGS))
        raise BundleError(f"preprocessing {name!r} is not known here; this version has {known}")
