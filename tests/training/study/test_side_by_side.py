import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.training.processes import is_gone
from tests.training.study.fits import Report, die, fail_or_go_on, say_threads
from training.errors import TrainingError
from training.fitting import Progress
from training.study.side_by_side import fit_side_by_side

PARENT = """
import sys
from pathlib import Path
from tests.training.study.fits import go_on
from training.study.side_by_side import fit_side_by_side
if __name__ == "__main__":
    fit_side_by_side(go_on, {"endless": Path(sys.argv[1])}, processes=1, begin=print, report=lambda *step: None)
"""


def run(fit: Callable[[Path, Report], None], tasks: dict[str, Path]) -> tuple[list[str], list[tuple[str, int]]]:
    """Run two at a time: which began, and the steps that were reported."""
    begun: list[str] = []
    steps: list[tuple[str, int]] = []

    def report(title: str, progress: Progress) -> None:
        steps.append((title, progress.step))

    fit_side_by_side(fit, tasks, processes=2, begin=begun.append, report=report)
    return begun, steps


def test_every_fit_begins_reports_all_its_steps_and_has_one_thread(tmp_path: Path) -> None:
    begun, steps = run(say_threads, {"a": tmp_path / "a", "b": tmp_path / "b", "c": tmp_path / "c"})

    assert sorted(begun) == ["a", "b", "c"]  # two at a time: whichever is first
    assert sorted(steps) == [(title, step) for title in "abc" for step in (1, 2, 3)]
    assert [(tmp_path / title).read_text() for title in "abc"] == ["1", "1", "1"]
    assert run(say_threads, {}) == ([], [])


def test_where_one_fails_the_others_stop_and_what_it_said_is_raised(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^it did not converge$"):
        run(fail_or_go_on, {"good": tmp_path / "good", "bad": tmp_path / "bad"})

    assert is_gone(int((tmp_path / "good").read_text()))


def test_a_process_that_is_ended_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="a process that fitted a net was ended; --resume goes on") as caught:
        run(die, {"a": tmp_path / "a"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, -signal.SIGINT)])
def test_no_process_outlives_a_parent_that_is_killed_or_interrupted(
    tmp_path: Path, sent: signal.Signals, status: int
) -> None:
    note = tmp_path / "note"
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, note], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as parent:
        try:
            while not note.exists():
                assert parent.poll() is None
                time.sleep(0.05)

            parent.send_signal(sent)

            assert parent.wait(30) == status
        finally:
            parent.kill()
    assert is_gone(int(note.read_text()))
