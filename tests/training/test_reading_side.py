"""What workers import must stay free of what trains."""

import subprocess
import sys

import pytest

REPORT = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"


def import_in_a_child(statement: str) -> set[str]:
    child = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{REPORT}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(child.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import training.bundle, training.preprocessing, training.evaluation",
        "from training.bundle import shipped_bundle; from training.classifier import Classifier\n"
        "import numpy as np; Classifier(shipped_bundle()).classify(np.zeros((1, 40, 40, 3), np.uint8))",
        "import training.cli",
        "import training.recalibration, training.shops, training.starts",
    ],
)
def test_the_reading_side_imports_no_tensorflow(statement: str) -> None:
    modules = import_in_a_child(statement)

    assert "training" in modules
    assert not modules & {"tensorflow", "keras", "jax", "torch", "sklearn", "matplotlib", "seaborn"}


def test_bundles_alone_need_neither_numpy_nor_pillow() -> None:
    modules = import_in_a_child("from training.bundle import shipped_bundle; shipped_bundle()")

    assert not modules & {"numpy", "PIL", "ai_edge_litert"}


@pytest.mark.parametrize(
    "words",
    [
        ["shipped", "--data", ".", "--out", "never-written"],
        ["fit", "none.csv", "--image-column", "a", "--label-column", "b", "--out", "never-written"],
    ],
)
def test_without_the_extra_training_says_what_to_install(words: list[str]) -> None:
    program = f"import sys; sys.modules['tensorflow'] = None\nfrom training.cli import train; train({words})"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

    assert child.returncode == 2
    assert child.stderr.splitlines() == [
        "Error: tensorflow is not installed; training needs it: pip install 'hangtag[training]'"
    ]
