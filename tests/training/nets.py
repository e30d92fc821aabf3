"""Tiny nets, really converted, and the bundles around them."""

from dataclasses import replace

import keras
import numpy as np
from numpy.typing import NDArray

from training.architectures import build_conv_pool_net
from training.bundle import Bundle, InputSpec, Label, Manifest, Parent, pack_bundle
from training.export import convert_to_int8


def build_net(spec: InputSpec, *, labels: int, seed: int = 3) -> keras.Model:
    """An untrained net with answers far enough apart to compare."""
    keras.utils.set_random_seed(seed)
    net = build_conv_pool_net(spec, labels=labels, stem_width=4, blocks=((8, 1),))
    kernel, bias = net.layers[-1].get_weights()
    net.layers[-1].set_weights([kernel * 4, np.linspace(-1, 1, len(bias))])
    return net


def draw_noise(spec: InputSpec, images: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Images whose brightness and grain vary, uint8 (images, height, width, channels)."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(0, 255, (images, 1, 1, spec.channels))
    grain = rng.normal(0, 60, (images, spec.height, spec.width, spec.channels))
    return (level + grain).clip(0, 255).astype(np.uint8)


def describe(spec: InputSpec, *, labels: int, temperature: float = 1.0) -> Manifest:
    """A manifest of numbered labels, the first two of one parent."""
    return Manifest(
        name="tiny",
        attribute="category",
        labels=tuple(Label(f"label {i}", "pair" if i < 2 else None, 0.5) for i in range(labels)),
        parents=(Parent("pair", 0.5),),
        other=None,
        input=spec,
        preprocessing="flat-field/1",
        temperature=temperature,
        metrics={},
        created_at="2026-01-02T03:04:05+00:00",
    )


def make_tiny_bundle(spec: InputSpec, *, labels: int = 3, temperature: float = 1.0, seed: int = 3) -> Bundle:
    """An int8 bundle of an untrained net."""
    net = build_net(spec, labels=labels, seed=seed)
    artifact = convert_to_int8(net, draw_noise(spec, 100, seed=1))
    return pack_bundle(describe(spec, labels=labels, temperature=temperature), artifact)


def with_other(bundle: Bundle, name: str) -> Bundle:
    """The bundle with the label `name` meaning "none of them"."""
    return pack_bundle(replace(bundle.manifest, other=name), bundle.artifact)
