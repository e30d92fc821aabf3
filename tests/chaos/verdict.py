"""What a catalog says at the end, and what is wrong with it beside an undisturbed run's."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, select

from catalog.database import reading
from catalog.models import Chunk, Image, Label, Prediction, Product, Run, Tag


@dataclass(frozen=True)
class End:
    """Names of failed images with their codes, and probabilities by name, each as its content's one prediction says."""

    failed: Mapping[str, str]
    probabilities: Mapping[str, tuple[float, ...]]
    predictions: int


def read_end(engine: Engine) -> End:
    """What became of each image."""
    with reading(engine) as session:
        rows = session.execute(select(Image.key, Image.content_hash, Image.failure_code)).all()
        predicted = {row.content_hash: tuple(row.probabilities) for row in
                     session.execute(select(Prediction.content_hash, Prediction.probabilities))}  # fmt: skip
    failed = {row.key: row.failure_code for row in rows if row.failure_code is not None}
    known = {row.key: predicted[row.content_hash] for row in rows
             if row.failure_code is None and row.content_hash in predicted}  # fmt: skip
    return End(failed, known, len(predicted))


def find_faults(
    engine: Engine, run_id: int, undisturbed: End, hostile: set[str], words: Mapping[str, str]
) -> list[str]:
    """What is not as it ought to be, a line each.

    Args:
        words: what people said, label by SKU.
    """
    end = read_end(engine)
    faults = []
    if set(end.failed) != hostile:
        wrong = {key: end.failed.get(key, "no failure") for key in sorted(set(end.failed) ^ hostile)[:5]}
        faults.append(f"failed are {len(end.failed)}, hostile {len(hostile)}; among them {wrong}")
    if end.failed != undisturbed.failed:
        others = {key: code for key, code in end.failed.items() if undisturbed.failed.get(key) != code}
        faults.append(f"codes differ: {dict(list(others.items())[:5])}")
    if end.probabilities != undisturbed.probabilities:
        same = sum(end.probabilities.get(key) == value for key, value in undisturbed.probabilities.items())
        faults.append(f"{same} of {len(undisturbed.probabilities)} predictions equal the undisturbed run's")
    if end.predictions != undisturbed.predictions:
        faults.append(f"{end.predictions} predictions, {undisturbed.predictions} contents")
    return faults + _count_faults(engine, run_id, len(hostile)) + _word_faults(engine, words)


def _count_faults(engine: Engine, run_id: int, hostile: int) -> list[str]:
    with reading(engine) as session:
        run = session.get_one(Run, run_id)
        waiting = session.scalars(select(Image.id).where(Image.chunk_id.is_not(None))).all()
        states = set(session.scalars(select(Chunk.state)))
    faults = []
    if (run.state, run.failed, run.tagged + run.review) != ("done", hostile, run.images - hostile):
        faults.append(f"run: {run.state}, images {run.images}, tagged {run.tagged}, review {run.review},"
                      f" failed {run.failed}")  # fmt: skip
    if run.classified + run.reused != run.images - hostile:
        faults.append(f"run: classified {run.classified}, reused {run.reused}")
    if waiting or states != {"done"}:
        faults.append(f"{len(waiting)} images wait, chunks are {sorted(states)}")
    return faults


def _word_faults(engine: Engine, words: Mapping[str, str]) -> list[str]:
    with reading(engine) as session:
        query = select(Product.sku, Label.name).join(Tag, Tag.product_id == Product.id)
        said = {row.sku: row.name for row in session.execute(query.join(Label, Label.id == Tag.human_label_id))}
    return [] if said == dict(words) else [f"people said {len(words)} words, {len(said)} stand"]
