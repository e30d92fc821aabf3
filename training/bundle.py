"""Model bundles: what a bundle holds, its checks, and its form on disk.

A bundle is an int8 LiteRT artifact and a manifest that says everything a worker must know to use it: the labels
in the order of the outputs with their parents and thresholds, the input, the preprocessing, the temperature.
Owns the format and its checks. Leaves running the artifact to `classifier` and making it to `export`.
Imports the standard library only, so that commands which merely list models stay quick.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NoReturn, TypeAlias

from training.errors import TrainingError
from training.whole_files import write_whole_folder

FORMAT = 1
ARTIFACT_FILE = "model.tflite"
MANIFEST_FILE = "manifest.json"
BACKBONE_FILE = "backbone.npz"  # beside the two, for training alone: no worker reads it, no database holds it
MAX_ARTIFACT_BYTES = 10_000_000  # bundles travel in the database; a net of 294K parameters takes 0.3 MB
MAX_INPUT_SIDE = 1024  # pixels; far above any net that fits the artifact's limit, and bounds a batch's memory

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"


class BundleError(TrainingError):
    """A bundle that cannot be read, written or used; one line that says what and where."""


@dataclass(frozen=True)
class Label:
    """One thing the model can say. The threshold is the probability from which it may become a tag."""

    name: str
    parent: str | None
    threshold: float


@dataclass(frozen=True)
class Parent:
    """A group of labels. Its probability is the sum over its labels."""

    name: str
    threshold: float


@dataclass(frozen=True)
class InputSpec:
    """What the net takes: pixels of 8 bits, `channels` 1 (gray) or 3 (red, green, blue)."""

    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Manifest:
    """All that a bundle says about its artifact.

    `labels` stand in the order of the net's outputs. `other` names the label that means "none of them" and is
    never tagged. Probabilities are softmax(logits / `temperature`). `created_at` is ISO 8601 in UTC.
    """

    name: str
    attribute: str
    labels: tuple[Label, ...]
    parents: tuple[Parent, ...]
    other: str | None
    input: InputSpec
    preprocessing: str
    temperature: float
    metrics: Mapping[str, JsonValue]
    created_at: str


@dataclass(frozen=True)
class Bundle:
    """A manifest and its artifact. Made by `parse_bundle`, `read_bundle` or `pack_bundle`, which check it."""

    manifest: Manifest
    artifact: bytes = field(repr=False)

    @cached_property
    def manifest_json(self) -> str:
        """The manifest as canonical JSON: sorted keys, no spaces; it holds the artifact's SHA-256 and length."""
        return json.dumps(
            _manifest_as_json(self.manifest, self.artifact),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )

    @cached_property
    def sha256(self) -> str:
        """The bundle's identity, in hex: SHA-256 over `manifest_json`, and so over the artifact too."""
        return hashlib.sha256(self.manifest_json.encode()).hexdigest()


def pack_bundle(manifest: Manifest, artifact: bytes) -> Bundle:
    """A bundle of a freshly made manifest and artifact, after the same checks as when it is read."""
    document = json.dumps(_manifest_as_json(manifest, artifact), ensure_ascii=False)
    return parse_bundle(document, artifact)


def parse_bundle(manifest_json: str, artifact: bytes) -> Bundle:
    """A checked bundle from the text of its manifest and the bytes of its artifact.

    Raises BundleError where format, names, thresholds, temperature, length or SHA-256 do not hold.
    """
    try:
        document = json.loads(manifest_json, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{MANIFEST_FILE} is not JSON: {error}") from None
    root = _Reader(document, "manifest")
    version = root.integer("format", 1, 2**31)
    if version != FORMAT:
        raise BundleError(f"bundle format {version} is not known here, this version reads format {FORMAT}")
    _check_artifact(root.child("artifact"), artifact)
    bundle = Bundle(_manifest_from(root), artifact)
    try:
        bundle.manifest_json.encode()
    except ValueError as error:  # a number that is none (1e999), or half a character
        raise BundleError(f"{MANIFEST_FILE} cannot be kept: {error}") from None
    return bundle


def read_bundle(folder: Path) -> Bundle:
    """The bundle in `folder`. Raises BundleError, with the folder in its text, where there is no good one."""
    try:
        manifest_json = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
        with (folder / ARTIFACT_FILE).open("rb") as file:
            artifact = file.read(MAX_ARTIFACT_BYTES + 1)
    except UnicodeDecodeError:
        raise BundleError(f"{folder}: {MANIFEST_FILE} is not UTF-8") from None
    except OSError as error:
        name = Path(error.filename).name if error.filename else MANIFEST_FILE
        raise BundleError(f"{folder} is not a bundle: {name}: {error.strerror}") from None
    try:
        return parse_bundle(manifest_json, artifact)
    except BundleError as error:
        raise BundleError(f"{folder}: {error}") from None


def read_backbone_file(folder: Path) -> bytes | None:
    """What lies beside a bundle for other nets to start from, or None. Raises BundleError where it cannot be read."""
    try:
        return (folder / BACKBONE_FILE).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"{folder / BACKBONE_FILE}: {error.strerror}") from None


def check_name(name: str) -> None:
    """Raise BundleError where a new bundle cannot be called so: it stands in lines of text and in tables."""
    if not name.strip() or not name.isprintable():
        raise BundleError(f"a bundle cannot be named {name!r}: give it another --name, of characters that can be seen")


def check_destination(folder: Path) -> None:
    """Raise BundleError where `folder` is there and holds anything that no bundle has: it will be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise BundleError(f"{folder} is there and is not a bundle; it is left as it is")
    names = {path.name for path in folder.iterdir()}
    others = sorted(names - {MANIFEST_FILE, ARTIFACT_FILE, BACKBONE_FILE})
    if others:
        raise BundleError(f"{folder} holds {others[0]!r}, which is of no bundle; it is left as it is")
    if names and not {MANIFEST_FILE, ARTIFACT_FILE} <= names:
        raise BundleError(f"{folder} is there and is not a bundle; it is left as it is")


def write_bundle(bundle: Bundle, folder: Path, *, backbone: bytes | None = None) -> None:
    """Write `bundle`, and a `backbone` beside it, as `folder`, whole or not at all; an older bundle is replaced.

    Raises BundleError where `folder` holds something that is no bundle, or cannot be written.
    """
    check_destination(folder)
    document = _manifest_as_json(bundle.manifest, bundle.artifact)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        with write_whole_folder(folder) as new:
            (new / ARTIFACT_FILE).write_bytes(bundle.artifact)
            (new / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")
            if backbone is not None:
                (new / BACKBONE_FILE).write_bytes(backbone)
    except OSError as error:
        raise BundleError(f"{folder.resolve()} cannot be written: {error.strerror}") from None


def shipped_folder(name: str = "default") -> Path:
    """Where the bundle that comes with the package, or another one of those that do, lies."""
    return Path(__file__).parent / "bundles" / name


def shipped_bundle() -> Bundle:
    """The bundle that comes with the package, and tags where nobody chose another one."""
    return read_bundle(shipped_folder())


def open_bundle(given: Path) -> Bundle:
    """The bundle in the folder `given`, or of this name among those that come with the package.

    Raises BundleError where neither is a good one.
    """
    try:
        is_there = given.exists()
    except OSError as error:
        raise BundleError(f"{given} is not a bundle: {error.strerror}") from None
    if is_there:
        return read_bundle(given)
    names = sorted(folder.name for folder in shipped_folder().parent.iterdir() if (folder / MANIFEST_FILE).is_file())
    if str(given) not in names:
        raise BundleError(f"{given} is not a bundle: no such folder; with hangtag come {', '.join(names)}")
    return read_bundle(shipped_folder(given.name))


class _Reader:
    """Takes typed values out of parsed JSON, and says where it stands when one is not as it must be."""

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            raise BundleError(f"{where} must be an object")
        self.values: dict[str, object] = value

    def take(self, key: str) -> object:
        if key not in self.values:
            raise BundleError(f"{self.where} has no {key!r}")
        return self.values[key]

    def fail(self, key: str, expected: str) -> NoReturn:
        raise BundleError(f"{self.where}: {key!r} must be {expected}, not {self.values[key]!r}")

    def text(self, key: str) -> str:
        value = self.take(key)
        if not isinstance(value, str) or not value.strip():
            self.fail(key, "a text that is not empty")
        return value

    def text_or_none(self, key: str) -> str | None:
        return None if self.take(key) is None else self.text(key)

    def number(self, key: str, low: float, high: float) -> float:
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.fail(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.fail(key, f"a whole number from {low} to {high}")
        return value

    def child(self, key: str) -> _Reader:
        return _Reader(self.take(key), f"{self.where}.{key}")

    def children(self, key: str) -> list[_Reader]:
        value = self.take(key)
        if not isinstance(value, list):
            self.fail(key, "a list")
        return [_Reader(item, f"{self.where}.{key}[{index}]") for index, item in enumerate(value)]


def _check_artifact(entry: _Reader, artifact: bytes) -> None:
    if len(artifact) > MAX_ARTIFACT_BYTES:
        raise BundleError(f"the artifact is larger than {MAX_ARTIFACT_BYTES:,} bytes")
    if entry.text("file") != ARTIFACT_FILE:
        entry.fail("file", repr(ARTIFACT_FILE))
    expected_bytes = entry.integer("bytes", 1, 2**63)
    if len(artifact) != expected_bytes:
        raise BundleError(f"the artifact has {len(artifact):,} bytes, its manifest says {expected_bytes:,}")
    if hashlib.sha256(artifact).hexdigest() != entry.text("sha256"):
        raise BundleError("the artifact's SHA-256 is not the one in its manifest")


def _manifest_from(root: _Reader) -> Manifest:
    parents = tuple(Parent(p.text("name"), p.number("threshold", 0, 1)) for p in root.children("parents"))
    labels = tuple(
        Label(label.text("name"), label.text_or_none("parent"), label.number("threshold", 0, 1))
        for label in root.children("labels")
    )
    other = root.text_or_none("other")
    _check_names(labels, parents, other)
    spec = root.child("input")
    side = MAX_INPUT_SIDE
    channels = spec.integer("channels", 1, 3)
    if channels == 2:  # noqa: PLR2004 - neither gray nor colour
        spec.fail("channels", "1 or 3")
    metrics = root.child("metrics").values
    return Manifest(
        name=root.text("name"),
        attribute=root.text("attribute"),
        labels=labels,
        parents=parents,
        other=other,
        input=InputSpec(spec.integer("height", 1, side), spec.integer("width", 1, side), channels),
        preprocessing=root.text("preprocessing"),
        temperature=root.number("temperature", 1e-3, 1e3),
        metrics=metrics,  # type: ignore[arg-type] # parsed JSON by construction
        created_at=_checked_time(root),
    )


def _check_names(labels: Sequence[Label], parents: Sequence[Parent], other: str | None) -> None:
    if len(labels) < 2:  # noqa: PLR2004 - softmax over one label says nothing
        raise BundleError("a bundle needs at least two labels")
    names = [label.name for label in labels] + [parent.name for parent in parents]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BundleError(f"names of labels and parents must differ, these stand twice: {', '.join(repeated)}")
    known = {parent.name for parent in parents}
    for label in labels:
        if label.parent is not None and label.parent not in known:
            raise BundleError(f"label {label.name!r} names the parent {label.parent!r}, which is not listed")
    if other is not None and other not in {label.name for label in labels}:
        raise BundleError(f"'other' names {other!r}, which is no label")


def _checked_time(root: _Reader) -> str:
    text = root.text("created_at")
    try:
        offset = datetime.fromisoformat(text).utcoffset()
    except ValueError:
        root.fail("created_at", "a time in ISO 8601")
    if offset is None or offset.total_seconds() != 0:
        root.fail("created_at", "a time in UTC")
    return text


def _manifest_as_json(manifest: Manifest, artifact: bytes) -> dict[str, object]:
    return {
        "format": FORMAT,
        "name": manifest.name,
        "attribute": manifest.attribute,
        "labels": [
            {"name": label.name, "parent": label.parent, "threshold": label.threshold} for label in manifest.labels
        ],
        "parents": [{"name": parent.name, "threshold": parent.threshold} for parent in manifest.parents],
        "other": manifest.other,
        "input": {
            "height": manifest.input.height,
            "width": manifest.input.width,
            "channels": manifest.input.channels,
        },
        "preprocessing": manifest.preprocessing,
        "temperature": manifest.temperature,
        "metrics": manifest.metrics,
        "created_at": manifest.created_at,
        "artifact": {
            "file": ARTIFACT_FILE,
            "sha256": hashlib.sha256(artifact).hexdigest(),
            "bytes": len(artifact),
        },
    }


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
