"""docker-compose.yml as an engine reads it: variables put in, the services as plain values."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
# Compose's own syntax: $$, ${NAME}, ${NAME:-default}, ${NAME:?message}; what it takes besides is not used.
VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<rest>[^{}]*))?\})")
GIVEN = {"PHOTOS": "/srv/photos", "POSTGRES_PASSWORD": "first1", "REDIS_PASSWORD": "second2"}


class MissingVariableError(Exception):
    """A variable that the file demands is not set; its message is the file's."""


def load_compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The file with the variables of `environment` put into every value.

    Raises:
        MissingVariableError: one that it demands is missing.
    """
    loaded = _fill(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), environment)
    assert isinstance(loaded, dict)
    return loaded


def _fill(value: Any, environment: Mapping[str, str]) -> Any:  # noqa: ANN401  (YAML's own types)
    if isinstance(value, dict):
        return {key: _fill(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, environment) for item in value]
    if not isinstance(value, str):
        return value
    rest = VARIABLE.sub("", value)
    assert "$" not in rest, f"{value!r} has a $ that is not understood here"
    return VARIABLE.sub(lambda match: _value_of(match, environment), value)


def _value_of(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match["dollar"]:
        return "$"
    value = environment.get(match["name"], "")
    if not value and match["kind"] == ":?":
        raise MissingVariableError(match["rest"])
    return value or (match["rest"] if match["kind"] == ":-" else "")
