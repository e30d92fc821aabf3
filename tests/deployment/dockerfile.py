"""The Dockerfile taken apart: stages and their instructions."""

import json
import re
from dataclasses import dataclass, field

from tests.deployment.compose import ROOT


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, its continuation lines joined."""

    name: str
    rest: str

    @property
    def words(self) -> list[str]:
        """Its arguments, whichever of the two forms they have."""
        if self.rest.startswith("["):
            return [str(word) for word in json.loads(self.rest)]
        return self.rest.split()


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: the image it begins with, its name ("" for the last), and what is done."""

    image: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all_of(self, name: str) -> list[Instruction]:
        """The instructions of a name, in their order."""
        return [instruction for instruction in self.instructions if instruction.name == name]


def read_dockerfile() -> list[Stage]:
    """The stages of the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            image, _, alias = rest.partition(" AS ")
            stages.append(Stage(image, alias))
        else:
            stages[-1].instructions.append(Instruction(name, rest.strip()))
    return stages


def environment_of(stage: Stage) -> dict[str, str]:
    """What the stage's ENV instructions set."""
    return dict(word.split("=", 1) for instruction in stage.all_of("ENV") for word in instruction.words)
