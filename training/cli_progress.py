"""How the commands `hangtag train …` say how far they are, and what went wrong.

Owns lines on stderr: one that is rewritten on a terminal, a plain one now and then elsewhere.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from training.errors import TrainingError

if TYPE_CHECKING:
    from training.fitting import Progress
    from training.labels import BadRow
    from training.photo_sets import Limits

PLAIN_LINE_EVERY_S = 20.0  # where no terminal shows a bar
EPOCH_LINE_EVERY_S = 5.0  # epochs of a few hundred photos take less than a second
SHOWN_BAD_ROWS = 5
SHOWN_REASONS = 3
REWRITTEN_EVERY_S = 0.2
LINE_WIDTH = 78


class UsageProblem(click.ClickException):
    """Wrong usage or configuration: one line, exit code 2."""

    exit_code = 2


@contextmanager
def one_line_errors() -> Iterator[None]:
    """What a user can put right becomes one line and exit code 2."""
    try:
        yield
    except TrainingError as error:
        raise UsageProblem(str(error)) from None
    except OSError as error:
        raise UsageProblem(f"{error.filename or 'a file'}: {error.strerror}") from None


class ProgressLine:
    """Reports photos that are decoded, and a fit."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._said_s = float("-inf")

    def say_photos(self, done: int, total: int) -> None:
        """Show how many photos are decoded."""
        if done == total or self._is_due(PLAIN_LINE_EVERY_S):
            self._write(f"photos {done:,}/{total:,}", stays=done == total)

    def say_part(self, part: str, done: int, total: int) -> None:
        """Show how much of a part of the training images is made."""
        if done == total or self._is_due(PLAIN_LINE_EVERY_S):
            self._write(f"making {part.replace('_', ' ')} {done:,}/{total:,}", stays=done == total)

    def say_fit(self, progress: Progress, *, of: str = "") -> None:
        """Show where a fit stands, if it is time to, and at the end of epochs and of the run. `of` says which fit."""
        epoch_ended = progress.validation_accuracy is not None
        if progress.left_s > 0 and not self._is_due(EPOCH_LINE_EVERY_S if epoch_ended else PLAIN_LINE_EVERY_S):
            return
        text = f"{of and of + ': '}epoch {progress.epoch}/{progress.epochs} step {progress.step}/{progress.steps}"
        text += f" loss {progress.loss:.3f}, {_describe_time(progress.left_s)} left"
        if epoch_ended:
            text += f", validation {progress.validation_accuracy:.2%}"
        self._write(text, stays=epoch_ended)

    def say(self, text: str) -> None:
        """A line of its own."""
        self._write(text, stays=True)

    def _is_due(self, plain_every_s: float) -> bool:
        return time.monotonic() - self._said_s >= (REWRITTEN_EVERY_S if self._terminal else plain_every_s)

    def _write(self, text: str, *, stays: bool) -> None:
        self._said_s = time.monotonic()
        click.echo(text.ljust(LINE_WIDTH) if self._terminal else text, err=True, nl=False)
        click.echo("\n" if stays or not self._terminal else "\r", err=True, nl=False)


def say_bad_rows(line: ProgressLine, bad_rows: Sequence[BadRow]) -> None:
    """Name the first rows that are left out, and count the rest."""
    for bad in bad_rows[:SHOWN_BAD_ROWS]:
        line.say(f"line {bad.line} is left out: {bad.image}: {bad.reason}")
    rest = bad_rows[SHOWN_BAD_ROWS:]
    if rest:
        kinds = Counter(bad.reason for bad in rest).most_common()
        said = [f"{n:,} {reason}" for reason, n in kinds[:SHOWN_REASONS]]
        if len(kinds) > SHOWN_REASONS:
            said.append(f"{sum(n for _, n in kinds[SHOWN_REASONS:]):,} for other reasons")
        line.say(f"{len(rest):,} more rows are left out: " + ", ".join(said))


def read_limits(settings: object) -> Limits:
    """The limits of photos in the service's settings, where there are any."""
    from training.photo_sets import Limits

    usual = Limits()
    max_mb = getattr(settings, "max_file_mb", None)
    return Limits(
        max_pixels=getattr(settings, "max_pixels", usual.max_pixels),
        max_bytes=usual.max_bytes if max_mb is None else max_mb * 1_000_000,
    )


def _describe_time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"  # noqa: PLR2004
