"""What a training starts from: the input and perhaps the backbone of a bundle that is there.

Owns the choice and its reading from a folder. Leaves what is inside a backbone to `backbone`. Imports no TensorFlow,
so that photos are decoded before it is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.bundle import BACKBONE_FILE, BundleError, Manifest, read_backbone_file, read_bundle, shipped_folder
from training.errors import TrainingError

NOTHING = "nothing"


@dataclass(frozen=True)
class Backbone:
    """Weights of a net without its last layer, float16 in the bytes of an .npz, and the architecture's name."""

    architecture: str
    content: bytes

    @property
    def sha256(self) -> str:
        """Its identity, in hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Start:
    """The manifest whose input and attribute the new net takes, and its backbone, if any, which says what net it is."""

    manifest: Manifest
    backbone: Backbone | None


def read_start(chosen: str | None, *, default: Path | None = None) -> Start:
    """What the bundle in the folder `chosen` gives; with None the one that comes with the package, or `default`.

    "nothing" takes only the input of that one. Raises TrainingError where the folder has no
    bundle, or no backbone though it was asked for.
    """
    folder = (default or shipped_folder()) if chosen in (None, NOTHING) else Path(str(chosen))
    manifest = read_bundle(folder).manifest
    content = None if chosen == NOTHING else read_backbone_file(folder)
    if content is None and chosen not in (None, NOTHING):
        raise BundleError(f"{folder} has no {BACKBONE_FILE} to start from; --from {NOTHING} needs none")
    return Start(manifest, None if content is None else Backbone(read_architecture(manifest), content))


def read_architecture(manifest: Manifest) -> str:
    """The name of the net in a bundle. Raises TrainingError where the manifest does not say it."""
    recipe = manifest.metrics.get("recipe")
    name = recipe.get("architecture") if isinstance(recipe, Mapping) else None
    if not isinstance(name, str):
        raise TrainingError(f"the manifest of {manifest.name} does not say what net it has (metrics, recipe)")
    return name
