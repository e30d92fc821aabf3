import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training.bundle import (
    MAX_ARTIFACT_BYTES,
    Bundle,
    BundleError,
    InputSpec,
    Label,
    Manifest,
    Parent,
    check_name,
    open_bundle,
    pack_bundle,
    parse_bundle,
    read_bundle,
    shipped_bundle,
    write_bundle,
)
from training.classifier import Classifier
from training.data_sets import FASHION_MNIST_LABELS
from training.image_batches import PREPROCESSING
from training.mixture import MIXTURE_LABELS
from training.shipped import SPEC

ARTIFACT = b"any bytes will do for a bundle"
MANIFEST = Manifest(
    name="shop-7",
    attribute="category",
    labels=(Label("Kleid «Sommer»", "Dresses", 0.9), Label("Hat", None, 0.75), Label("None", None, 1.0)),
    parents=(Parent("Dresses", 0.8),),
    other="None",
    input=InputSpec(64, 48, 3),
    preprocessing="flat-field/1",
    temperature=1.25,
    metrics={"test": {"accuracy": 0.9}, "notes": ["a", None, True]},
    created_at="2026-01-02T03:04:05+00:00",
)


@pytest.fixture
def bundle() -> Bundle:
    return pack_bundle(MANIFEST, ARTIFACT)


def test_a_bundle_comes_back_from_disk_as_it_was(bundle: Bundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path / "deep" / "shop")

    read = read_bundle(tmp_path / "deep" / "shop")

    assert read.manifest == MANIFEST
    assert read.artifact == ARTIFACT
    assert read.sha256 == bundle.sha256
    assert sorted(path.name for path in (tmp_path / "deep").rglob("*")) == ["manifest.json", "model.tflite", "shop"]


def test_a_bundle_comes_back_from_its_texts_as_it_was(bundle: Bundle) -> None:
    parsed = parse_bundle(bundle.manifest_json, ARTIFACT)

    assert parsed == bundle
    assert parsed.manifest_json == bundle.manifest_json
    assert json.loads(bundle.manifest_json)["artifact"]["bytes"] == len(ARTIFACT)


def test_the_identity_covers_manifest_and_artifact(bundle: Bundle) -> None:
    others = [
        pack_bundle(replace(MANIFEST, temperature=1.26), ARTIFACT),
        pack_bundle(
            replace(MANIFEST, labels=(replace(MANIFEST.labels[0], threshold=0.91), *MANIFEST.labels[1:])), ARTIFACT
        ),
        pack_bundle(MANIFEST, ARTIFACT + b"!"),
    ]

    assert len({bundle.sha256, *(other.sha256 for other in others)}) == 4


def test_writing_replaces_an_older_bundle_and_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path / "b")
    write_bundle(pack_bundle(replace(MANIFEST, name="shop-8"), ARTIFACT), tmp_path / "b")
    assert read_bundle(tmp_path / "b").manifest.name == "shop-8"
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.jpg", r"holds 'a.jpg', which is of no bundle; it is left as it is"),
        ("manifest.json", r"is there and is not a bundle; it is left as it is"),
    ],
)
def test_a_folder_of_something_else_is_left(bundle: Bundle, tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_bytes(b"mine")

    with pytest.raises(BundleError, match=message):
        write_bundle(bundle, tmp_path / "mine")
    assert (tmp_path / "mine" / name).read_bytes() == b"mine"


def test_what_lies_beside_a_bundle_is_not_taken_away_with_it(bundle: Bundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path / "b")
    (tmp_path / "b" / "notes.txt").write_text("mine")

    with pytest.raises(BundleError, match=r"holds 'notes.txt', which is of no bundle"):
        write_bundle(bundle, tmp_path / "b")
    assert (tmp_path / "b" / "notes.txt").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_line(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(BundleError, match="cannot be written") as caught:
        write_bundle(bundle, tmp_path / "file" / "b")
    assert "\n" not in str(caught.value)


def change(keys: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Sets the value at the dotted `keys`; numbers are places in lists."""

    def apply(document: dict[str, Any]) -> None:
        *path, last = [int(key) if key.isdigit() else key for key in keys.split(".")]
        target: Any = document
        for key in path:
            target = target[key]
        if value is ...:
            del target[last]
        else:
            target[last] = value

    return apply


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (change("format", 2), "bundle format 2 is not known here"),
        (change("format", "1"), "'format' must be a whole number"),
        (change("name", ""), "'name' must be a text that is not empty"),
        (change("name", ...), "manifest has no 'name'"),
        (change("labels", {}), "'labels' must be a list"),
        (change("labels", [{"name": "a", "parent": None, "threshold": 1}]), "at least two labels"),
        (change("labels.0.threshold", 1.5), r"manifest.labels\[0\]: 'threshold' must be a number from 0 to 1"),
        (change("labels.0.threshold", True), "'threshold' must be a number"),
        (change("labels.1", "Hat"), r"manifest.labels\[1\] must be an object"),
        (change("labels.1.name", "None"), "stand twice: None"),
        (change("labels.1.name", "Dresses"), "stand twice: Dresses"),
        (change("labels.0.parent", "Skirts"), "names the parent 'Skirts', which is not listed"),
        (change("parents.0.threshold", -0.1), r"manifest.parents\[0\]: 'threshold'"),
        (change("other", "Watch"), "'other' names 'Watch', which is no label"),
        (change("input.channels", 2), "'channels' must be 1 or 3"),
        (change("input.height", 0), "'height' must be a whole number from 1"),
        (change("input", None), "manifest.input must be an object"),
        (change("temperature", 0), "'temperature' must be a number from"),
        (change("metrics", []), "manifest.metrics must be an object"),
        (change("created_at", "yesterday"), "'created_at' must be a time in ISO 8601"),
        (change("created_at", "2026-01-02T03:04:05"), "'created_at' must be a time in UTC"),
        (change("created_at", "2026-01-02T03:04:05+02:00"), "'created_at' must be a time in UTC"),
        (change("artifact.sha256", "0" * 64), "SHA-256 is not the one in its manifest"),
        (change("artifact.bytes", 12), "has 30 bytes, its manifest says 12"),
        (change("artifact.file", "../../etc/passwd"), "'file' must be 'model.tflite'"),
        (change("preprocessing", 1), "'preprocessing' must be a text"),
    ],
)
def test_a_manifest_that_does_not_hold_is_refused(
    bundle: Bundle, damage: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = json.loads(bundle.manifest_json)
    damage(document)

    with pytest.raises(BundleError, match=message) as caught:
        parse_bundle(json.dumps(document), ARTIFACT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "temperature": NaN}', "[" * 100_000])
def test_a_manifest_that_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match="manifest"):
        parse_bundle(text, ARTIFACT)


@pytest.mark.parametrize(
    ("there", "instead"), [('"name": "', '"name": "\\ud800'), ('"metrics": {', '"metrics": {"x": 1e999, ')]
)
def test_a_manifest_that_could_not_be_written_again_is_refused(bundle: Bundle, there: str, instead: str) -> None:
    text = json.dumps(json.loads(bundle.manifest_json))
    assert there in text
    with pytest.raises(BundleError, match="cannot be kept"):
        parse_bundle(text.replace(there, instead, 1), ARTIFACT)


@pytest.mark.parametrize("name", ["", " ", "two\nlines", "f\udce4t"])
def test_a_new_bundle_has_a_name_that_can_be_read(name: str) -> None:
    with pytest.raises(BundleError, match="a bundle cannot be named") as caught:
        check_name(name)
    assert str(caught.value).isprintable()


def test_a_path_that_no_file_can_have_is_no_bundle() -> None:
    with pytest.raises(BundleError, match=r"is not a bundle: File name too long"):
        open_bundle(Path("x" * 300))


def test_an_artifact_of_more_than_ten_megabytes_is_refused() -> None:
    pack_bundle(MANIFEST, b"x" * MAX_ARTIFACT_BYTES)
    with pytest.raises(BundleError, match="larger than 10,000,000 bytes"):
        pack_bundle(MANIFEST, b"x" * (MAX_ARTIFACT_BYTES + 1))


def test_what_is_no_bundle_is_refused_with_its_folder(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere is not a bundle: manifest.json: No such file"):
        read_bundle(tmp_path / "nowhere")
    write_bundle(bundle, tmp_path / "b")
    (tmp_path / "b" / "model.tflite").write_bytes(ARTIFACT[:-1])
    with pytest.raises(BundleError, match=r"b: the artifact has 29 bytes, its manifest says 30"):
        read_bundle(tmp_path / "b")
    (tmp_path / "b" / "model.tflite").unlink()
    with pytest.raises(BundleError, match=r"model.tflite: No such file"):
        read_bundle(tmp_path / "b")
    (tmp_path / "b" / "manifest.json").write_bytes(b"\xff\xfe")
    (tmp_path / "b" / "model.tflite").write_bytes(ARTIFACT)
    with pytest.raises(BundleError, match="not UTF-8"):
        read_bundle(tmp_path / "b")


def test_a_bundle_of_the_package_goes_by_its_name_and_a_folder_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    second = open_bundle(Path("fashion-mnist"))
    assert [(label.name, label.parent) for label in second.manifest.labels] == list(FASHION_MNIST_LABELS)
    assert open_bundle(Path("default")).sha256 == shipped_bundle().sha256
    for given in ("fashion-mnist/", "./fashion-mnist"):
        assert open_bundle(Path(given)).sha256 == second.sha256
    for given in ("nothing", "elsewhere/fashion-mnist", "../bundles", "."):
        with pytest.raises(BundleError, match="is not a bundle"):
            open_bundle(Path(given))
    with pytest.raises(
        BundleError, match=r"^fashion-mnsit is not a bundle: no such folder; with hangtag come default, fashion-mnist$"
    ):
        open_bundle(Path("fashion-mnsit"))

    write_bundle(pack_bundle(MANIFEST, ARTIFACT), tmp_path / "fashion-mnist")
    assert open_bundle(Path("fashion-mnist")).manifest.name == "shop-7"


def test_the_second_bundle_is_of_a_net_that_is_right_on_fashion_mnist() -> None:
    metrics = open_bundle(Path("fashion-mnist")).manifest.metrics
    test = metrics["test"]
    assert isinstance(test, dict)
    assert test["images"] == 10_000
    assert test["accuracy"] >= 0.94


def test_the_shipped_bundle_is_the_one_the_recipe_makes() -> None:
    bundle = shipped_bundle()

    assert [(label.name, label.parent) for label in bundle.manifest.labels] == list(MIXTURE_LABELS)
    assert bundle.manifest.other == "other"
    assert {parent.name for parent in bundle.manifest.parents} == {"Tops", "Bottoms", "Dresses", "Footwear", "Bags"}
    assert (bundle.manifest.input, bundle.manifest.preprocessing) == (SPEC, PREPROCESSING)
    test = bundle.manifest.metrics["test"]
    assert isinstance(test, dict)
    assert test["images"] == 10_000
    assert test["accuracy"] >= 0.9
    assert len(bundle.artifact) < 1_000_000
    Classifier(bundle)
