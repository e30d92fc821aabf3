"""The shipped bundle's net in Keras, in floats: what people would use instead of an int8 artifact."""

import keras

from training.backbone import build_net, load_backbone
from training.bundle import InputSpec
from training.starts import NOTHING, read_start


def build_float_net() -> tuple[keras.Model, InputSpec]:
    """The net and what it takes; its last layer's weights are chance, which changes no time."""
    start = read_start(None)
    assert start.backbone is not None, NOTHING
    spec = start.manifest.input
    net = build_net(start.backbone.architecture, spec, labels=len(start.manifest.labels))
    load_backbone(net, start.backbone)
    return net, spec
