"""The file that a killed fit goes on from.

Owns what it holds and its form on disk. Leaves when it is written to `fitting`.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingError


@dataclass
class State:
    """Where a fit stands, beside the weights and the optimizer's: steps and seconds so far, the loss summed over
    the epoch at hand, the averaged weights, and an entry of history for each epoch."""

    step: int
    elapsed_s: float
    loss_sum: float
    averaged: list[NDArray[np.float32]]
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(path: Path, model: keras.Model, state: State, fingerprint: str) -> None:
    """Written beside and renamed: a kill leaves the old checkpoint or the new one.

    Raises TrainingError where it cannot be written; an older checkpoint is then left.
    """
    arrays: dict[str, Any] = {f"model_{i}": value for i, value in enumerate(model.get_weights())}
    arrays |= {f"averaged_{i}": value for i, value in enumerate(state.averaged)}
    arrays |= {f"optimizer_{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)}
    about = {
        "fingerprint": fingerprint,
        "step": state.step,
        "elapsed_s": state.elapsed_s,
        "loss_sum": state.loss_sum,
        "history": state.history,
    }
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)
        unfinished.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise TrainingError(f"the checkpoint {path} cannot be written: {error.strerror}") from None


def load_checkpoint(path: Path, model: keras.Model, fingerprint: str) -> State:
    """Put the checkpoint's weights into `model` and its optimizer; the rest of it comes back.

    Raises TrainingError where it is another fit's, or no checkpoint.
    """
    try:
        # Opened here: numpy leaves a file that is no archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            if about["fingerprint"] != fingerprint:
                raise TrainingError(
                    f"{path} is of another recipe, other data or another backbone; leave out --resume to start anew"
                )
            model.set_weights(_take_all(arrays, "model"))
            averaged = _take_all(arrays, "averaged")
            for variable, value in zip(model.optimizer.variables, _take_all(arrays, "optimizer"), strict=True):
                variable.assign(value)
            return State(
                int(about["step"]), float(about["elapsed_s"]), float(about["loss_sum"]), averaged, about["history"]
            )
    except (EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise TrainingError(f"{path} is not a checkpoint of this program: {reason}") from None


def _take_all(arrays: Any, prefix: str) -> list[Any]:  # noqa: ANN401 - numpy's open .npz
    count = sum(name.startswith(f"{prefix}_") for name in arrays.files)
    return [arrays[f"{prefix}_{i}"] for i in range(count)]
