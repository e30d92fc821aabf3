"""Getting TensorFlow ready, once, before anything imports Keras.

Owns the import, its switches and its chatter. Commands call `prepare_backend` first; the reading side never does.
"""

from __future__ import annotations

import importlib.util
import logging
import os

from training.errors import TrainingError
from training.loading import loading
from training.native_messages import native_messages_silenced


def require_packages(*modules: str) -> None:
    """Raise TrainingError where one of the extra's packages is not installed; imports none."""
    for module in modules:
        if importlib.util.find_spec(module) is None:
            raise TrainingError(f"{module} is not installed; training needs it: pip install 'hangtag[training]'")


def prepare_backend() -> None:
    """Set TensorFlow's switches where the user has not, and import it.

    Raises TrainingError where the extra is not installed.
    """
    require_packages("tensorflow", "keras")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # On by default only where the CPU has AVX-512 VNNI or better; with AVX2 alone it doubled the speed of a
    # training step (249 to 597 images/s).
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only: the rest is for TensorFlow's own developers
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        with native_messages_silenced(), loading():
            import tensorflow  # noqa: PLC0415 - seconds, for those who train

            tensorflow.zeros(1)  # the first operation announces what the CPU can do, whatever the log level
        # The same for what it says by way of Python: of every third net in a process that it is traced once more.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
