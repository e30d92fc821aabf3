from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from tests.training.archives import hash_archives, write_archives, write_idx
from training.data_sets import FASHION_MNIST_MD5, load_fashion_mnist
from training.errors import TrainingError


def test_the_archives_are_read_as_they_were_written(tmp_path: Path) -> None:
    md5_sums = write_archives(tmp_path, training=30, test=20)

    data = load_fashion_mnist(tmp_path, md5_sums=md5_sums)

    assert (data.training.images.shape, data.test.images.shape) == ((30, 28, 28, 1), (20, 28, 28, 1))
    assert data.training.images.dtype == np.uint8
    assert data.test.targets.tolist() == [i % 10 for i in range(20)]
    assert data.training.images[3, 9, 10, 0] == 220
    assert data.training.select(np.array([4, 1])).targets.tolist() == [4, 1]


def test_archives_that_are_not_the_published_ones_are_refused(tmp_path: Path) -> None:
    write_archives(tmp_path, training=30, test=20)

    with pytest.raises(
        TrainingError, match=r"train-images-idx3-ubyte.gz is not the published archive: .* MD5"
    ) as caught:
        load_fashion_mnist(tmp_path)
    assert FASHION_MNIST_MD5["train-images-idx3-ubyte.gz"] in str(caught.value)


def test_a_missing_archive_is_named(tmp_path: Path) -> None:
    md5_sums = write_archives(tmp_path, training=30, test=20)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()

    with pytest.raises(TrainingError, match=r"t10k-labels-idx1-ubyte.gz: No such file"):
        load_fashion_mnist(tmp_path, md5_sums=md5_sums)


def test_archives_with_the_wrong_content_are_refused(tmp_path: Path) -> None:
    write_archives(tmp_path, training=30, test=20)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    for damage, message in (
        (lambda: write_idx(labels, 2049, np.zeros(29, np.uint8)), "do not belong together"),
        (lambda: write_idx(labels, 2049, np.full(30, 10, np.uint8)), "label 10, Fashion-MNIST has 0 to 9"),
        (lambda: write_idx(labels, 2050, np.zeros(30, np.uint8)), "begins with 2050"),
        (lambda: write_idx(labels, 2051, np.zeros(30, np.uint8)), "its header says"),
        (lambda: labels.write_bytes(b"no gzip"), "cannot be unpacked"),
        (lambda: labels.write_bytes(labels.read_bytes()[:20]), "cannot be unpacked"),
    ):
        damage()
        with pytest.raises(TrainingError, match=message) as caught:
            load_fashion_mnist(tmp_path, md5_sums=hash_archives(tmp_path))
        assert "\n" not in str(caught.value)


def test_a_download_that_fails_says_how_else() -> None:
    def fail() -> NoReturn:
        raise Exception("URL fetch failure on https://example.org:\nNone -- [Errno -3] no network")

    with pytest.raises(TrainingError, match="cannot be downloaded, give it by --data FOLDER: URL fetch") as caught:
        load_fashion_mnist(None, download=fail)
    assert "\n" not in str(caught.value)


def test_a_download_of_something_else_is_refused() -> None:
    pixels, labels = np.zeros((10, 28, 28), np.uint8), np.zeros(10, np.uint8)

    with pytest.raises(TrainingError, match="not Fashion-MNIST as it was published"):
        load_fashion_mnist(None, download=lambda: ((pixels, labels), (pixels, labels)))
