"""`hangtag models …` and `hangtag evaluate`: what needs both the catalog and a bundle."""

import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from catalog.cli import person_name, stored_text
from catalog.cli_pages import Paging, html_option, paging_options, print_pages, was_typed, write_sheet
from catalog.output import Form, output_options, print_message, print_record, print_rows
from worker.cli_challenge import challenge
from worker.errors import FAILED
from worker.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from catalog.models import ModelVersion
    from catalog.pages import Page
    from training.bundle import Bundle

COLUMNS_FOR_PEOPLE = ("name", "current", "previous", "predictions", "promoted_at", "promoted_by")  # fits a terminal
COLUMNS = (
    "name", "attribute", "current", "previous", "labels", "predictions", "imported_at", "promoted_at", "promoted_by",
    "sha256",
)  # fmt: skip
BY = click.option("--by", callback=person_name, help="Who does it; default: the login name.")


def _stored_texts(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str | None, ...]:
    return tuple(stored_text(context, parameter, value) for value in values)


@click.group()
def models() -> None:
    """List, import, remove, compare and promote model versions, and set their thresholds."""


models.add_command(challenge)


@models.command("list")
@output_options
@click.pass_obj
def list_models(settings: Settings, *, form: Form) -> None:
    """List the catalog's model versions, oldest first."""
    from catalog.database import reading
    from catalog.model_versions import list_model_versions

    with reading(settings.open_catalog()) as session:
        columns = COLUMNS_FOR_PEOPLE if form is Form.PEOPLE else COLUMNS
        print_rows(columns, list_model_versions(session), form=form)


@models.command("show", short_help="Show a model version's manifest; without NAME the current.")
@click.argument("name", callback=stored_text, required=False)
@output_options
@click.pass_obj
def show_model(settings: Settings, *, name: str | None, form: Form) -> None:
    """Show a model version's manifest; without NAME the current one's."""
    import json

    from catalog.database import reading

    with reading(settings.open_catalog()) as session:
        print_record(json.loads(_find(session, name).manifest), form=form)


@models.command("import")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.pass_obj
def import_model(settings: Settings, bundle: Path) -> None:
    """Store a bundle in the catalog; it is not promoted.

    BUNDLE is a folder with manifest.json and model.tflite, or the name of one that comes with hangtag: fashion-mnist.
    """
    from catalog.database import current_time, writing
    from catalog.model_versions import current_model_version_id
    from training.bundle import open_bundle
    from training.classifier import Classifier
    from worker.models import import_bundle

    loaded = open_bundle(bundle)
    Classifier(loaded)  # an artifact that does not run is refused here, not by a worker at night
    name = loaded.manifest.name
    with writing(settings.open_catalog()) as session:
        is_current = import_bundle(session, loaded, now=current_time(session)) == current_model_version_id(session)
    if is_current:
        print_message(f"{name} is the current model already")
        return
    print_message(f"imported {name}; `hangtag models promote {name}` makes it current")


@models.command("remove", short_help="Delete a model version that never classified.")
@click.argument("name", callback=stored_text)
@click.pass_obj
def remove_model(settings: Settings, name: str) -> None:
    """Delete a model version that never classified, with the labels that it alone brought.

    It is for a bundle that was imported by mistake: one that was promoted, or that a run classified with, stays.
    """
    from catalog.database import stop_writers, writing
    from catalog.imported import renew_imported
    from catalog.model_versions import find_model_version, remove_model_version

    engine = settings.open_catalog()
    with writing(engine) as session:
        stop_writers(session)
        labels = remove_model_version(session, find_model_version(session, name))
    if labels:
        renew_imported(engine)  # another label may be called as one of these was
    gone = f"; no labels any more: {', '.join(labels)}" if labels else ""
    print_message(f"{name} is removed{gone}")


@models.command("promote", short_help="Make a model version the current one; tags follow.")
@click.argument("name", callback=stored_text)
@click.option(
    "--mapping",
    metavar="FILE",
    help="CSV with the columns label,catalog_label: what labels that the catalog does not know are called in it.",
)
@BY
@click.pass_obj
def promote_model(settings: Settings, name: str, mapping: str | None, by: str | None) -> None:
    """Make a model version the current one; tags follow where it has predictions, the rest is due."""
    from catalog.label_mappings import read_mapping
    from catalog.model_versions import find_model_version
    from catalog.word_lists import read_text

    words = None if mapping is None else read_mapping(read_text(mapping), mapping)
    _promote(settings, lambda session: find_model_version(session, name), by, words)


@models.command("rollback", short_help="Make the model version before the current one current.")
@BY
@click.pass_obj
def rollback_model(settings: Settings, by: str | None) -> None:
    """Make the model version that was current before the current one again, and its tags."""
    from catalog.errors import CatalogError
    from catalog.model_versions import previous_model_version

    def choose(session: "Session") -> "ModelVersion":
        previous = previous_model_version(session)
        if previous is None:
            raise CatalogError("no model version was current before this one")
        return previous

    _promote(settings, choose, by)


def _promote(
    settings: Settings,
    choose: Callable[["Session"], "ModelVersion"],
    by: str | None,
    mapping: Mapping[str, str] | None = None,
) -> None:
    from catalog.cli_people import login_name
    from catalog.database import current_time, stop_writers, writing
    from catalog.imported import renew_imported
    from catalog.model_versions import current_model_version
    from catalog.promotions import make_current
    from catalog.pruning import prune_predictions
    from worker.cli_tag import progress_bar

    engine = settings.open_catalog()
    with progress_bar("deriving tags", unit="products") as show, writing(engine) as session:
        stop_writers(session)  # first: which one was current before is not known while another promotion is under way
        version = choose(session)
        name = version.name
        if version is current_model_version(session, attribute=version.attribute):
            print_message(f"{name} is the current model already")
            return
        derived = make_current(
            session, version, mapping=mapping, by=by or login_name(), now=current_time(session),
            progress=lambda done, total: show(done, total, ""),
        )  # fmt: skip
    with progress_bar("imported categories", unit="products") as show:
        renew_imported(engine, progress=lambda done, total: show(done, total, ""))  # it may have brought their labels
    print_message(
        f"{name} is the current model: {derived.products} products judged by what it has predicted,"
        f" {derived.changed} changed; `hangtag retag` classifies with it what it has not seen"
    )
    pruned = prune_predictions(engine)
    if pruned:
        print_message(f"{pruned} predictions of older model versions, which no tag refers to, are deleted")
    engine.dispose()


@models.command("thresholds", short_help="Show or set the thresholds of a model version.")
@click.argument("name", callback=stored_text, required=False)
@click.option("--set", "settings_of", metavar="LABEL=NUMBER", multiple=True, help="Set one; may be given again.")
@click.option("--reset", is_flag=True, help="Go back to what the bundle came with, but for what --set names.")
@BY
@output_options
@click.pass_obj
def thresholds(
    settings: Settings, *, name: str | None, settings_of: tuple[str, ...], reset: bool, by: str | None, form: Form
) -> None:
    """Show or set the thresholds of a model version (default: the current one); its tags follow, without inference."""
    from catalog.cli_people import login_name
    from catalog.database import current_time, reading, writing
    from catalog.thresholds import THRESHOLD_COLUMNS, list_thresholds, set_thresholds
    from worker.cli_tag import progress_bar

    wanted = dict(_parse_threshold(text) for text in settings_of)
    engine = settings.open_catalog()
    if wanted or reset:
        with progress_bar("deriving tags", unit="products") as show, writing(engine) as session:
            derived = set_thresholds(
                session, _find(session, name), wanted, reset=reset, by=by or login_name(), now=current_time(session),
                progress=lambda done, total: show(done, total, ""),
            )  # fmt: skip
        print_message(f"{derived.changed} products show another tag, {derived.products} were judged again")
    with reading(engine) as session:
        print_rows(THRESHOLD_COLUMNS, list_thresholds(session, _find(session, name)), form=form)
    engine.dispose()


def _parse_threshold(text: str) -> tuple[str, float]:
    """Label and number of LABEL=NUMBER; a label may have a "=" in it."""
    from catalog.errors import CatalogError
    from catalog.output import store_text

    label, equals, number = text.rpartition("=")
    try:
        return store_text(label), float(number if equals else "")
    except ValueError as error:
        raise CatalogError(f"--set {text}: write LABEL=NUMBER, as in --set Coat=0.8") from error


@models.command("compare", short_help="Say what promoting B would change in this catalog.")
@click.argument("names", metavar="[A] B", nargs=-1, required=True, callback=_stored_texts)
@click.option("--changes", is_flag=True, help="The products whose tag it would change: from what, to what.")
@paging_options
@html_option
@output_options
@click.pass_context
def compare_models(
    context: click.Context, *, names: tuple[str, ...], changes: bool, paging: Paging, html: str | None, form: Form
) -> None:
    """Say what promoting B would change in this catalog, and which is right more often; A is the current model.

    With --changes the products; with --html these as a contact sheet, to look at before B is promoted.
    """
    from catalog.comparison import compare_versions
    from catalog.database import reading
    from catalog.teaching import shared_contents
    from training.taught_labels import LIST
    from worker.cli_tag import progress_bar
    from worker.teaching import HeldOut

    if len(names) > 2:  # noqa: PLR2004  (A and B)
        raise click.UsageError("give one model version, or two")
    if changes:
        _print_differences(context, names, paging=paging, html=html, form=form)
        return
    if html is not None or any(was_typed(context, name) for name in ("limit", "everything", "cursor")):
        raise click.UsageError("--html, --limit, --all and --cursor go with --changes")
    with reading(context.obj.open_catalog()) as session:
        first, second = _find_both(session, names)
        learnt = {version.name: _origin(session, version) for version in (first, second)}
        taught = any(learnt.values())
        with (
            closing(HeldOut(shared_contents(session) if taught else ())) as held_out,
            progress_bar("comparing", unit="products") as show,
        ):
            comparison = compare_versions(
                session, first, second, measures=held_out.takes if taught else lambda _sku: True,
                progress=lambda done, total: show(done, total, ""),
            )  # fmt: skip
    print_record(comparison, form=form)
    if taught:
        print_message("accuracy is of the fifth of people's products that is held out from learning")
    for name, origin in learnt.items():
        if origin == LIST:
            print_message(f"{name} learnt from a list of its own: it may know these products too")


def _print_differences(
    context: click.Context, names: tuple[str, ...], *, paging: Paging, html: str | None, form: Form
) -> None:
    """What `models compare --changes` does."""
    from catalog.comparison import DIFFERENCE_COLUMNS, Differences
    from worker.cli_tag import progress_bar

    differences: Differences | None = None
    show: Callable[[int, int, str], None]

    def ask(session: "Session", *, limit: int, cursor: str | None) -> "Page":
        nonlocal differences, show
        with progress_bar("comparing", unit="products") as show:  # a page's: rows are printed in between
            if differences is None:
                differences = Differences(
                    session, _find_both(session, names), progress=lambda done, total: show(done, total, "")
                )
            return differences.page(limit=limit, cursor=cursor)

    if html is None:
        print_pages(context, DIFFERENCE_COLUMNS, ask, {}, paging=paging, form=form)
        return
    what = f"{names[-1]} would change against {names[0]}" if names[1:] else f"promoting {names[-1]} would change"
    write_sheet(
        context, html, ask, {}, heading=f"What {what}", for_review=False,
        paging=paging, form=form, note=lambda row: f"{row['from'] or 'no tag'} → {row['to'] or 'no tag'}",
    )  # fmt: skip


def _find_both(session: "Session", names: tuple[str, ...]) -> "tuple[ModelVersion, ModelVersion]":
    """A, or the current version where B alone is named, and B."""
    return _find(session, names[0] if names[1:] else None), _find(session, names[-1])


def _origin(session: "Session", version: "ModelVersion") -> str | None:
    """What a shop's own net learnt from: the catalog, but for a fifth of its products, or a list; None: neither."""
    from worker.models import load_bundle

    origin = load_bundle(session, version.id).manifest.metrics.get("learnt_from")
    return None if origin is None else str(origin)


@models.command("trainings", short_help="List the scheduled trainings, newest first.")
@output_options
@click.pass_obj
def trainings(settings: Settings, *, form: Form) -> None:
    """List the scheduled trainings (HANGTAG_TRAINING), newest first: what became of each, and why."""
    from catalog.database import current_time, reading
    from catalog.trainings import TRAINING_COLUMNS, list_trainings

    with reading(settings.open_catalog()) as session:
        print_rows(TRAINING_COLUMNS, list_trainings(session, now=current_time(session)), form=form)


def _find(session: "Session", name: str | None) -> "ModelVersion":
    """The model version of this name, or the current one."""
    from catalog.errors import CatalogError
    from catalog.model_versions import current_model_version, find_model_version

    version = find_model_version(session, name) if name else current_model_version(session)
    if version is None:
        raise CatalogError("the catalog has no current model: `hangtag models promote NAME` sets one")
    return version


@click.command()
@click.argument("labels_csv", metavar="LABELS.csv", type=click.Path(path_type=Path))
@click.option("--image-column", required=True, help="Column with the image's path, absolute or relative to the CSV.")
@click.option("--label-column", required=True, help="Column with the right label; empty: none of the model's.")
@click.option("--bundle", type=click.Path(path_type=Path), help="Default: the catalog's current model, or the shipped.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, and nothing else on stdout.")
@click.pass_obj
def evaluate(
    settings: Settings, labels_csv: Path, image_column: str, label_column: str, bundle: Path | None, as_json: bool
) -> None:
    """Say how right the current model, or a bundle, is on labelled photos."""
    import json

    from training.cli_progress import read_limits
    from training.evaluation import describe_evaluation, evaluate_bundle, read_labels
    from worker.cli_tag import progress_bar

    chosen = _bundle(settings, bundle)
    rows = read_labels(labels_csv, image_column=image_column, label_column=label_column)
    with progress_bar("evaluating") as show:
        evaluation = evaluate_bundle(
            chosen, rows, limits=read_limits(settings), progress=lambda done: show(done, len(rows), "")
        )
    click.echo(json.dumps(evaluation.as_json()) if as_json else describe_evaluation(evaluation))
    if evaluation.failures:
        sys.exit(FAILED)


def _bundle(settings: Settings, folder: Path | None) -> "Bundle":
    """The bundle of --bundle, or of the catalog's current model, or the shipped one where no catalog is."""
    from training.bundle import open_bundle, shipped_bundle

    if folder is not None:
        return open_bundle(folder)
    if settings.is_local and not (settings.home / "catalog.db").exists():
        return shipped_bundle()
    from catalog.database import reading
    from catalog.model_versions import current_model_version
    from worker.models import load_as_set

    with reading(settings.open_catalog()) as session:
        current = current_model_version(session)
        return shipped_bundle() if current is None else load_as_set(session, current)
