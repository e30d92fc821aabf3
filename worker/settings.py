"""The settings: the only reader of the environment; the rest of hangtag takes plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from training.cli_options import MOST_MINUTES
from training.loading import loading
from worker.durations import parse_duration
from worker.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from catalog.sheets import Sheet

PREFIX = "HANGTAG_"
MAX_LEASE_S = 86_400  # what died a day ago and was not seen is no lease any more


def setting(default: Any, meaning: str) -> Any:  # noqa: ANN401  (of the type of its field)
    """A field that is read from the environment; `meaning` stands in the README."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a shop may set; each field is the environment variable HANGTAG_ + its name in capitals."""

    home: Path = setting(Path(), "folder for local state: SQLite catalog, lock; default: the user's data folder")
    database_url: str = setting("", "the catalog: postgresql://… or sqlite:///…; default: catalog.db in the home")
    redis_url: str = setting("", "the queue: redis://, rediss:// or redis+socket://…; default: one of our own")
    redis_ca: str = setting("", "file of the certificate authorities to trust for rediss://; default: the system's")
    processes: int = setting(0, "worker processes; 0: one for each core")
    chunk_size: int = setting(512, "images in a chunk, at most")  # see worker.enqueueing for what more or fewer cost
    lease_s: float = setting(10.0, "seconds without progress after which a chunk is given to another worker")
    max_pixels: int = setting(100_000_000, "pixels above which an image is refused before it is decoded")
    max_file_mb: int = setting(64, "megabytes above which a file is refused")
    image_cpu_s: int = setting(2, "CPU seconds that decoding one image may take")
    image_memory_mb: int = setting(300, "megabytes that decoding one image may take")
    log_level: str = setting("WARNING", "of the workers' log on stderr: DEBUG, INFO, WARNING, ERROR")
    log_format: str = setting("text", "of that log: text, or json with a line for each event")
    nightly: str = setting("30 3 * * *", "cron expression of the nightly retag; off: none")
    nightly_budget: str = setting(
        "", "how long a night may lease work, as 2h or 90m, from its start; default: no limit"
    )
    training: str = setting("off", "cron expression of the training on people's words, as 0 5 * * 0; off: none")
    training_minutes: float = setting(5.0, "minutes that such a training learns for")
    time_zone: str = setting("", "zone of these hours, as in Europe/Berlin; default: this machine's")

    @property
    def catalog_url(self) -> str:
        """The database's URL, given or by default."""
        file = str(self.home / "catalog.db").replace("%", "%25")  # which a URL takes for a code
        return self.database_url or f"sqlite:///{file}"

    @property
    def redis_ca_file(self) -> Path | None:
        """Where the authorities for Redis stand; None: the system's."""
        return Path(self.redis_ca) if self.redis_ca else None

    @property
    def is_local(self) -> bool:
        """Whether the catalog is the SQLite file in the home: ours to create."""
        return not self.database_url

    def open_database(self) -> "Engine":
        """An engine for the catalog whatever its schema; makes the folder of a local one."""
        if self.is_local:
            make_folder(self.home)
        return self._open_engine()

    def open_catalog(self) -> "Engine":
        """An engine for a catalog that is there and has the newest schema.

        Raises:
            UsageError: there is none yet.
            SchemaError: its schema is another; the line says which command to run.
        """
        from migrations.revisions import require_newest  # noqa: PLC0415

        if self.is_local and not (self.home / "catalog.db").exists():
            raise UsageError(f"no catalog in {self.home} yet: `hangtag tag FOLDER` makes one")
        engine = self._open_engine()  # who only reads needs no folder that takes files
        file = str(engine.url.database)
        if engine.dialect.name == "sqlite" and not file.startswith("file:") and not Path(file).exists():
            # Asked, SQLite would make the file, wherever a mistyped URL leads.
            raise UsageError(f"HANGTAG_DATABASE_URL: no catalog at {file}: `hangtag db upgrade` makes one")
        require_newest(engine)
        return engine

    def _open_engine(self) -> "Engine":
        with loading():  # the database's driver too
            from catalog.database import open_engine  # noqa: PLC0415  (`hangtag --help` needs no SQLAlchemy)

            return open_engine(self.catalog_url)

    def draw_contact_sheet(self, file: str, sheet: "Sheet") -> tuple[int, int]:
        """Write a contact sheet as a page; its size in bytes, and how many products are without a picture on it.

        Raises:
            UsageError: the file cannot be written.
        """
        from worker.cli_sheet import draw_contact_sheet  # noqa: PLC0415  (`hangtag find` needs no Pillow)

        return draw_contact_sheet(self, file, sheet)

    def write_labels(self, csv_path: Path, held_out_path: Path, *, imported: bool) -> list[str]:
        """Write what people taught as two lists of photos, as `training.taught_labels` asks; what there is to say.

        Raises:
            UsageError: people said too little.
        """
        from worker.teaching import write_labels  # noqa: PLC0415

        return write_labels(self.open_catalog(), csv_path, held_out_path, imported=imported)

    def name_of_other(self) -> str | None:
        """The label by which the catalog's current model says "none of these", or None."""
        from worker.teaching import current_other  # noqa: PLC0415

        return current_other(self.open_catalog())


def make_folder(folder: Path) -> None:
    """Create a folder of ours, readable by its owner only, or see that an older one takes files.

    Raises:
        UsageError: the system refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"cannot create HANGTAG_HOME {folder}: {error.strerror}") from error
    try:
        TemporaryFile(dir=folder).close()  # rights alone do not say it, least of all to root
    except OSError as error:
        raise UsageError(f"cannot write into HANGTAG_HOME {folder}: {error.strerror}") from error


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment.

    Raises:
        UsageError: a variable is misspelt or its value is not of its kind.
    """
    known = {PREFIX + item.name.upper(): item for item in fields(Settings)}
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise UsageError(f"{name} is no setting; there are: {', '.join(known)}")
        if text:
            values[known[name].name] = _parse(name, text, type(known[name].default))
    if "home" not in values:
        import platformdirs  # noqa: PLC0415

        values["home"] = Path(platformdirs.user_data_dir("hangtag", appauthor=False))
    try:
        values["home"] = values["home"].expanduser().absolute()
    except RuntimeError as error:  # "~nobody/x", or a user without a home
        raise UsageError(f"HANGTAG_HOME={values['home']}: {error}") from error
    return _checked(Settings(**values))


def _parse(name: str, text: str, kind: type) -> Any:  # noqa: ANN401  (of the type of its field)
    if kind not in (int, float):
        return Path(text) if issubclass(kind, Path) else text
    try:
        return int(text) if kind is int else float(text)
    except ValueError as error:
        raise UsageError(f"{name}={text!r} is no {'whole number' if kind is int else 'number'}") from error


def _checked(settings: Settings) -> Settings:
    """Refuse numbers that no worker could work with."""
    for name, least, most in (
        ("processes", 0, 1000), ("chunk_size", 1, 100_000), ("max_pixels", 1, 10**12), ("max_file_mb", 1, 100_000),
        ("image_cpu_s", 1, 100_000), ("image_memory_mb", 50, 1_000_000),
    ):  # fmt: skip
        if not least <= getattr(settings, name) <= most:
            raise UsageError(f"{PREFIX}{name.upper()} must be at least {least} and at most {most}")
    if settings.is_local and "?" in str(settings.home):
        raise UsageError(f"HANGTAG_HOME={settings.home}: a ? would end the name of the catalog's file in its URL")
    if not 1 <= settings.lease_s <= MAX_LEASE_S:  # "nan" is a number for Python, and is no duration
        raise UsageError(f"HANGTAG_LEASE_S must be at least 1 and at most {MAX_LEASE_S}")
    if not 0 < settings.training_minutes <= MOST_MINUTES:
        raise UsageError(f"HANGTAG_TRAINING_MINUTES must be above 0 and at most {MOST_MINUTES:,.0f}")
    if settings.nightly_budget:
        parse_duration(settings.nightly_budget, name="HANGTAG_NIGHTLY_BUDGET")
    if settings.log_level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise UsageError(f"HANGTAG_LOG_LEVEL={settings.log_level!r} is none of DEBUG, INFO, WARNING, ERROR")
    if settings.redis_ca and not Path(settings.redis_ca).is_file():
        raise UsageError(f"HANGTAG_REDIS_CA={settings.redis_ca}: no such file")
    if settings.log_format not in {"text", "json"}:
        raise UsageError(f"HANGTAG_LOG_FORMAT={settings.log_format!r} is none of text, json")
    return settings
