"""The wheel: built from the clone, installed somewhere else, run where a shop has its own `catalog/`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.command_line import CommandLine
from tests.worker.pictures import draw_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the wheel's packages and nothing of the clone's."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path, ROOT], check=True,
        timeout=60,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("hangtag-*.whl")
    folder = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", folder, wheel], check=True, timeout=60)
    return folder


def test_the_wheel_works_beside_a_shops_own_catalog_folder(
    installed: Path, command_line: CommandLine, tmp_path: Path
) -> None:
    assert sorted(path.name for path in installed.iterdir() if path.is_dir() and "dist-info" not in path.name) == [
        "bin", "catalog", "migrations", "training", "worker",
    ]  # fmt: skip
    shop = tmp_path / "shop"
    for name in ("catalog", "worker", "training", "migrations"):
        (shop / name).mkdir(parents=True)
        (shop / name / "__init__.py").write_text(f"raise ImportError('the shop has its own {name}')\n")
    photos = draw_folder(shop / "photos", 8)

    def run(*words: str | Path) -> str:
        # Its packages come before an editable install of the clone.
        environment = command_line.environment | {"PYTHONPATH": str(installed)}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "worker", *words], cwd=shop, env=environment, capture_output=True, text=True,
            timeout=55, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [sys.executable, "-P", "-c", "import worker, catalog; print(worker.__file__, catalog.__file__)"], cwd=shop,
        env=os.environ | {"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.split() == [str(installed / name / "__init__.py") for name in ("worker", "catalog")]
    assert "Usage: " in run("--help")
    assert "empty -> " in run("db", "upgrade")
    assert "as it should be" in run("db", "check")
    assert json.loads(run("tag", "--json", photos.name))["images"] == 8
    run("find", "--html", "sheet.html")  # its template travels in the wheel
    assert "<!DOCTYPE html>" in (shop / "sheet.html").read_text(encoding="utf-8")
    script = subprocess.run(
        [sys.executable, installed / "bin" / "hangtag", "find", "--json"], cwd=shop,
        env=command_line.environment | {"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert script.returncode == 0, script.stderr
