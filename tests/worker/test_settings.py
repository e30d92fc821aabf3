"""The environment becomes settings, or one line that says which variable is wrong."""

from dataclasses import fields
from pathlib import Path

import pytest

from worker.cli_tag import open_for_writing
from worker.errors import UsageError
from worker.settings import Settings, make_folder, read_settings


def test_without_variables_everything_has_its_default(tmp_path: Path) -> None:
    settings = read_settings({"HANGTAG_HOME": str(tmp_path), "PATH": "/bin", "HANGTAGX": "1"})
    assert settings == Settings(home=tmp_path)
    assert settings.is_local
    assert settings.catalog_url == f"sqlite:///{tmp_path}/catalog.db"


def test_the_home_is_the_users_data_folder_where_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert read_settings({}).home == tmp_path / "hangtag"


def test_each_variable_sets_its_field(tmp_path: Path) -> None:
    settings = read_settings(
        {
            "HANGTAG_HOME": str(tmp_path), "HANGTAG_DATABASE_URL": "postgresql://db/shop",
            "HANGTAG_REDIS_URL": "redis://queue", "HANGTAG_PROCESSES": "3", "HANGTAG_CHUNK_SIZE": "7",
            "HANGTAG_LEASE_S": "2.5", "HANGTAG_MAX_PIXELS": "1000", "HANGTAG_MAX_FILE_MB": "9",
            "HANGTAG_IMAGE_CPU_S": "4", "HANGTAG_IMAGE_MEMORY_MB": "200", "HANGTAG_LOG_LEVEL": "DEBUG",
            "HANGTAG_NIGHTLY": "off", "HANGTAG_TIME_ZONE": "Europe/Berlin",
        }
    )  # fmt: skip
    assert settings == Settings(
        home=tmp_path, database_url="postgresql://db/shop", redis_url="redis://queue", processes=3, chunk_size=7,
        lease_s=2.5, max_pixels=1000, max_file_mb=9, image_cpu_s=4, image_memory_mb=200, log_level="DEBUG",
        nightly="off", time_zone="Europe/Berlin",
    )  # fmt: skip
    assert not settings.is_local
    assert settings.catalog_url == "postgresql://db/shop"


def test_an_empty_variable_is_the_default(tmp_path: Path) -> None:
    assert read_settings({"HANGTAG_HOME": str(tmp_path), "HANGTAG_PROCESSES": ""}).processes == 0


def test_a_relative_home_or_one_with_a_tilde_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert read_settings({"HANGTAG_HOME": "~/shop"}).home == tmp_path / "shop"
    assert read_settings({"HANGTAG_HOME": "shop"}).home == tmp_path / "shop"


def test_a_percent_sign_in_the_home_is_a_percent_sign(tmp_path: Path) -> None:
    settings = read_settings({"HANGTAG_HOME": str(tmp_path / "a%20b")})

    settings.open_database().connect().close()

    assert [path.name for path in tmp_path.iterdir()] == ["a%20b"]
    assert (tmp_path / "a%20b" / "catalog.db").exists()


def test_every_setting_says_what_it_means() -> None:
    assert all(item.metadata["meaning"] for item in fields(Settings))


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("CHUNKSIZE", "3", "HANGTAG_CHUNKSIZE is no setting; there are: HANGTAG_HOME, "),
        ("PROCESSES", "two", "HANGTAG_PROCESSES='two' is no whole number"),
        ("PROCESSES", "1.5", "HANGTAG_PROCESSES='1.5' is no whole number"),
        ("PROCESSES", "-1", "HANGTAG_PROCESSES must be at least 0"),
        ("CHUNK_SIZE", "0", "HANGTAG_CHUNK_SIZE must be at least 1"),
        ("MAX_PIXELS", "0", "HANGTAG_MAX_PIXELS must be at least 1"),
        ("MAX_FILE_MB", "0", "HANGTAG_MAX_FILE_MB must be at least 1"),
        ("IMAGE_CPU_S", "0", "HANGTAG_IMAGE_CPU_S must be at least 1"),
        ("IMAGE_MEMORY_MB", "49", "HANGTAG_IMAGE_MEMORY_MB must be at least 50"),
        ("CHUNK_SIZE", "9" * 20, "HANGTAG_CHUNK_SIZE must be at least 1 and at most 100000"),
        ("IMAGE_CPU_S", "9" * 20, "HANGTAG_IMAGE_CPU_S must be at least 1 and at most 100000"),
        ("IMAGE_MEMORY_MB", "9" * 14, "HANGTAG_IMAGE_MEMORY_MB must be at least 50 and at most 1000000"),
        ("HOME", "/tmp/what?", "HANGTAG_HOME=/tmp/what?: a ? would end the name of the catalog's file"),
        ("HOME", "~no-such-user/x", "HANGTAG_HOME=~no-such-user/x: "),
        ("LEASE_S", "soon", "HANGTAG_LEASE_S='soon' is no number"),
        ("LEASE_S", "0.5", "HANGTAG_LEASE_S must be at least 1"),
        ("LEASE_S", "nan", "HANGTAG_LEASE_S"),
        ("LEASE_S", "inf", "HANGTAG_LEASE_S"),
        ("TRAINING_MINUTES", "0", "HANGTAG_TRAINING_MINUTES must be above 0 and at most 10,000"),
        ("TRAINING_MINUTES", "20000", "HANGTAG_TRAINING_MINUTES must be above 0 and at most 10,000"),
        ("TRAINING_MINUTES", "nan", "HANGTAG_TRAINING_MINUTES"),
        ("LOG_LEVEL", "loud", "HANGTAG_LOG_LEVEL='loud' is none of DEBUG, INFO, WARNING, ERROR"),
    ],
)
def test_a_value_that_no_worker_could_use_is_refused(name: str, value: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_settings({f"HANGTAG_{name}": value})
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_home_is_for_its_owner_only(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "home")
    assert (tmp_path / "a" / "home").stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot create HANGTAG_HOME .*: Not a directory"):
        make_folder(tmp_path / "file" / "home")


def test_a_home_that_takes_no_files_is_said() -> None:
    with pytest.raises(UsageError, match=r"cannot write into HANGTAG_HOME /proc: \w") as caught:
        make_folder(Path("/proc"))  # there root cannot either
    assert "\n" not in str(caught.value)


def test_a_mistyped_url_makes_no_file(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=f"sqlite:///{tmp_path / 'typo.db'}")
    for ask in (settings.open_catalog, lambda: open_for_writing(settings)):
        with pytest.raises(UsageError, match=r"no catalog at .*typo\.db: `hangtag db upgrade` makes one"):
            ask()
    assert list(tmp_path.iterdir()) == []


def test_a_catalog_that_is_not_there_yet_is_not_made_by_asking(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no catalog in .* yet: `hangtag tag FOLDER` makes one"):
        Settings(home=tmp_path / "home").open_catalog()
    assert not (tmp_path / "home").exists()
