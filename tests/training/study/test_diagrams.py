from training.backbone import build_net
from training.bundle import InputSpec
from training.study.diagrams import Block, list_blocks

SPEC = InputSpec(28, 28, 1)


def test_blocks_are_read_off_the_net_itself() -> None:
    assert list_blocks(build_net("study-6/1", SPEC, labels=10)) == [
        Block("input", (28, 28, 1), "pixels"),
        Block("convolution", (14, 14, 32), "conv 3×3 /2"),
        Block("pooling", (7, 7, 32), "pool 2"),
        Block("convolution", (4, 4, 64), "conv 3×3 /2"),
        Block("pooling", (2, 2, 64), "pool 2"),
        Block("convolution", (1, 1, 128), "conv 3×3 /2"),
        Block("pooling", (1, 1, 128), "pool 2"),
        Block("dense", (64,), "dense"),
        Block("dense", (32,), "dense"),
        Block("dense", (10,), "dense"),
    ]


def test_normalisation_goes_with_its_convolution() -> None:
    blocks = list_blocks(build_net("conv-pool/2", SPEC, labels=10))

    assert [block.words for block in blocks[:3]] == ["pixels", "conv 5×5 /2", "conv 3×3"]
    assert [block.words for block in blocks[-2:]] == ["mean", "dense"]
    assert len(blocks) == 11


def test_blocks_are_to_scale() -> None:
    whole, half = Block("convolution", (28, 28, 64), ""), Block("convolution", (14, 14, 32), "")

    assert [a / b for a, b in zip(whole.size, half.size, strict=True)] == [2, 2, 2]
    assert Block("dense", (64,), "").size[1] == 8
