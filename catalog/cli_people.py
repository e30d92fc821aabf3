"""A person's word on tags: `correct`, `confirm`, `reject`, one product at a time or by a CSV, and `undo`.

Thin over `catalog.people`. Which database it is, the root of the command line knows: it hands every command a
`CatalogOpener`, and turns a `CatalogError` into one line and exit code 2.
"""

import functools
import getpass
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from catalog.cli import stored_text
from catalog.cli_pages import CatalogOpener
from catalog.errors import CatalogError
from catalog.output import Form, print_message, print_record, print_rows

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from catalog.people import Word

WORDS_AT_ONCE = 500  # in a transaction, for which workers that write the same products wait
SHOWN_REFUSALS = 20
DONE_WITH_REFUSALS = 1  # exit code, as of `hangtag tag` with failures


def login_name() -> str:
    """Who is at the keyboard.

    Raises:
        CatalogError: the system has no name for this user, as in some containers.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise CatalogError("this user has no login name: say who you are with --by NAME") from error


def word_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--by` and `--json`; it is called with `by=…` and `form=…`."""

    @click.option("--by", callback=stored_text, help="Whose word it is.  [default: the login name]")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, and nothing else on stdout.")
    @functools.wraps(command)
    def with_options(*args: Any, by: str | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401
        command(*args, by=by or login_name(), form=Form.JSON if as_json else Form.PEOPLE, **options)

    return with_options


csv_option = click.option(
    "--csv",
    "path",
    metavar="FILE",
    help="Read them from this file, - for stdin: columns sku and label; rows without a label stay as they are.",
)


@click.command()
@click.argument("sku", callback=stored_text, required=False)
@click.argument("label", callback=stored_text, required=False)
@csv_option
@word_options
@click.pass_obj
def correct(
    opener: CatalogOpener, *, sku: str | None, label: str | None, path: str | None, by: str, form: Form
) -> None:
    """Set the tag of a product, or of each one in a CSV, by a person's word; no model changes it again."""
    _say(opener, "corrected", (sku, label), path, by=by, form=form)


@click.command()
@click.argument("sku", callback=stored_text, required=False)
@csv_option
@word_options
@click.pass_obj
def confirm(opener: CatalogOpener, *, sku: str | None, path: str | None, by: str, form: Form) -> None:
    """Keep the tag that a product shows, or each one in a CSV, as a person's word."""
    _say(opener, "confirmed", (sku,), path, by=by, form=form)


@click.command()
@click.argument("sku", callback=stored_text, required=False)
@click.argument("label", callback=stored_text, required=False)
@csv_option
@word_options
@click.pass_obj
def reject(opener: CatalogOpener, *, sku: str | None, label: str | None, path: str | None, by: str, form: Form) -> None:
    """Say that a label is wrong for a product: its tag follows from the rest, and the label stays away."""
    _say(opener, "rejected", (sku, label), path, by=by, form=form)


@click.command()
@click.argument("sku", callback=stored_text)
@word_options
@click.pass_obj
def undo(opener: CatalogOpener, *, sku: str, by: str, form: Form) -> None:
    """Take back the last word of a person on a product: what stood before it stands again."""
    from catalog.people import undo_word

    undone: list[str] = []
    _change(opener, sku, form, lambda session, now: undone.append(undo_word(session, sku, by=by, now=now)))
    print_message(f"{sku}: taken back: {undone[0]}")


def _say(
    opener: CatalogOpener, action: str, arguments: Sequence[str | None], path: str | None, *, by: str, form: Form
) -> None:
    """One word from the arguments, or those of a CSV."""
    from catalog.people import Word, say_words

    if (path is None) == (arguments[0] is None) or (path is None and None in arguments):
        names = " ".join(("SKU", "LABEL")[: len(arguments)])
        raise click.UsageError(f"give {names}, or --csv FILE")
    if path is not None:
        _say_list(opener.open_catalog(), action, path, by=by, form=form)
        return
    sku, *label = arguments
    assert sku is not None, "checked above"

    def change(session: Any, now: datetime) -> None:  # noqa: ANN401
        refusal = say_words(session, [Word(sku, action, *label)], by=by, now=now)[0]
        if refusal is not None:
            raise CatalogError(refusal)

    _change(opener, sku, form, change)


def _change(opener: CatalogOpener, sku: str, form: Form, change: Callable[[Any, datetime], object]) -> None:
    """Make a person's change, and print the product's row as it stands then."""
    from catalog.database import current_time, writing
    from catalog.queries import FIND_COLUMNS, fetch_tag

    with writing(opener.open_catalog()) as session:
        change(session, current_time(session))
        row = fetch_tag(session, sku)
    print_rows(FIND_COLUMNS, [row], form=form)


def _say_list(engine: "Engine", action: str, path: str, *, by: str, form: Form) -> None:
    """The words of a CSV, some at a time; those that are refused are named, and the others stand."""
    from catalog.word_lists import read_words

    rows = read_words(path, action)  # before the first one is written: a bad file changes nothing
    words = [(line, word) for line, word in rows if word is not None]
    refused = _write_words(engine, words, by=by)
    counts = {action: len(words) - len(refused), "without_label": len(rows) - len(words), "refused": len(refused)}
    if form is Form.JSON:
        lines = [{"line": line, "sku": sku, "reason": reason} for line, sku, reason in refused]
        print_record(counts | {"refusals": lines}, form=form)
    else:
        print_record(counts, form=form)
        for line, _, reason in refused[:SHOWN_REFUSALS]:
            print_message(f"line {line} is refused: {reason}")
        if len(refused) > SHOWN_REFUSALS:
            print_message(f"{len(refused) - SHOWN_REFUSALS:,} more lines are refused; --json lists them all")
    if refused:
        sys.exit(DONE_WITH_REFUSALS)


def _write_words(engine: "Engine", words: "Sequence[tuple[int, Word]]", *, by: str) -> list[tuple[int, str, str]]:
    """Write the words; line, SKU and reason of those that are refused."""
    from catalog.database import current_time, writing
    from catalog.people import say_words

    refused = []
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=len(words), label="words", file=sys.stderr, hidden=hidden) as bar:
        for start in range(0, len(words), WORDS_AT_ONCE):
            some = words[start : start + WORDS_AT_ONCE]
            with writing(engine) as session:
                answers = say_words(session, [word for _, word in some], by=by, now=current_time(session))
            refused += [
                (line, word.sku, reason)
                for (line, word), reason in zip(some, answers, strict=True)
                if reason is not None
            ]
            bar.update(len(some))
    return refused
