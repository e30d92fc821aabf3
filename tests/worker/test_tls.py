"""Redis and PostgreSQL over TLS, with passwords, as settings; and what is not to be trusted."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
import trustme
from sqlalchemy import make_url

from tests.ports import open_port
from tests.servers import run_sql
from tests.worker.command_line import CommandLine, wait_until
from tests.worker.pictures import draw_folder
from worker.redis_url import verify_by_default

SECRET = "hunter2-of-the-shop"


@dataclass(frozen=True)
class Servers:
    """URLs over TLS of a Redis and a PostgreSQL that want a password, and the file of the authority to trust."""

    redis_url: str
    database_url: str
    ca: Path
    other_ca: Path


@pytest.fixture
def servers(redis_server: Path, redis_url: str, postgres_url: str, tmp_path: Path) -> Iterator[Servers]:
    authority, other = trustme.CA(), trustme.CA()
    for number, one in enumerate((authority, other)):
        one.cert_pem.write_to_path(str(tmp_path / f"ca{number}.pem"))
    certificate = tmp_path / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    parsed = make_url(postgres_url)
    database_socket = Path(str(parsed.query["host"])) / ".s.PGSQL.5432"
    run_sql(postgres_url, f"CREATE ROLE shop_tls LOGIN SUPERUSER PASSWORD '{SECRET}'")
    client = redis.Redis(unix_socket_path=str(redis_server))
    client.acl_setuser("shop", enabled=True, passwords=[f"+{SECRET}"], keys="*", channels="*", commands=["+@all"])
    with (
        open_port(redis_server, certificate=certificate) as redis_port,
        open_port(database_socket, certificate=certificate, postgres=True) as database_port,
    ):
        query = f"sslmode=verify-full&sslrootcert={tmp_path / 'ca0.pem'}"
        yield Servers(
            f"rediss://shop:{SECRET}@localhost:{redis_port}/0",
            f"postgresql://shop_tls:{SECRET}@localhost:{database_port}/{parsed.database}?{query}",
            tmp_path / "ca0.pem", tmp_path / "ca1.pem",
        )  # fmt: skip
    client.acl_deluser("shop")
    client.close()
    run_sql(postgres_url, "DROP OWNED BY shop_tls", "DROP ROLE shop_tls")


def test_a_worker_serves_over_tls_and_no_secret_is_said(
    new_command_line: Callable[..., CommandLine], servers: Servers, tmp_path: Path
) -> None:
    line = new_command_line(
        REDIS_URL=servers.redis_url, DATABASE_URL=servers.database_url, REDIS_CA=str(servers.ca), LOG_LEVEL="DEBUG"
    )
    photos = draw_folder(tmp_path / "photos", 12)
    said = [line.run("enqueue", photos)]
    assert said[0].returncode == 0, said[0].stderr
    with line.running("worker") as worker:
        wait_until(lambda: line.ask("SELECT state FROM run") == [("done",)], what="the end of the run")
        shown = [Path(f"/proc/{process.pid}/cmdline").read_bytes() for process in line.processes()]
        assert not any(SECRET.encode() in words for words in shown)
        said += [line.run(*words) for words in (["doctor"], ["doctor", "--json"], ["tag", photos], ["db", "check"])]
        worker.send_signal(signal.SIGTERM)
        output, logged = worker.communicate(timeout=20)
    assert [done.returncode for done in said] == [0] * len(said)
    for text in (output, logged, *(done.stdout + done.stderr for done in said)):
        assert SECRET not in text
    assert "DEBUG" in logged


TRAIN = """
import sys
from worker.cli import COMMANDS, hangtag
hangtag.get_command(None, "train")
import tensorflow
from catalog.database import open_engine
with open_engine(sys.argv[1]).connect() as connection:
    print(connection.exec_driver_sql("SELECT current_user").scalar())
"""


def test_a_training_with_tensorflow_asks_a_catalog_over_tls(servers: Servers) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, servers.database_url], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "shop_tls\n"), done.stderr


@pytest.mark.parametrize("setting", ["REDIS_CA", "REDIS_URL", "DATABASE_URL"])
def test_what_is_not_to_be_trusted_gets_one_line_without_a_secret(
    new_command_line: Callable[..., CommandLine], servers: Servers, setting: str
) -> None:
    line = new_command_line(REDIS_URL=servers.redis_url, DATABASE_URL=servers.database_url, REDIS_CA=str(servers.ca))
    assert line.run("db", "upgrade").returncode == 0
    untrusted = {
        "REDIS_CA": ["", str(servers.other_ca), "/nowhere.pem"],
        "REDIS_URL": [
            servers.redis_url.replace("localhost", "127.0.0.1"),  # the certificate names another host
            servers.redis_url.replace(SECRET, f"{SECRET}-wrong"),
            servers.redis_url.replace("rediss://", "redis://"),
        ],
        "DATABASE_URL": [
            servers.database_url.replace("localhost", "127.0.0.1"),
            servers.database_url.replace("ca0.pem", "ca1.pem"),
            servers.database_url.replace("verify-full", "disable"),
        ],
    }
    for value in untrusted[setting]:
        line.settings[setting] = value
        done = line.run("worker")
        assert (done.returncode, done.stdout) == (2, ""), value
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stderr.startswith(("hangtag: HANGTAG_REDIS", "hangtag: the catalog at postgresql://shop_tls:***@"))
        assert SECRET not in done.stderr


def test_a_url_of_tls_is_checked_unless_it_says_otherwise() -> None:
    plain = "redis://host:6379/0"
    assert verify_by_default(plain, ca=None) == plain
    assert verify_by_default("rediss://:p%40ss@host/0", ca=Path("/etc/ca.pem")) == (
        "rediss://:p%40ss@host/0?ssl_cert_reqs=required&ssl_check_hostname=true&ssl_ca_certs=%2Fetc%2Fca.pem"
    )
    assert "ssl_cert_reqs=none" in verify_by_default("rediss://host/0?ssl_cert_reqs=none", ca=None)
