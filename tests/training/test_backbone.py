import struct
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.training.nets import draw_noise
from tests.training.shop import ARCHITECTURE, SPEC, write_start
from training.backbone import build_net, fit_head, load_backbone, pack_backbone
from training.bundle import BundleError, InputSpec, read_bundle, shipped_bundle
from training.data_sets import LabelledImages
from training.errors import TrainingError
from training.fitting import compute_logits, measure_accuracy
from training.starts import Backbone, read_start

IMAGES = draw_noise(SPEC, 300)


def build(seed: int, *, labels: int = 3, spec: InputSpec = SPEC) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return build_net(ARCHITECTURE, spec, labels=labels)


def compute_features(net: keras.Model) -> np.ndarray:
    return np.asarray(keras.Model(net.inputs, net.layers[-1].input).predict_on_batch(IMAGES[:20]))


def test_a_backbone_carries_all_but_the_last_layer_to_a_net_of_other_labels() -> None:
    old, new = build(1, labels=3), build(2, labels=7)

    backbone = pack_backbone(old, ARCHITECTURE)
    load_backbone(new, backbone)

    assert compute_features(new) == pytest.approx(compute_features(old), rel=0.02, abs=0.002)  # 16-bit weights
    assert new.output_shape == (None, 7)
    assert len(backbone.content) < 2.1 * old.count_params()


def test_a_backbone_of_another_input_is_one_line() -> None:
    backbone = pack_backbone(build(1, spec=InputSpec(12, 12, 3)), ARCHITECTURE)

    with pytest.raises(TrainingError, match=r"not one of the net conv-pool/\d+ with this input"):
        load_backbone(build(1), backbone)


def test_a_grown_net_begins_with_what_the_smaller_one_had_learnt() -> None:
    keras.utils.set_random_seed(1)
    small, grown = (build_net(f"fine-stem/{number}", SPEC, labels=3) for number in (1, 2))

    load_backbone(grown, pack_backbone(small, "fine-stem/1"))

    assert grown.count_params() > small.count_params()
    assert compute_features(grown) == pytest.approx(compute_features(small), rel=0.02, abs=0.002)  # 16-bit weights


def test_what_a_net_has_grown_is_in_its_backbone() -> None:
    keras.utils.set_random_seed(1)
    old, new = (build_net("fine-stem/2", SPEC, labels=3) for _ in range(2))
    old.get_layer("grown_normalisation").gamma.assign(np.ones(48))

    load_backbone(new, pack_backbone(old, "fine-stem/2"))

    assert compute_features(new) == pytest.approx(compute_features(old), rel=0.02, abs=0.002)  # 16-bit weights


@pytest.mark.parametrize("damage", [b"", b"no archive", "half", "flipped"])
def test_a_damaged_backbone_is_one_line(damage: bytes | str) -> None:
    whole = pack_backbone(build(1), ARCHITECTURE).content
    content = whole[: len(whole) // 2] if isinstance(damage, str) else damage
    if damage == "flipped":  # what is said to be a kind of block that deflate has not
        name_bytes, extra_bytes = struct.unpack_from("<HH", whole, 26)
        at = 30 + name_bytes + extra_bytes
        content = whole[:at] + b"\xff" + whole[at + 1 :]

    with pytest.raises(TrainingError, match="the backbone cannot be read") as caught:
        load_backbone(build(1), Backbone(ARCHITECTURE, content))
    assert "\n" not in str(caught.value)


def test_an_architecture_of_another_version_is_named() -> None:
    with pytest.raises(TrainingError, match="'conv-pool/99' is not known here; this version has conv-pool"):
        build_net("conv-pool/99", SPEC, labels=3)


def test_a_net_that_came_to_nothing_makes_no_backbone() -> None:
    net = build(1)
    first = next(layer for layer in net.layers if layer.weights)
    first.set_weights([values * np.nan for values in first.get_weights()])

    with pytest.raises(TrainingError, match="did not converge"):
        pack_backbone(net, ARCHITECTURE)


def test_the_first_head_already_tells_apart_what_the_features_tell_apart() -> None:
    targets = (IMAGES.mean(axis=(1, 2, 3)) // 86).astype(np.int64).clip(max=2)  # by brightness, in thirds
    data = LabelledImages(IMAGES, targets)
    net = build(1)
    guessed = measure_accuracy(net, data)

    fit_head(net, data)

    assert measure_accuracy(net, data) > max(0.8, guessed)
    assert compute_logits(net, IMAGES).std() < 10


def test_a_start_is_read_from_a_folder(tmp_path: Path) -> None:
    folder, bare = write_start(tmp_path / "start"), write_start(tmp_path / "bare", backbone=False)

    start = read_start(str(folder))
    assert start.manifest == read_bundle(folder).manifest
    assert start.backbone is not None
    assert start.backbone.architecture == ARCHITECTURE
    load_backbone(build(1), start.backbone)
    assert read_start(None, default=bare).backbone is None
    assert read_start("nothing", default=folder).backbone is None
    assert read_start(None).manifest == shipped_bundle().manifest
    with pytest.raises(BundleError, match=r"bare has no backbone.npz to start from; --from nothing needs none"):
        read_start(str(bare))
    with pytest.raises(BundleError, match=r"nowhere is not a bundle"):
        read_start(str(tmp_path / "nowhere"))
