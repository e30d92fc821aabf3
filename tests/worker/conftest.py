"""What the tests of the service share: `hangtag` as a command, with a fresh home."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from catalog.database import open_engine
from tests.worker.command_line import CommandLine


@pytest.fixture
def new_command_line(tmp_path: Path) -> Iterator[Callable[..., CommandLine]]:
    """Makes a `hangtag` over a home of its own; whatever still runs for it at the end is killed."""
    lines: list[CommandLine] = []

    def make(**settings: str) -> CommandLine:
        temporary = Path(tempfile.mkdtemp(prefix="ht-"))
        lines.append(CommandLine(tmp_path / f"home{len(lines) or ''}", temporary, settings))
        return lines[-1]

    yield make
    for line in lines:
        for process in line.processes():
            process.kill()
        shutil.rmtree(line.temporary)


@pytest.fixture
def command_line(new_command_line: Callable[..., CommandLine]) -> CommandLine:
    """`hangtag` over a home of its own, without any setting of a cluster."""
    return new_command_line()


@pytest.fixture
def two_engines(catalog_url: str) -> Iterator[tuple[Engine, Engine]]:
    """Two connections to one catalog, as two machines have them."""
    engines = open_engine(catalog_url), open_engine(catalog_url)
    yield engines
    for engine in engines:
        engine.dispose()
