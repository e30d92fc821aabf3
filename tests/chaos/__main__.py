"""The long trials: `make chaos`. Ten seeds on each database, with the lease and the chunks that a shop has."""

import argparse
import json
import logging
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from tests.chaos.disturbances import LONGEST_OUTAGE_S, OFTEN, plan_disturbances
from tests.chaos.trials import Report, hold_trial, open_shop, private_folder
from worker.settings import Settings

DATABASES = ("sqlite", "postgresql")
BOUND_S = 15.0  # from a kill, or the server's return, to the next commit of the work it held


def main() -> None:
    """Print a line for each trial; exit code 1 where one has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--out", type=Path, help="a JSON file for all figures")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # and all that was started is ended
    logging.getLogger("tests.chaos").setLevel("INFO")
    reports = []
    with private_folder() as folder:
        shop = open_shop(folder, options.images)
        print(f"{shop.images} photos, {len(shop.hostile)} hostile", flush=True)
        for database in options.database or DATABASES:
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                plan = plan_disturbances(
                    seed, often=OFTEN, with_postgres=database == "postgresql", lease_s=Settings().lease_s,
                    longest_outage_s=LONGEST_OUTAGE_S,
                )  # fmt: skip
                logs = folder / "logs"
                logs.mkdir(exist_ok=True)
                logging.basicConfig(
                    filename=logs / f"{database}-{seed}.log", format="%(asctime)s %(message)s", force=True
                )
                report = hold_trial(
                    shop, plan, seed=seed, database=database, lease_s=Settings().lease_s,
                    chunk_size=Settings().chunk_size, logs=logs,
                )  # fmt: skip
                reports.append(report)
                print(describe(report), flush=True)
        if options.out is not None:
            options.out.write_text(json.dumps([asdict(report) for report in reports], indent=1), encoding="utf-8")
            shutil.copytree(folder / "logs", options.out.with_suffix(".logs"), dirs_exist_ok=True)
    failed = [report for report in reports if report.faults or max(report.longest_s.values(), default=0) > BOUND_S]
    print(f"{len(reports) - len(failed)} of {len(reports)} trials without a fault, and within {BOUND_S:.0f} s")
    if failed:
        raise SystemExit(1)


def describe(report: Report) -> str:
    """A line about a trial."""
    times = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in report.longest_s.items())
    idle = f"; {', '.join(report.held_nothing)} held nothing" if report.held_nothing else ""
    idle += f"; {report.held_lock} paused in the midst of a write" if report.held_lock else ""
    idle += f"; all workers asleep {report.nobody_awake} times" if report.nobody_awake else ""
    return (
        f"{report.database} seed {report.seed}: {report.seconds:.0f} s, {len(report.events)} disturbances"
        f" ({' '.join(report.events)}), {report.words} words of people; s to the next commit: {times}{idle};"
        f" {'; '.join(report.faults) or 'no fault'}"
    )


if __name__ == "__main__":
    main()
