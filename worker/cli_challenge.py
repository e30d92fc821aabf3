"""`hangtag models challenge`: is a bundle better than the current model, on what no net learnt from?"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from catalog.cli import person_name
from catalog.output import text_for_people, to_json
from worker.errors import FAILED
from worker.settings import Settings

if TYPE_CHECKING:
    from worker.challenging import Challenge, Tagged

# Where people contradicted the current model in more of the products, they looked at its mistakes alone.
MOST_CONTRADICTED = 0.5


@click.command(short_help="Say whether a bundle is better than the current model.")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--promote", "promoting", is_flag=True, help="Import the bundle, and promote it if it is better.")
@click.option("--imported", is_flag=True, help="Count imported categories that nobody judged as right too.")
@click.option("--by", callback=person_name, help="Who promotes it; default: the login name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, and nothing else on stdout.")
@click.pass_obj
def challenge(settings: Settings, bundle: Path, promoting: bool, imported: bool, by: str | None, as_json: bool) -> None:
    """Say whether a bundle is better than the current model, on the fifth of people's products that no net learnt."""
    from catalog.cli_people import login_name
    from catalog.database import DatabaseUnreachableError
    from catalog.errors import CatalogError
    from training.bundle import open_bundle
    from training.cli_progress import read_limits
    from worker.challenging import challenge as measure
    from worker.challenging import import_challenger, promote_challenger
    from worker.cli_tag import progress_bar

    loaded = open_bundle(bundle)
    who = by or (login_name() if promoting else "")
    engine = settings.open_catalog()
    with progress_bar("measuring") as show:
        found = measure(
            engine, loaded, imported=imported, limits=read_limits(settings),
            progress=lambda done, total: show(done, total, ""),
        )  # fmt: skip
    refusal = "; ".join(found.objections) or None
    is_imported = False
    if promoting:
        try:
            model_version_id = import_challenger(engine, loaded)
            is_imported = True
            refusal = refusal or promote_challenger(engine, found, model_version_id, by=who)
        except DatabaseUnreachableError:
            raise
        except CatalogError as error:  # its name, or a label, is another one's
            refusal = "; ".join([str(error), *found.objections])
    said: dict[str, Any] = {"imported": is_imported, "promoted": promoting and refusal is None, "reason": refusal}
    if as_json:
        click.echo(to_json(found.as_json() | said))
    else:
        for line in describe(found):
            click.echo(line)
        click.echo(describe_end(found, promoting=promoting, imported=is_imported, refusal=refusal))
    if promoting and not is_imported:
        sys.exit(FAILED)


def describe(found: "Challenge") -> list[str]:
    """The figures as people read them."""
    from training.paired_answers import count_by_label

    count = found.count
    lines = [f"{count.products:,} held-out products with {found.photos:,} photos"]
    if found.unreadable:
        lines[0] += f"; {found.unreadable:,} more have no photo that can be read"
    if not count.products:
        return lines
    rows = [("label", "products", "current", "challenger")]
    rows += [
        (text_for_people(name), f"{its.products:,}", f"{its.current:,}", f"{its.challenger:,}")
        for name, its in count_by_label(found.pairs).items()
    ]
    rows.append(("right in all", f"{count.products:,}", f"{count.current:,}", f"{count.challenger:,}"))
    width = max(len(row[0]) for row in rows)
    lines += [f"{name:<{width}}{products:>11}{current:>11}{other:>13}" for name, products, current, other in rows]
    lines += [
        describe_rival(f"{found.current} (current)", count.current, count.products, found.current_tagged),
        describe_rival(f"{found.challenger} (challenger)", count.challenger, count.products, found.challenger_tagged),
        f"right by the challenger alone: {count.challenger_alone:,}, by the current model alone: "
        f"{count.current_alone:,}; were both equally good, chance would give that in {found.chance:.1%} of tries",
    ]
    if found.current_learnt_list:
        lines.append(
            f"{text_for_people(found.current)} did not learn --from-catalog: it may have learnt from these products,"
            " and be less right on others"
        )
    if count.current < count.products * MOST_CONTRADICTED:
        lines.append(
            "people contradict the current model in most of these products: where they look at its mistakes alone, "
            "any other model seems better; confirm what it has right, too"
        )
    return lines


def describe_rival(name: str, right: int, products: int, tagged: "Tagged") -> str:
    """A model's shares in a line."""
    shares = [
        f"{_percent(right, products)} right",
        f"{_percent(tagged.label, products)} tagged with a label, {_percent(tagged.label_right, tagged.label)} of these"
        " right",
        f"{_percent(tagged.label_or_parent, products)} with label or parent, "
        f"{_percent(tagged.label_or_parent_right, tagged.label_or_parent)} of these right",
    ]
    return f"{name}: {'; '.join(shares)}"


def _percent(part: int, of: int) -> str:
    return f"{part / of:.1%}" if of else "-"


def describe_end(found: "Challenge", *, promoting: bool, imported: bool, refusal: str | None) -> str:
    """What became of the challenger."""
    name = text_for_people(found.challenger)
    if refusal is None:
        better = f"{name} is better than {text_for_people(found.current)}"
        return f"{better}, and is the current model now" if promoting else f"{better}; --promote makes it current"
    kept = f"{name} would not be promoted"
    if promoting:
        kept = f"{name} is imported and not promoted" if imported else f"{name} is not imported"
    return f"{kept}: {text_for_people(refusal)}"
