"""The tables and the plot of `make bench`, from the costs of its rounds."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.timing import Cost, middle, spread

# Whose rate by whose: what is asked of hangtag, beside its aims in the issue of the same words.
RATIOS = (
    ("whole job of the floor, SQLite", "hangtag, SQLite", "floor"),
    ("whole job of the floor, PostgreSQL", "hangtag, PostgreSQL", "floor"),
    ("1500x2000 photos of the floor", "hangtag, large", "floor, large"),
    ("from nothing running, of the floor", "hangtag tag, cold", "floor"),
    ("SQLite by the Keras script", "hangtag, SQLite", "Keras script"),
    ("SQLite by a task for each image", "hangtag, SQLite", "task for each image"),
    ("SQLite by Ray Data", "hangtag, SQLite", "Ray Data"),
)
AGAIN = (
    ("again over unchanged photos, SQLite", "hangtag, SQLite"),
    ("again over unchanged photos, PostgreSQL", "hangtag, PostgreSQL"),
)


def figures_of(
    costs: Mapping[str, Sequence[Cost]], images: Mapping[str, int], more: Mapping[str, Sequence[float]], *, cores: int
) -> dict[str, Any]:
    """All figures, medians of the rounds, as JSON takes them."""
    contenders: dict[str, Any] = {}
    for name, rounds in costs.items():
        cost = middle(rounds)
        contenders[name] = {
            "images": images[name], "rounds": len(rounds), "seconds": cost.seconds, "spread": spread(rounds),
            "images_per_s": images[name] / cost.seconds, "cpu_s": cost.cpu_s, "stages_s": dict(cost.stages),
            "memory_mb": dict(cost.memory_mb),
        }  # fmt: skip
    ratios = {
        title: _ratio(costs, images, ours, theirs) for title, ours, theirs in RATIOS if {ours, theirs} <= costs.keys()
    }
    ratios |= {title: _ratio(costs, images, name, f"{name}, again") for title, name in AGAIN if name in costs}
    return {
        "cores": cores, "contenders": contenders, "ratios": ratios,
        "more": {name: statistics.median(values) for name, values in more.items()},
    }  # fmt: skip


def _ratio(costs: Mapping[str, Sequence[Cost]], images: Mapping[str, int], ours: str, theirs: str) -> float:
    """The median over rounds of one rate by the other of the same round, where both have as many rounds."""
    rates = [[images[name] / cost.seconds for cost in costs[name]] for name in (ours, theirs)]
    if len(rates[0]) == len(rates[1]):
        return float(statistics.median(a / b for a, b in zip(*rates, strict=True)))
    return float(statistics.median(rates[0]) / statistics.median(rates[1]))


def print_tables(figures: Mapping[str, Any]) -> None:
    """The tables for people."""
    print(f"\n{figures['cores']} cores; medians of the rounds\n")
    print(f"{'':<28}{'images':>8}{'images/s':>10}{'±':>7}{'CPU s':>8}{'main MB':>9}{'child MB':>10}")
    for name, row in figures["contenders"].items():
        memory = [f"{row['memory_mb'][kind]:.0f}" if row["memory_mb"] else "" for kind in ("main", "child")]
        print(f"{name:<28}{row['images']:>8}{row['images_per_s']:>10,.0f}{row['spread']:>7.1%}{row['cpu_s']:>8.1f}"
              f"{memory[0]:>9}{memory[1]:>10}")  # fmt: skip
    staged = {name: row for name, row in figures["contenders"].items() if row["stages_s"]}
    stages = list(next(iter(staged.values()))["stages_s"]) if staged else []
    print(
        f"\nshares of all cores' time; list is the command's, beside them\n{'':<28}"
        + "".join(f"{s:>10}" for s in stages)
    )
    for name, row in staged.items():
        total_s = row["seconds"] * figures["cores"]
        shares = [row["stages_s"][stage] / (row["seconds"] if stage == "list" else total_s) for stage in stages]
        print(f"{name:<28}" + "".join(f"{share:>10.1%}" for share in shares))
    print()
    for title, ratio in {**figures["ratios"], **figures["more"]}.items():
        print(f"{title:<44}{ratio:>10.3g}" if ratio < 1000 else f"{title:<44}{ratio:>10,.0f}")


def plot(figures: Mapping[str, Any], path: Path) -> None:
    """Images a second of each contender, and where the time of hangtag's went."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = figures["contenders"]
    staged = {name: row for name, row in rows.items() if row["stages_s"] and not name.endswith("again")}
    figure, (rates, shares) = plt.subplots(2, 1, figsize=(10, 9), height_ratios=(len(rows), len(staged) + 2))
    names = [name for name in rows if not name.endswith("again")]
    bars = rates.barh(names[::-1], [rows[name]["images_per_s"] for name in names[::-1]], color="#4477aa")
    rates.bar_label(bars, fmt="{:,.0f}", padding=3)
    rates.set_title("Images a second")
    rates.spines[["top", "right"]].set_visible(False)
    left = dict.fromkeys(staged, 0.0)
    stages = [stage for stage in next(iter(staged.values()))["stages_s"] if stage != "list"]
    for number, stage in enumerate(stages):
        colour = "#dddddd" if stage == "wait" else plt.get_cmap("tab10")(number)
        values = [row["stages_s"][stage] / (row["seconds"] * figures["cores"]) for row in staged.values()]
        shares.barh(list(staged), values, left=list(left.values()), label=stage, color=colour)
        left = {name: so_far + value for (name, so_far), value in zip(left.items(), values, strict=True)}
    shares.set_title("Where the cores' time went")
    shares.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
    shares.set_xlim(0, 1)
    shares.invert_yaxis()
    shares.legend(ncols=len(stages), loc="upper center", bbox_to_anchor=(0.5, -0.15), frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
