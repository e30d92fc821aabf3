"""`hangtag models …` and `hangtag evaluate`: what needs both the catalog and a bundle."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from catalog.output import Form, output_options, print_message, print_record, print_rows
from worker.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from catalog.models import ModelVersion
    from training.bundle import Bundle

COLUMNS = ("name", "attribute", "current", "labels", "imported_at", "sha256")
BY = click.option("--by", help="Who does it; default: the login name.")


@click.group()
def models() -> None:
    """List, import and promote model versions."""


@models.command("list")
@output_options
@click.pass_obj
def list_models(settings: Settings, *, form: Form) -> None:
    """List the catalog's model versions, oldest first."""
    from catalog.database import reading
    from catalog.model_versions import list_model_versions

    with reading(settings.open_catalog()) as session:
        print_rows(COLUMNS, list_model_versions(session), form=form)


@models.command("show")
@click.argument("name", required=False)
@output_options
@click.pass_obj
def show_model(settings: Settings, *, name: str | None, form: Form) -> None:
    """Show a model version's manifest; without NAME the current one's."""
    import json

    from catalog.database import reading
    from catalog.errors import CatalogError
    from catalog.model_versions import current_model_version, find_model_version

    with reading(settings.open_catalog()) as session:
        version = find_model_version(session, name) if name else current_model_version(session)
        if version is None:
            raise CatalogError("the catalog has no current model: `hangtag models promote NAME` sets one")
        print_record(json.loads(version.manifest), form=form)


@models.command("import")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.pass_obj
def import_model(settings: Settings, bundle: Path) -> None:
    """Store a bundle (a folder with manifest.json and model.tflite) in the catalog; it is not promoted."""
    from catalog.database import current_time, writing
    from training.bundle import read_bundle
    from training.classifier import Classifier
    from worker.models import import_bundle

    loaded = read_bundle(bundle)
    Classifier(loaded)  # an artifact that does not run is refused here, not by a worker at night
    with writing(settings.open_catalog()) as session:
        import_bundle(session, loaded, now=current_time(session))
    print_message(f"imported {loaded.manifest.name}; `hangtag models promote {loaded.manifest.name}` makes it current")


@models.command("promote")
@click.argument("name")
@BY
@click.pass_obj
def promote_model(settings: Settings, name: str, by: str | None) -> None:
    """Make a model version the current one; the next runs classify with it what it has not seen."""
    from catalog.model_versions import find_model_version

    _promote(settings, lambda session: find_model_version(session, name), by)


@models.command("rollback")
@BY
@click.pass_obj
def rollback_model(settings: Settings, by: str | None) -> None:
    """Make the model version that was current before the current one again."""
    from catalog.errors import CatalogError
    from catalog.model_versions import previous_model_version

    def choose(session: "Session") -> "ModelVersion":
        previous = previous_model_version(session)
        if previous is None:
            raise CatalogError("no model version was current before this one")
        return previous

    _promote(settings, choose, by)


def _promote(settings: Settings, choose: Callable[["Session"], "ModelVersion"], by: str | None) -> None:
    from catalog.cli_people import login_name
    from catalog.database import current_time, writing
    from catalog.model_versions import promote

    with writing(settings.open_catalog()) as session:
        version = choose(session)
        now: datetime = current_time(session)
        promote(session, version.id, attribute=version.attribute, by=by or login_name(), now=now)
        print_message(f"{version.name} is the current model; `hangtag retag` classifies with it what it has not seen")


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

    from training.evaluation import describe_evaluation, evaluate_bundle, read_labels
    from worker.cli_tag import progress_bar

    chosen = _bundle(settings, bundle)
    rows = read_labels(labels_csv, image_column=image_column, label_column=label_column)
    with progress_bar("evaluating") as show:
        evaluation = evaluate_bundle(
            chosen, rows, max_pixels=settings.max_pixels, progress=lambda done: show(done, len(rows), "")
        )
    click.echo(json.dumps(evaluation.as_json()) if as_json else describe_evaluation(evaluation))


def _bundle(settings: Settings, folder: Path | None) -> "Bundle":
    """The bundle of --bundle, or of the catalog's current model, or the shipped one where no catalog is."""
    from training.bundle import read_bundle, shipped_bundle

    if folder is not None:
        return read_bundle(folder)
    if settings.is_local and not (settings.home / "catalog.db").exists():
        return shipped_bundle()
    from catalog.database import reading
    from catalog.model_versions import current_model_version
    from worker.models import load_bundle

    with reading(settings.open_catalog()) as session:
        current = current_model_version(session)
        return shipped_bundle() if current is None else load_bundle(session, current.id)
