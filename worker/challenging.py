"""A challenger against the current model: both answer for the products that no net learnt from.

Photos are decoded and classified as `hangtag evaluate` does, and a product's answer follows from them by the rule of
tags. Leaves to `training.paired_answers` which of the two is better.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from catalog.database import current_time, reading, stop_writers, writing
from catalog.decisions import Decision, ImagePrediction, LabelSet, ModelOutput, decide
from catalog.errors import CatalogError
from catalog.imported import renew_imported
from catalog.model_versions import current_model_version, load_label_set
from catalog.models import Label, ModelVersion
from catalog.promotions import make_current
from catalog.pruning import prune_predictions
from catalog.teaching import TaughtPhoto, labels_people_use, shared_contents
from training.bundle import Bundle
from training.evaluation import LabelledImage, classify_rows
from training.paired_answers import Count, Pair, count_by_label, count_pairs, find_objections, measure_chance
from training.photo_sets import Limits
from training.taught_labels import LIST
from worker.errors import UsageError
from worker.models import import_bundle, load_bundle
from worker.teaching import HeldOut, held_out_photos, photo_path


@dataclass(frozen=True)
class Rival:
    """A model that answers. Its labels are the catalog's ids; those that the catalog does not know are below 0."""

    bundle: Bundle
    labels: LabelSet

    @property
    def name(self) -> str:
        """Of the model version."""
        return self.bundle.manifest.name

    @property
    def learnt_list(self) -> bool:
        """Whether it learnt from a list of its own, where held-out products may stand."""
        return self.bundle.manifest.metrics.get("learnt_from") == LIST


@dataclass(frozen=True)
class Tagged:
    """How many products a model would tag, with a label or at least with a parent, and how many of these are right."""

    label: int
    label_right: int
    label_or_parent: int
    label_or_parent_right: int


@dataclass(frozen=True)
class Challenge:
    """What came of it. Counts are products but for `photos`; those of `unreadable` have no photo that can be read."""

    current: str
    challenger: str
    current_id: int
    photos: int
    unreadable: int
    pairs: Sequence[Pair]
    current_tagged: Tagged
    challenger_tagged: Tagged
    objections: Sequence[str]
    current_learnt_list: bool

    @property
    def count(self) -> Count:
        """Of all products."""
        return count_pairs(self.pairs)

    @property
    def chance(self) -> float:
        """How probable so many wins are if both models were equally good."""
        return measure_chance(self.count.challenger_alone, self.count.current_alone)

    def as_json(self) -> dict[str, Any]:
        """The object that `hangtag models challenge --json` prints, but for what became of the challenger."""
        counts = {name: _count_as_json(its) for name, its in count_by_label(self.pairs).items()}
        return {
            "current": self.current, "challenger": self.challenger, "photos": self.photos,
            "unreadable": self.unreadable, **_count_as_json(self.count),
            "current_tagged": vars(self.current_tagged), "challenger_tagged": vars(self.challenger_tagged),
            "chance": self.chance, "labels": counts, "better": not self.objections,
            "objections": list(self.objections),
        }  # fmt: skip


def _count_as_json(count: Count) -> dict[str, Any]:
    return {
        "products": count.products, "current_right": count.current, "challenger_right": count.challenger,
        "current_alone": count.current_alone, "challenger_alone": count.challenger_alone,
    }  # fmt: skip


def challenge(
    engine: Engine, bundle: Bundle, *, imported: bool, limits: Limits, progress: Callable[[int, int], None]
) -> Challenge:
    """Measure the current model and `bundle` on the held-out products.

    Args:
        imported: count imported categories that nobody judged as right too.
        progress: called with the photos done, of both models' together.

    Raises:
        UsageError: there is no current model, or the bundle is it.
        TrainingError: not one of the photos is there.
    """
    with reading(engine) as session:
        version, current = _current_rival(session)
        if version.sha256 == bundle.sha256:
            raise UsageError(f"{version.name} is the current model already")
        challenger = Rival(bundle, _catalog_labels(session, bundle))
        with closing(HeldOut(shared_contents(session))) as held_out:
            photos = list(_each_once(held_out_photos(session, held_out, imported=imported)))
        current_id = version.id
        lost = _lost_labels(session, current, challenger)
    total = 2 * len(photos)
    answers = (
        _answer(current, photos, limits, lambda done: progress(done, total)),
        _answer(challenger, photos, limits, lambda done: progress(len(photos) + done, total)),
    )
    return _compare(current, challenger, current_id, photos, answers, lost)


def _each_once(photos: Iterable[TaughtPhoto]) -> Iterator[TaughtPhoto]:
    """The photos, product by product, each content of it once as for its tag, without products that show just what one
    before shows, and have its label.

    McNemar's test takes products as independent: twelve sizes on one photo would be twelve findings.
    """
    met: set[tuple[int, frozenset[bytes]]] = set()
    for _, its_photos in groupby(photos, key=lambda photo: photo.sku):
        shown: dict[bytes, TaughtPhoto] = {}
        for photo in its_photos:
            shown.setdefault(photo.content_hash, photo)
        what = (next(iter(shown.values())).label_id, frozenset(shown))
        if what not in met:
            met.add(what)
            yield from shown.values()


def _compare(
    current: Rival,
    challenger: Rival,
    current_id: int,
    photos: Sequence[TaughtPhoto],
    answers: Sequence[Mapping[str, Decision]],
    lost: Sequence[str],
) -> Challenge:
    said = {photo.sku: photo for photo in photos}
    both = [sku for sku in said if all(sku in found for found in answers)]
    pairs = [Pair(said[sku].label, *(_best(found[sku]) == said[sku].label_id for found in answers)) for sku in both]
    tagged = [
        _count_tags([(said[sku], found[sku].label_id) for sku in both], _label_ids(rival))
        for found, rival in zip(answers, (current, challenger), strict=True)
    ]
    return Challenge(
        current=current.name,
        challenger=challenger.name,
        current_id=current_id,
        photos=len(photos),
        unreadable=len(said) - len(both),
        pairs=pairs,
        current_tagged=tagged[0],
        challenger_tagged=tagged[1],
        objections=find_objections(pairs, lost_labels=lost, may_know_them=challenger.learnt_list),
        current_learnt_list=current.learnt_list,
    )


def _count_tags(tags: Sequence[tuple[TaughtPhoto, int | None]], labels: Collection[int]) -> Tagged:
    """The counts of products and the tags that a model would give them; `labels` are those that are no parents."""
    by_label = [photo.label_id == tag for photo, tag in tags if tag in labels]
    by_either = [tag in (photo.label_id, photo.parent_id) for photo, tag in tags if tag is not None]
    return Tagged(len(by_label), sum(by_label), len(by_either), sum(by_either))


def _best(decision: Decision) -> int:
    return decision.guesses[0][0]


def _answer(
    rival: Rival, photos: Sequence[TaughtPhoto], limits: Limits, progress: Callable[[int], None]
) -> dict[str, Decision]:
    """What a model says of each product that has a readable photo, by SKU."""
    if not photos:
        return {}
    rows = [LabelledImage(Path(photo_path(photo)), photo.label) for photo in photos]
    probabilities, _ = classify_rows(rival.bundle, rows, limits=limits, progress=progress)
    readable = [index for index in range(len(photos)) if not np.isnan(probabilities[index, 0])]
    return {
        sku: decide([ImagePrediction(index, probabilities[index].tolist()) for index in indices], rival.labels)
        for sku, indices in groupby(readable, key=lambda index: photos[index].sku)
    }


def _current_rival(session: Session) -> tuple[ModelVersion, Rival]:
    version = current_model_version(session)
    if version is None:
        raise UsageError("the catalog has no current model to challenge: `hangtag models promote NAME` sets one")
    return version, Rival(load_bundle(session, version.id), load_label_set(session, version.id))


def _catalog_labels(session: Session, bundle: Bundle) -> LabelSet:
    """A bundle's labels by the catalog's ids: as they were imported, or by name where the bundle was not."""
    known = session.scalar(select(ModelVersion.id).where(ModelVersion.sha256 == bundle.sha256))
    if known is not None:
        return load_label_set(session, known)
    manifest = bundle.manifest
    ids = dict(session.execute(select(Label.name, Label.id)).all())
    names = [label.name for label in manifest.labels] + [parent.name for parent in manifest.parents]
    for number, name in enumerate(names, start=1):
        ids.setdefault(name, -number)
    return LabelSet(
        outputs=tuple(
            ModelOutput(
                label_id=ids[label.name],
                parent_id=None if label.parent is None else ids[label.parent],
                threshold=label.threshold,
                is_other=label.name == manifest.other,
            )
            for label in manifest.labels
        ),
        parent_thresholds={ids[parent.name]: parent.threshold for parent in manifest.parents},
    )


def _label_ids(rival: Rival) -> set[int]:
    """The labels that a model tags with."""
    return {output.label_id for output in rival.labels.outputs if not output.is_other}


def _lost_labels(session: Session, current: Rival, challenger: Rival) -> list[str]:
    """The labels that the current model tags and people use, and the challenger cannot say."""
    gone = _label_ids(current) - _label_ids(challenger)
    return [name for label_id, name in labels_people_use(session).items() if label_id in gone]


def import_challenger(engine: Engine, bundle: Bundle) -> int:
    """The id of the challenger's model version, imported if it was not; it is not promoted."""
    with writing(engine) as session:
        return import_bundle(session, bundle, now=current_time(session))


def promote_challenger(engine: Engine, found: Challenge, model_version_id: int, *, by: str) -> str | None:
    """Make the challenger current, and its tags; None, or why it was not."""
    try:
        with writing(engine) as session:
            stop_writers(session)  # first: a promotion under way would be waited for, and then be undone
            current = current_model_version(session)
            if current is None or current.id != found.current_id:
                return f"{found.current} is not the current model any more"
            make_current(session, session.get_one(ModelVersion, model_version_id), by=by, now=current_time(session))
    except CatalogError as error:  # it has labels that need a person's word
        return str(error)
    renew_imported(engine)
    prune_predictions(engine)
    return None
