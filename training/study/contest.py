"""The fits of the study, one after the other, each kept as soon as it is done.

Owns the work folder: for each fit a bundle, a record beside it (the history, and what it was a fit of), and while it
runs the checkpoint. A contest that was killed goes on from there. Leaves the fit itself to `recipes`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from training.bundle import Bundle, BundleError, read_bundle, write_bundle
from training.errors import TrainingError
from training.fitting import Progress
from training.recipes import Made, Parts, Plan, make_bundle
from training.study.entries import Entry, plan_fit
from training.study.lessons import EASY_SHARE, EASY_WEIGHT, ask, ask_teachers, teach_images, weigh_images
from training.whole_files import write_whole

_SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class Fit:
    """A net of the study that is fitted: who, with which seed, the bundle, and how it went, epoch by epoch."""

    entry: Entry
    seed: int
    bundle: Bundle
    history: Sequence[dict[str, float]]

    @property
    def minutes(self) -> float:
        """How long the training took, over all resumptions."""
        return self.history[-1]["elapsed_s"] / _SECONDS_A_MINUTE


@dataclass(frozen=True)
class Contest:
    """What is to be fitted: the nets, the seeds, and what is asked for in place of the recipes."""

    entries: Sequence[Entry]
    seeds: Sequence[int]
    epochs: int | None = None
    quick: bool = False

    def list_plans(self) -> list[tuple[Entry, Plan]]:
        """Each net with each seed, first those without a teacher; of these, and then of the others, all once before any
        of them twice, so that a broken run can be compared.
        """
        untaught = [entry for entry in self.entries if entry.taught_by is None]
        taught = [entry for entry in self.entries if entry.taught_by is not None]
        return [
            (entry, plan_fit(entry, seed=seed, epochs=self.epochs, quick=self.quick))
            for entries in (untaught, taught)
            for seed in self.seeds
            for entry in entries
        ]

    def identify_fits(self, parts: Parts) -> dict[str, str]:
        """By the plan's name a hex digest of all that decides what comes out: the recipe, the images learnt from,
        chosen by and measured on, and the fits of the nets that it learns from.
        """
        digest = hashlib.sha256()
        for part in (parts.validation, parts.test):
            digest.update(np.ascontiguousarray(part.images).data)
            digest.update(np.ascontiguousarray(part.targets).data)
        identities: dict[str, str] = {}
        fits_of: dict[str | None, list[str]] = {None: [""]}
        for entry, plan in self.list_plans():
            own = digest.copy()
            own.update(plan.recipe.fingerprint(parts.training, fits_of[entry.eased_by][0]).encode())
            own.update(repr((fits_of[entry.taught_by], EASY_SHARE, EASY_WEIGHT)).encode())
            identities[plan.name] = own.hexdigest()
            fits_of.setdefault(entry.name, []).append(identities[plan.name])
        return identities


def run_contest(
    contest: Contest,
    parts: Parts,
    work: Path,
    *,
    resume: bool = False,
    report: Callable[[Progress], None] = lambda progress: None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Fit]:
    """Every fit, in the order of the nets and then of the seeds.

    With `resume` those that lie in `work` are read in place of being done again. Raises TrainingError where one is of
    another recipe or other data; all are looked at before the first is fitted.
    """
    plans = contest.list_plans()
    identities = contest.identify_fits(parts)
    found = {plan.name: _read_fit(entry, plan, identities[plan.name], work) for entry, plan in plans} if resume else {}
    fits: list[Fit] = []
    for number, (entry, plan) in enumerate(plans, start=1):
        title = f"fit {number} of {len(plans)}: {entry.name}, seed {plan.recipe.seed}"
        fit = found.get(plan.name)
        say(f"{title}: is there" if fit else title)
        if fit is None:
            learnt = _prepare_parts(entry, parts, fits)
            fit = _fit(entry, plan, learnt, identities[plan.name], work, resume=resume, report=report)
        fits.append(fit)
    order = {entry.name: place for place, entry in enumerate(contest.entries)}
    return sorted(fits, key=lambda fit: order[fit.entry.name])


def _prepare_parts(entry: Entry, parts: Parts, fits: Sequence[Fit]) -> Parts:
    """The parts as `entry` is to learn them, from what the nets before it say."""
    if entry.eased_by is None:
        return parts
    images = parts.training.images
    weighted = weigh_images(parts.training, ask(_find_bundles(fits, entry.eased_by)[0], images))
    if entry.taught_by is None:
        return replace(parts, training=weighted)
    answers = ask_teachers(_find_bundles(fits, entry.taught_by), images)
    return replace(parts, training=teach_images(weighted, answers))


def _find_bundles(fits: Sequence[Fit], name: str) -> list[Bundle]:
    """The fits of a net, in the order of the seeds."""
    return [fit.bundle for fit in fits if fit.entry.name == name]


def _fit(
    entry: Entry,
    plan: Plan,
    parts: Parts,
    identity: str,
    work: Path,
    *,
    resume: bool,
    report: Callable[[Progress], None],
) -> Fit:
    record, checkpoint = work / f"{plan.name}.json", work / f"{plan.name}.npz"
    record.unlink(missing_ok=True)  # of an older fit, whose bundle goes too: a record says that its bundle is whole
    made = make_bundle(plan, parts, checkpoint=checkpoint, resume=resume, report=report)
    write_bundle(made.bundle, work / plan.name)
    _write_record(record, made, identity)
    checkpoint.unlink(missing_ok=True)
    return Fit(entry, plan.recipe.seed, made.bundle, made.history)


def _read_fit(entry: Entry, plan: Plan, identity: str, work: Path) -> Fit | None:
    """The fit in the work folder, or None where there is none that is whole."""
    record = work / f"{plan.name}.json"
    try:
        told = json.loads(record.read_text(encoding="utf-8"))
        found, sha256 = told["fit_of"], told["bundle_sha256"]
        history = [{name: float(value) for name, value in epoch.items()} for epoch in told["history"]]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TrainingError(f"{record} is not the record of a fit; leave out --resume to start anew") from None
    if found != identity:
        raise TrainingError(f"{record} is of another recipe or other data; leave out --resume to start anew")
    bundle = read_bundle(work / plan.name)
    if bundle.sha256 != sha256 or not history or "elapsed_s" not in history[-1]:
        raise BundleError(f"{record} does not belong to the bundle beside it; leave out --resume to start anew")
    return Fit(entry, plan.recipe.seed, bundle, history)


def _write_record(path: Path, made: Made, identity: str) -> None:
    told = {"fit_of": identity, "bundle_sha256": made.bundle.sha256, "history": list(made.history)}
    with write_whole(path) as file:
        file.write((json.dumps(told, indent=1) + "\n").encode())
