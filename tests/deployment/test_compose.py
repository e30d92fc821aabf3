"""docker-compose.yml: what it promises, held to the settings and the command line."""

import re
import tomllib
from dataclasses import fields
from typing import Any

import pytest

from tests.deployment.compose import COMPOSE, GIVEN, ROOT, MissingVariableError, load_compose
from tests.deployment.dockerfile import environment_of, read_dockerfile
from tests.docs.command_lines import check_words
from worker.settings import PREFIX, Settings, read_settings

OURS = ("migrate", "worker", "beat", "hangtag")
SETTINGS = {PREFIX + item.name.upper() for item in fields(Settings)}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found = load_compose(GIVEN)["services"]
    assert isinstance(found, dict)
    return found


def test_it_has_the_services_that_are_needed_and_no_other(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "redis", *OURS}


@pytest.mark.parametrize("name", GIVEN)
def test_without_a_variable_that_it_demands_nothing_starts(name: str) -> None:
    with pytest.raises(MissingVariableError, match=name):
        load_compose({key: value for key, value in GIVEN.items() if key != name})


def test_no_password_is_in_the_file() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    uses = re.findall(r"\$\{(\w*PASSWORD)([^}]*)\}", text)
    assert {name for name, _ in uses} == {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}
    assert all(rest.startswith(":?") for _, rest in uses)


@pytest.mark.parametrize("file", ["docker-compose.yml", "Dockerfile"])
def test_every_variable_of_ours_is_a_setting(file: str) -> None:
    named = set(re.findall(rf"\b{PREFIX}\w+", (ROOT / file).read_text(encoding="utf-8")))
    assert named
    assert named <= SETTINGS


def test_every_setting_reaches_the_services(services: dict[str, Any]) -> None:
    image = {name for name in environment_of(read_dockerfile()[-1]) if name.startswith(PREFIX)}
    for name in OURS:
        assert set(services[name]["environment"]) | image == SETTINGS


def test_the_settings_are_good_and_lead_to_the_two_servers(services: dict[str, Any]) -> None:
    for name in OURS:
        settings = read_settings(services[name]["environment"])
        assert settings.database_url == "postgresql://hangtag:first1@postgres:5432/hangtag"
        assert settings.redis_url == "redis://:second2@redis:6379/0"
        assert settings.time_zone == "UTC"


def test_a_setting_of_the_shop_is_passed_on() -> None:
    given = GIVEN | {"HANGTAG_NIGHTLY": "off", "HANGTAG_PROCESSES": "7"}
    settings = read_settings(load_compose(given)["services"]["worker"]["environment"])
    assert (settings.nightly, settings.processes) == ("off", 7)


def test_every_command_is_one_of_the_command_line(services: dict[str, Any]) -> None:
    commands = {name: services[name]["command"] for name in OURS}
    assert commands == {"migrate": ["db", "upgrade"], "worker": ["worker"], "beat": ["beat"], "hangtag": ["--help"]}
    for words in commands.values():
        check_words(words)


def test_every_lasting_service_has_a_health_check(services: dict[str, Any]) -> None:
    checks = {name: service["healthcheck"]["test"] for name, service in services.items() if "healthcheck" in service}
    assert set(checks) == {"postgres", "redis", "worker", "beat"}
    assert checks["postgres"][:2] == ["CMD", "pg_isready"]
    assert checks["redis"] == ["CMD-SHELL", "redis-cli ping | grep --quiet PONG"]
    for name in ("worker", "beat"):
        kind, program, *words = checks[name]
        assert (kind, program) == ("CMD", "hangtag")
        check_words(words)


def test_a_service_starts_when_what_it_needs_is_ready(services: dict[str, Any]) -> None:
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("worker", "beat", "hangtag"):
        assert services[name]["depends_on"] == {
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
            "migrate": {"condition": "service_completed_successfully"},
        }


def test_what_shall_last_is_started_again_and_what_is_done_once_is_not(services: dict[str, Any]) -> None:
    policies = {name: service["restart"] for name, service in services.items()}
    assert policies == dict.fromkeys(("postgres", "redis", "worker", "beat"), "unless-stopped") | dict.fromkeys(
        ("migrate", "hangtag"), "no"
    )


def test_photos_are_mounted_read_only_at_the_path_that_they_have(services: dict[str, Any]) -> None:
    for name in ("worker", "beat", "hangtag"):
        (mount,) = services[name]["volumes"]
        assert (mount["type"], mount["source"], mount["target"]) == ("bind", "/srv/photos", "/srv/photos")
        assert mount["read_only"] is True
        assert mount["bind"] == {"create_host_path": False}
    assert services["hangtag"]["working_dir"] == "/srv/photos"


def test_nothing_else_of_the_machine_is_mounted(services: dict[str, Any]) -> None:
    # The scheduler's health check looks whether the photos are there.
    with_photos = ("worker", "beat", "hangtag")
    named = {name: service.get("volumes") for name, service in services.items() if name not in with_photos}
    assert named == {"postgres": ["postgres:/var/lib/postgresql"], "redis": ["redis:/data"], "migrate": []}
    assert set(load_compose(GIVEN)["volumes"]) == {"postgres", "redis"}


def test_ours_run_as_a_user_who_may_nothing(services: dict[str, Any]) -> None:
    (user,) = read_dockerfile()[-1].all_of("USER")
    for name in OURS:
        assert services[name]["user"] == user.rest
        assert int(services[name]["user"]) > 0
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]


def test_workers_can_be_scaled_and_nothing_is_published(services: dict[str, Any]) -> None:
    for service in services.values():
        assert not {"container_name", "ports", "network_mode", "privileged"} & set(service)


def test_redis_keeps_a_file_wants_a_password_and_throws_nothing_away(services: dict[str, Any]) -> None:
    program, *options = services["redis"]["command"]
    assert program == "redis-server"
    assert dict(zip(options[::2], options[1::2], strict=True)) == {
        "--requirepass": "second2",
        "--appendonly": "yes",
        "--maxmemory": "128mb",
        "--maxmemory-policy": "noeviction",
    }


def test_the_servers_are_pinned_to_a_major_version(services: dict[str, Any]) -> None:
    assert re.fullmatch(r"postgres:\d+", services["postgres"]["image"])
    assert re.fullmatch(r"redis:\d+", services["redis"]["image"])


def test_the_image_bears_the_version_of_the_package(services: dict[str, Any]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert {services[name]["image"] for name in OURS} == {f"hangtag:{version}"}
    assert {services[name]["build"] for name in OURS} == {"."}


def test_commands_by_hand_are_started_by_nobody_else(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "profiles" in service] == ["hangtag"]
