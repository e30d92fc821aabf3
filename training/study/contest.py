"""The fits of the study, some at a time, each kept as soon as it is done.

Owns the work folder: for each fit a bundle, a record beside it (the history, and what it was a fit of), and while it
runs the checkpoint. A contest that was killed goes on from there. Leaves the fit itself to `recipes`, the processes
to `side_by_side`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from training.bundle import Bundle, BundleError, read_bundle, write_bundle
from training.errors import TrainingError
from training.fitting import Progress
from training.recipes import Made, Parts, Plan, make_bundle
from training.starts import Backbone, read_start
from training.study.entries import Entry, plan_fit
from training.study.lessons import EASY_SHARE, EASY_WEIGHT, ask, teach_images, weigh_images
from training.study.side_by_side import fit_side_by_side
from training.whole_files import write_whole

_SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class Fit:
    """A net of the study that is fitted: its name in the work folder, who, with which seed, the bundle, and how it
    went, epoch by epoch.
    """

    name: str
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

    def list_plans(self) -> list[list[tuple[Entry, Plan]]]:
        """Each net with each seed, in waves: who learns from others stands behind all of them. In each wave all nets
        once before any of them twice, so that a broken run can be compared.
        """
        waves: dict[str, int] = {}
        for entry in self.entries:
            waves[entry.name] = max((waves[name] + 1 for name in entry.learns_from), default=0)
        return [
            [
                (entry, plan_fit(entry, seed=seed, epochs=self.epochs, quick=self.quick))
                for seed in self.seeds
                for entry in self.entries
                if waves[entry.name] == wave
            ]
            for wave in sorted(set(waves.values()))
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
        for entry, plan in chain.from_iterable(self.list_plans()):
            own = digest.copy()
            own.update(plan.recipe.fingerprint(parts.training, fits_of[entry.eased_by][0]).encode())
            own.update(repr((fits_of[entry.taught_by], EASY_SHARE, EASY_WEIGHT)).encode())
            if entry.started_by is not None:
                own.update(fits_of[entry.started_by][self.seeds.index(plan.recipe.seed)].encode())
            identities[plan.name] = own.hexdigest()
            fits_of.setdefault(entry.name, []).append(identities[plan.name])
        return identities


@dataclass(frozen=True)
class _Task:
    """A fit that is to be done: what a process needs for it."""

    plan: Plan
    parts: Parts  # as this net is to learn them
    backbone: Backbone | None
    keep_backbone: bool  # where another net is to start from it: it is twice as large as the bundle
    identity: str
    work: Path
    resume: bool


def run_contest(
    contest: Contest,
    parts: Parts,
    work: Path,
    *,
    resume: bool = False,
    processes: int = 1,
    report: Callable[[str, Progress], None] = lambda title, progress: None,
    say: Callable[[str], None] = lambda text: None,
) -> list[Fit]:
    """Every fit but those of nets that only teach, in the order of the nets and then of the seeds; `processes` of them
    at a time.

    `report` gets the steps of each, with its title; `say` lines for people. With `resume` the fits that lie in `work`
    are read in place of being done again. Raises TrainingError where one is of another recipe or other data; all are
    looked at before the first is fitted.
    """
    waves = contest.list_plans()
    plans = list(chain.from_iterable(waves))
    identities = contest.identify_fits(parts)
    fits = _read_fits(plans, identities, work) if resume else {}
    idle = _find_idle([(entry, plan) for entry, plan in plans if _title(entry, plan) not in fits])
    titles = [title for entry, plan in plans if (title := _title(entry, plan)) in fits or entry.name not in idle]
    heads = {title: f"fit {number} of {len(titles)}: {title}" for number, title in enumerate(titles, start=1)}
    for title in fits:
        say(f"{heads[title]}: is there")
    for wave in waves:
        missing = [
            (entry, plan) for entry, plan in wave if (title := _title(entry, plan)) in heads and title not in fits
        ]
        done = [fits[title] for title in heads if title in fits]  # by seed, whichever were there already
        tasks = {
            _title(entry, plan): _Task(
                plan,
                _prepare_parts(entry, parts, done),
                _read_backbone(entry, plan, done, work),
                any(other.started_by == entry.name for other in contest.entries),
                identities[plan.name],
                work,
                resume,
            )
            for entry, plan in missing
        }
        fit_side_by_side(_fit, tasks, processes=processes, begin=lambda title: say(heads[title]), report=report)
        fits |= _read_fits(missing, identities, work)
    shown = [entry for entry in contest.entries if not entry.only_teaches]
    return [fits[_title(entry, plan)] for entry in shown for other, plan in plans if other == entry]


def _find_idle(missing: Sequence[tuple[Entry, Plan]]) -> set[str]:
    """The names of the nets that only teach, and have nobody to teach: all that learn from them are there."""
    idle: set[str] = set()
    for entry, _ in reversed(missing):  # who learns from others stands behind them
        learners = {other.name for other, _ in missing if entry.name in other.learns_from}
        if entry.only_teaches and learners <= idle:
            idle.add(entry.name)
    return idle


def _title(entry: Entry, plan: Plan) -> str:
    return f"{entry.name}, seed {plan.recipe.seed}"


def _read_fits(plans: Sequence[tuple[Entry, Plan]], identities: Mapping[str, str], work: Path) -> dict[str, Fit]:
    """By their titles the fits in the work folder that are whole."""
    found = {_title(entry, plan): _read_fit(entry, plan, identities[plan.name], work) for entry, plan in plans}
    return {title: fit for title, fit in found.items() if fit is not None}


def _prepare_parts(entry: Entry, parts: Parts, fits: Sequence[Fit]) -> Parts:
    """The parts as `entry` is to learn them, from what the nets before it say."""
    if entry.eased_by is None:
        return parts
    weighted = weigh_images(parts.training, ask(_find_bundles(fits, entry.eased_by)[0], parts.training.images))
    if entry.taught_by is None:
        return replace(parts, training=weighted)
    return replace(parts, training=teach_images(weighted, _find_bundles(fits, entry.taught_by)))


def _find_bundles(fits: Sequence[Fit], name: str) -> list[Bundle]:
    """The fits of a net, in the order of the seeds."""
    return [fit.bundle for fit in fits if fit.entry.name == name]


def _read_backbone(entry: Entry, plan: Plan, fits: Sequence[Fit], work: Path) -> Backbone | None:
    """What the net that `entry` starts from had learnt, with the same seed; None where it starts from nothing."""
    for fit in fits:
        if fit.entry.name == entry.started_by and fit.seed == plan.recipe.seed:
            return read_start(str(work / fit.name)).backbone
    return None


def _fit(task: _Task, report: Callable[[Progress], None]) -> None:
    name, work = task.plan.name, task.work
    record, checkpoint = work / f"{name}.json", work / f"{name}.npz"
    record.unlink(missing_ok=True)  # of an older fit, whose bundle goes too: a record says that its bundle is whole
    made = make_bundle(
        task.plan, task.parts, backbone=task.backbone, checkpoint=checkpoint, resume=task.resume, report=report
    )
    write_bundle(made.bundle, work / name, backbone=made.backbone.content if task.keep_backbone else None)
    _write_record(record, made, task.identity)
    checkpoint.unlink(missing_ok=True)


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
    return Fit(plan.name, entry, plan.recipe.seed, bundle, history)


def _write_record(path: Path, made: Made, identity: str) -> None:
    told = {"fit_of": identity, "bundle_sha256": made.bundle.sha256, "history": list(made.history)}
    with write_whole(path) as file:
        file.write((json.dumps(told, indent=1) + "\n").encode())
