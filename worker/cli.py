"""The root of the command line. Commands are loaded when they are called: `hangtag --help` and `hangtag find`
import neither Celery nor TensorFlow."""

import errno
import importlib
import os
import signal
import sys
import time
from typing import Any

import click

from catalog.errors import CatalogError, explain_refusal
from catalog.output import visible
from training.errors import TrainingError
from training.loading import loading
from worker.errors import INTERRUPTED, WRONG_USAGE, UsageError
from worker.settings import read_settings

# Where each command stands, and its line in --help: known without importing it. A test holds them together.
COMMANDS = {
    "tag": ("worker.cli_tag:tag", "Tag the product photos of PATHS: folders (any depth), images, or CSV manifests."),
    "enqueue": ("worker.cli_tag:enqueue_paths",
                "Hand the product photos of PATHS to the workers, before any nightly work, and return at once."),
    "retag": ("worker.cli_retag:retag",
              "Look at every folder and manifest that was enqueued before, and tag what is new, changed or outdated."),
    "find": ("catalog.cli:find", "Find products by tag, confidence, source, model, SKU, time or review; surest first."),
    "show": ("catalog.cli:show",
             "Show one product: its tag and guesses, its images and which decided, and its history."),
    "stats": ("catalog.cli:stats",
              "Count what the catalog holds: products by tag, review by reason, failed images by code."),
    "review": ("catalog.cli:review", "List the products that wait for a person, surest guess first."),
    "correct": ("catalog.cli_people:correct",
                "Set the tag of a product, or of each one in a CSV, by a person's word; no model changes it again."),
    "confirm": ("catalog.cli_people:confirm",
                "Keep the tag that a product shows, or each one in a CSV, as a person's word."),
    "reject": ("catalog.cli_people:reject",
               "Say that a label is wrong for a product: its tag follows from the rest, and the label stays away."),
    "undo": ("catalog.cli_people:undo",
             "Take back the last word on a product, whoever said it: what stood before it stands again."),
    "runs": ("catalog.cli:runs", "List the newest runs, or show one, or the tags that one changed."),
    "failures": ("catalog.cli:failures", "List the images that failed with their reasons, latest first."),
    "evaluate": ("worker.cli_models:evaluate", "Say how right the current model, or a bundle, is on labelled photos."),
    "models": ("worker.cli_models:models",
               "List, import, remove, compare and promote model versions, and set their thresholds."),
    "taxonomy": ("catalog.cli_taxonomy:taxonomy",
                 "Name labels by the shop's own categories; nothing is classified by it."),
    "train": ("training.cli:train", "Train a model bundle and measure it (needs hangtag[training])."),
    "db": ("migrations.cli:db", "Build the catalog's tables, or check them."),
    "worker": ("worker.cli_worker:worker",
               "Classify chunks until stopped (Ctrl-C or SIGTERM: the photo at hand is finished)."),
    "beat": ("worker.cli_worker:beat",
             "Tick once a minute, so that a worker begins the nightly run, or a training, when due."),
    "doctor": ("worker.cli_worker:doctor",
               "Check catalog, model, Redis, workers, sources, nights: a line each; exit code 1: one needs a person."),
}  # fmt: skip


REPEATED_WITHIN_S = 1.0  # a closed terminal says so twice at once; the second must not interrupt the clearing up

# What a write to stdout is refused for: the reader has gone, the disk or its quota is full.
CANNOT_BE_WRITTEN = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a working day."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name == "train":
            # Before TensorFlow, which lends its own OpenSSL to all that is loaded after it: psycopg then crashed at the
            # first connection over TLS (TensorFlow 2.21, psycopg 3.3).
            importlib.import_module("psycopg")
        module, name = COMMANDS[cmd_name][0].split(":")
        with loading():
            command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, and with the nearest names where there is no such command: click knows what is loaded."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  (click's own)
        """Run a command. Ctrl-C is a line and exit code 130; a reader that had enough (`find | head`) is no failure."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, RuntimeError) as error:
            # Before 3.12 Python makes a RuntimeError of one that comes while a class is made: in half of an import.
            if not isinstance(error.__cause__ or error, KeyboardInterrupt):
                raise
            click.echo("hangtag: stopped", err=True)
            sys.exit(INTERRUPTED)
        except OSError as error:
            if error.errno not in CANNOT_BE_WRITTEN or error.filename is not None:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more is written at exit
            if error.errno == errno.EPIPE:
                sys.exit(0)
            click.echo(f"hangtag: what it prints cannot be written: {error.strerror}", err=True)
            sys.exit(WRONG_USAGE)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hangtag")
@click.pass_context
def hangtag(context: click.Context) -> None:
    """Put a tag on every product photo: labels with honest confidences, in your catalog database."""
    context.obj = read_settings(os.environ)


class _Ends:
    """SIGTERM, and a terminal that is closed, end a command as Ctrl-C does: it clears up behind itself.

    By default they end Python where it stands, and half-written files stay. `worker` and `beat` have their own way.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None

    def heed(self) -> None:
        """From now on, but for what is ignored, as by nohup."""
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._end)
        # A child may be in the midst of C code, which nothing but the default ends.
        os.register_at_fork(after_in_child=self._leave_to_default)

    def _end(self, number: int, _frame: object) -> None:
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s
            raise KeyboardInterrupt
        if now_s - self._first_s > REPEATED_WITHIN_S:  # Python lost the first in a destructor, or clearing up hangs
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def _leave_to_default(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) == self._end:
                signal.signal(number, signal.SIG_DFL)


def main() -> None:
    """Run the command line; what a user can set right is one line and exit code 2."""
    _Ends().heed()
    try:
        hangtag(standalone_mode=True)
    except (CatalogError, TrainingError, UsageError) as error:
        click.echo(visible(f"hangtag: {error}"), err=True)
        sys.exit(WRONG_USAGE)
    except Exception as error:
        refusal = explain_refusal(error)
        if refusal is None:
            raise
        click.echo(visible(f"hangtag: {refusal}"), err=True)
        sys.exit(WRONG_USAGE)
