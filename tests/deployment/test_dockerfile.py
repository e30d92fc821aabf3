"""The Dockerfile: its form, and its own install steps run in a fresh virtual environment."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.deployment.compose import ROOT
from tests.deployment.dockerfile import Stage, environment_of, read_dockerfile

PREFIX = "/opt/hangtag"  # where the image has its virtual environment; a test puts it elsewhere


def test_it_builds_in_one_stage_and_ships_another() -> None:
    build, final = read_dockerfile()
    assert build.name == "build"
    assert re.fullmatch(r"python:3\.\d+-slim", build.image)
    assert final.image == build.image
    assert [copy.words for copy in final.all_of("COPY")] == [["--from=build", PREFIX, PREFIX]]


def test_what_it_installs_is_pinned_and_comes_from_no_index_of_ours() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    steps = [run.rest for run in read_dockerfile()[0].all_of("RUN")]
    assert [step.split(" install ")[1] for step in steps if " pip " in step] == [
        "--requirement requirements/runtime.txt",
        "--no-deps .",
    ]
    assert not re.search(r"index-url|find-links|://|PIP_", text)


def test_its_user_is_not_root_and_hangtag_is_what_it_runs() -> None:
    final = read_dockerfile()[-1]
    (user,) = final.all_of("USER")
    (creation,) = final.all_of("RUN")
    assert f"useradd --uid {user.rest} " in creation.rest
    assert int(user.rest) > 0
    assert final.instructions.index(user) > final.instructions.index(creation)
    assert [entry.words for entry in final.all_of("ENTRYPOINT")] == [["hangtag"]]
    assert environment_of(final)["PATH"] == f"{PREFIX}/bin:$PATH"
    assert environment_of(final)["HANGTAG_HOME"] in creation.rest


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules[1:] if rule.startswith("!")} == set(copied_paths())
    assert [rule for rule in rules[1:] if not rule.startswith("!")] == ["**/__pycache__"]


def test_every_package_of_the_wheel_is_copied() -> None:
    folders = {path.rstrip("/") for path in copied_paths() if path.endswith("/")}
    assert folders == {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}


def copied_paths() -> list[str]:
    """What the build stage takes from the repository."""
    return [path for copy in read_dockerfile()[0].all_of("COPY") for path in copy.words[:-1]]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The virtual environment that the build stage makes."""
    folder = tmp_path_factory.mktemp("image")
    build_stage(read_dockerfile()[0], source=folder / "src", prefix=folder / "opt")
    return folder / "opt"


def build_stage(stage: Stage, *, source: Path, prefix: Path) -> None:
    """Do what the stage says: copy from the repository, run its commands, with `prefix` in place of the image's."""
    hidden = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for step in stage.instructions:
        if step.name == "WORKDIR":
            source.mkdir()
        elif step.name == "COPY":
            copy_files(step.words[:-1], source / step.words[-1])
        else:
            assert step.name == "RUN", step
            command = step.rest.replace(PREFIX, str(prefix))
            done = subprocess.run(
                command, shell=True, cwd=source, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def copy_files(names: list[str], target: Path) -> None:
    """COPY: files into a folder, or the content of one folder."""
    for name in names:
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            target.mkdir(exist_ok=True)
            shutil.copy(origin, target)


@pytest.mark.timeout(420)  # some fifty packages are installed, on a machine that may have other work
def test_its_install_steps_give_a_hangtag_that_works_from_another_folder(installed: Path, tmp_path: Path) -> None:
    draw_photo(tmp_path / "photos" / "DR-1_front.png")
    assert "Usage: hangtag" in run(installed, tmp_path, "--help")
    assert "empty -> " in run(installed, tmp_path, "db", "upgrade")
    assert "as it should be" in run(installed, tmp_path, "db", "check")
    assert "1 image of 1 product" in run(installed, tmp_path, "tag", "photos")
    assert run(installed, tmp_path, "find", "--sku", "DR-1", "--csv").splitlines()[1].startswith("DR-1,")


def run(installed: Path, folder: Path, *words: str) -> str:
    """What the installed command says on stdout, called as the image calls it; it must end well."""
    environment = {"PATH": f"{installed / 'bin'}:/usr/bin:/bin", "HANGTAG_HOME": str(folder / "home")}
    done = subprocess.run(
        ["hangtag", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False,
        executable=installed / "bin" / "hangtag",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def draw_photo(path: Path) -> None:
    """A red dress of a kind on white."""
    path.parent.mkdir()
    picture = Image.new("RGB", (400, 600), "white")
    ImageDraw.Draw(picture).polygon([(160, 60), (240, 60), (250, 240), (310, 540), (90, 540), (150, 240)], "firebrick")
    picture.save(path)
