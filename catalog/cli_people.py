"""A person's word on tags: `correct`, `confirm`, `reject` and `undo`, one product at a time or by a CSV.

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

from catalog.cli import person_name, stored_text
from catalog.cli_pages import CatalogOpener
from catalog.errors import CatalogError
from catalog.output import Form, counted, print_message, print_record, print_rows

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

    from catalog.people import Answer
    from catalog.word_lists import Row

WORDS_AT_ONCE = 500  # in a transaction, for which workers that write the same products wait
SHOWN_REFUSALS = 20
SHOWN_OVERRULED = 5
DONE_WITH_REFUSALS = 1  # exit code, as of `hangtag tag` with failures

Change = Callable[["Session", datetime], object]


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

    @click.option("--by", callback=person_name, help="Whose word it is.  [default: the login name]")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON Lines, and nothing else on stdout.")
    @functools.wraps(command)
    def with_options(*args: Any, by: str | None, as_json: bool, **options: Any) -> None:  # noqa: ANN401
        command(*args, by=by or login_name(), form=Form.JSON if as_json else Form.PEOPLE, **options)

    return with_options


def csv_option(columns: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command `--csv FILE`; it is called with `path=…`."""
    return click.option("--csv", "path", metavar="FILE", help=f"Read this file instead, - for stdin: {columns}.")


sku_argument = click.argument("sku", callback=stored_text, required=False)
label_argument = click.argument("label", callback=stored_text, required=False)


@click.command()
@sku_argument
@label_argument
@csv_option("columns sku and label; a row without a label stays as it is")
@word_options
@click.pass_obj
def correct(
    opener: CatalogOpener, *, sku: str | None, label: str | None, path: str | None, by: str, form: Form
) -> None:
    """Set the tag of a product, or of each one in a CSV, by a person's word; no model changes it again."""
    from catalog.people import CORRECTED, correct_tag

    _say_label(opener, CORRECTED, correct_tag, (sku, label), path, by=by, form=form)


@click.command()
@sku_argument
@csv_option(
    "columns sku and tag, as `find --csv` writes them, or label where any row has one; only what still shows it is"
    " confirmed"
)
@word_options
@click.pass_obj
def confirm(opener: CatalogOpener, *, sku: str | None, path: str | None, by: str, form: Form) -> None:
    """Keep the tag that a product shows, or each one in a CSV, as a person's word."""
    from catalog.people import CONFIRMED, confirm_tag

    if path is None:
        (product,) = _require("SKU", sku)
        _say(opener, product, form, lambda session, now: confirm_tag(session, product, by=by, now=now))
    else:
        _say_list(opener, path, (sku,), action=CONFIRMED, column=None, by=by, form=form)  # the list says which


@click.command()
@sku_argument
@label_argument
@csv_option("columns sku and label; a row without a label stays as it is")
@word_options
@click.pass_obj
def reject(opener: CatalogOpener, *, sku: str | None, label: str | None, path: str | None, by: str, form: Form) -> None:
    """Say that a label is wrong for a product: its tag follows from the rest, and the label stays away."""
    from catalog.people import REJECTED, reject_label

    _say_label(opener, REJECTED, reject_label, (sku, label), path, by=by, form=form)


@click.command()
@sku_argument
@csv_option("column sku; of each product the last word, but where that was taken back already")
@word_options
@click.pass_obj
def undo(opener: CatalogOpener, *, sku: str | None, path: str | None, by: str, form: Form) -> None:
    """Take back the last word on a product, whoever said it: what stood before it stands again."""
    from catalog.people import UNDONE, undo_word

    if path is None:
        (product,) = _require("SKU", sku)
        undone: list[str] = []
        _say(opener, product, form, lambda session, now: undone.append(undo_word(session, product, by=by, now=now)))
        print_message(f"{product}: taken back: {undone[0]}")
    else:
        _say_list(opener, path, (sku,), action=UNDONE, column=None, by=by, form=form)


def _require(names: str, *arguments: str | None) -> list[str]:
    """The arguments, all of them."""
    there = [argument for argument in arguments if argument is not None]
    if len(there) < len(arguments):
        raise click.UsageError(f"give {names}, or --csv FILE")
    return there


def _say_label(
    opener: CatalogOpener,
    action: str,
    say: Callable[..., None],
    arguments: Sequence[str | None],
    path: str | None,
    *,
    by: str,
    form: Form,
) -> None:
    """A label for one product, by `say`, or those of a CSV."""
    if path is not None:
        _say_list(opener, path, arguments, action=action, column="label", by=by, form=form)
        return
    sku, label = _require("SKU LABEL", *arguments)
    _say(opener, sku, form, lambda session, now: say(session, sku, label, by=by, now=now))


def _say(opener: CatalogOpener, sku: str, form: Form, change: Change) -> None:
    """Make a person's change, and print the product's row as it stands then."""
    from catalog.database import current_time, writing
    from catalog.queries import FIND_COLUMNS, FIND_COLUMNS_FOR_PEOPLE, fetch_tag

    with writing(opener.open_catalog()) as session:
        change(session, current_time(session))
        row = fetch_tag(session, sku)
    print_rows(FIND_COLUMNS_FOR_PEOPLE if form is Form.PEOPLE else FIND_COLUMNS, [row], form=form)


def _say_list(
    opener: CatalogOpener,
    path: str,
    arguments: Sequence[str | None],
    *,
    action: str,
    column: str | None,
    by: str,
    form: Form,
) -> None:
    """The words of a CSV, some at a time; those that are refused are named, and the others stand."""
    from catalog.database import reading
    from catalog.people import CONFIRMED, UNDONE, find_confirmed
    from catalog.word_lists import choose_confirmed, explain, read_rows, read_text, read_undone

    if any(argument is not None for argument in arguments):
        raise click.UsageError("--csv FILE takes the place of the arguments")
    # All of it before the first one is written: a bad file changes nothing.
    text = read_text(path)
    if action == UNDONE:
        said, left = read_undone(text, path)
    else:
        if action == CONFIRMED:
            column = choose_confirmed(text, path)
        rows = read_rows(text, path, column=column)
        said = [row for row in rows if row.text or row.refusal is not None]
        left = [row for row in rows if not row.text and row.refusal is None]
    engine = opener.open_catalog()
    if action == UNDONE and left:
        with reading(engine) as session:
            confirmed = find_confirmed(session, [row.sku for row in left])
        said += [row for row in left if row.sku in confirmed]
        left = [row for row in left if row.sku not in confirmed]
    outcome = _write_words(engine, action, said, by=by)
    refused = [
        (row.line, row.sku, explain(row, answer.refusal)) for row, answer in outcome if answer.refusal is not None
    ]
    stood = sum(answer.stood for _, answer in outcome)
    counts = {action: len(outcome) - len(refused) - stood, "stood_already": stood}
    counts[f"without_{column or 'label'}"] = len(left)
    counts["refused"] = len(refused)
    _say_overruled([row.sku for row, answer in outcome if answer.overrules])
    _report(engine, counts, refused, form=form)


def _say_overruled(skus: Sequence[str]) -> None:
    if skus:
        more = f" and {len(skus) - SHOWN_OVERRULED:,} more" if len(skus) > SHOWN_OVERRULED else ""
        print_message(
            f"{counted(len(skus), 'product')} had another person's word, which `hangtag undo SKU` brings back:"
            f" {', '.join(skus[:SHOWN_OVERRULED])}{more}"
        )


def _report(engine: "Engine", counts: dict[str, int], refused: Sequence[tuple[int, str, str]], *, form: Form) -> None:
    from catalog.database import reading
    from catalog.label_names import load_label_names
    from catalog.people import NO_LABEL

    if form is Form.JSON:
        lines = [{"line": line, "sku": sku, "reason": reason} for line, sku, reason in refused]
        print_record(counts | {"refusals": lines}, form=form)
    else:
        print_record(counts, form=form)
        for line, _, reason in refused[:SHOWN_REFUSALS]:
            print_message(f"line {line} is refused: {reason}")
        if len(refused) > SHOWN_REFUSALS:
            print_message(f"{len(refused) - SHOWN_REFUSALS:,} more lines are refused; --json lists them all")
        if any(reason.startswith(NO_LABEL) for _, _, reason in refused):
            with reading(engine) as session:
                print_message(f"labels are: {', '.join(load_label_names(session).listed())}")
    if refused:
        sys.exit(DONE_WITH_REFUSALS)


def _write_words(engine: "Engine", action: str, rows: "Sequence[Row]", *, by: str) -> "list[tuple[Row, Answer]]":
    """Write the words, and say of each row what became of it."""
    from catalog.database import current_time, reading, writing
    from catalog.label_names import load_label_names
    from catalog.people import UNDONE, Answer, Word, find_repeats, say_words, undo_words

    outcome = {row: Answer(row.refusal) for row in rows if row.refusal is not None}
    taken = [row for row in rows if row not in outcome]
    words = [Word(row.sku, row.text or None) for row in taken]
    with reading(engine) as session:
        repeats = find_repeats(action, words, load_label_names(session))
    left = [(taken[place], words[place]) for place, said in enumerate(repeats) if said == place]
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=len(left), label="words", file=sys.stderr, hidden=hidden) as bar:
        for start in range(0, len(left), WORDS_AT_ONCE):
            some = left[start : start + WORDS_AT_ONCE]
            batch = [word for _, word in some]
            with writing(engine) as session:
                now = current_time(session)
                if action == UNDONE:
                    answers = undo_words(session, [word.sku for word in batch], by=by, now=now)
                else:
                    answers = say_words(session, action, batch, by=by, now=now)
            outcome |= {row: answer for (row, _), answer in zip(some, answers, strict=True)}
            bar.update(len(some))
    for place, said in enumerate(repeats):
        if isinstance(said, str):
            outcome[taken[place]] = Answer(said)
        elif said != place:  # as the first one that says the same
            refusal = outcome[taken[said]].refusal
            outcome[taken[place]] = Answer(refusal, refusal is None)
    return [(row, outcome[row]) for row in rows]
