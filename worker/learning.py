"""The scheduled training: a net learns from what people said, and becomes the current model if it is better.

Owns when one is due and what becomes of it. The work itself is that of two commands that a person would type,
`train fit --from-catalog` and `models challenge --promote`, each in a process of its own: TensorFlow's memory ends with
it, and a worker never imports it.
"""

import json
import logging
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from catalog.database import Clock, current_time, reading, writing
from catalog.trainings import finish_training, has_training, is_training, start_training, touch_training
from worker.nightly import latest_slot, parse_schedule, parse_zone
from worker.processes import HANGTAG, start_child
from worker.settings import Settings, make_folder

log = logging.getLogger(__name__)

BY = "hangtag"  # who promotes
FOLDER = "trainings"  # in the home; it holds the newest bundle with its lists and report
PREFIX = "taught-"
TOUCH_S = 5.0


@dataclass(frozen=True, slots=True)
class DueTraining:
    """A training that has its row, and the name of the model version that it is to make."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: its exit code, what it printed, and the last line that it said."""

    code: int
    printed: str
    last_line: str


def start_due_training(engine: Engine, settings: Settings, *, clock: Clock = current_time) -> DueTraining | None:
    """The training that is due and has none yet, its row written now; else None.

    Args:
        clock: tells what counts as now, here and in the row.

    Raises:
        UsageError: the settings name no schedule or no time zone.
    """
    schedule = parse_schedule(settings.training, name="HANGTAG_TRAINING")
    if schedule is None:
        return None
    with reading(engine) as session:
        moment = clock(session)
        slot = latest_slot(schedule, moment.astimezone(parse_zone(settings.time_zone)).replace(tzinfo=None))
        if slot is None or has_training(session, slot=slot) or is_training(session, now=moment):
            return None
    name = PREFIX + slot.replace("T", "-").replace(":", "")  # a file's name too
    try:
        with writing(engine) as session:
            return DueTraining(start_training(session, slot=slot, challenger=name, now=moment), name)
    except IntegrityError:
        return None  # another scheduler was quicker


def train_and_challenge(engine: Engine, settings: Settings, due: DueTraining) -> str:
    """Make the net, let it challenge the current model, and note what became of it: promoted, kept or failed.

    The bundles of earlier trainings in the home are removed; those that were promoted are in the catalog.
    """

    def touch() -> None:
        with writing(engine) as session:
            touch_training(session, due.id, now=current_time(session))

    outcome, note = _learn(settings, due.name, touch)
    with writing(engine) as session:
        finish_training(session, due.id, outcome=outcome, note=note, now=current_time(session))
    log.info("training %s: %s%s", due.name, outcome, f": {note}" if note else "")
    return outcome


def _learn(settings: Settings, name: str, touch: Callable[[], None]) -> tuple[str, str | None]:
    """What became of it, and why."""
    bundle = _clear_folder(settings) / name
    minutes = f"{settings.training_minutes:g}"
    fitted = run_command(("train", "fit", "--from-catalog", "--out", str(bundle), "--minutes", minutes), touch)
    if fitted.code != 0:
        return "failed", fitted.last_line
    measured = run_command(("models", "challenge", str(bundle), "--promote", "--by", BY, "--json"), touch)
    if measured.code != 0:
        return "failed", measured.last_line
    said = json.loads(measured.printed)
    return ("promoted", None) if said["promoted"] else ("kept", said["reason"])


def _clear_folder(settings: Settings) -> Path:
    folder = settings.home / FOLDER
    make_folder(folder)
    for path in folder.glob(f"{PREFIX}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return folder


def run_command(words: Sequence[str], touch: Callable[[], None], *, touch_s: float = TOUCH_S) -> Done:
    """Run one of our commands to its end; `touch` is called all the while, every `touch_s` seconds.

    It has our environment, and dies with this process.
    """
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as said:
        process = start_child((*HANGTAG, *words), output=printed, errors=said)
        try:
            while True:
                try:
                    code = process.wait(touch_s)
                    break
                except subprocess.TimeoutExpired:
                    touch()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        printed.seek(0)
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").split("\n")
        spoken = [line.strip() for line in lines if line.strip()]
        return Done(code, printed.read().decode("utf-8", "replace"), spoken[-1] if spoken else f"exit code {code}")
