"""A port on loopback, with TLS or without, in front of a test server that listens on a Unix socket only.

It is a process of its own: shaking hands in a thread of the tests' process crashed that once, where psycopg's wheel
brings a second OpenSSL.
"""

import argparse
import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL's protocol, "SSL Session Encryption"
PIECE_BYTES = 1 << 16


@contextmanager
def open_port(backend: Path, *, certificate: Path | None = None, postgres: bool = False) -> Iterator[int]:
    """The port on loopback that speaks for a server on a Unix socket.

    Args:
        certificate: a PEM file of a private key and the certificates that belong to it: the port speaks TLS.
        postgres: a client asks for TLS before it begins, as PostgreSQL's do.
    """
    command = [sys.executable, "-m", "tests.ports", str(backend), *(["--postgres"] * postgres)]
    command += ["--certificate", str(certificate)] if certificate is not None else []
    # Its stderr would tell of each client that did not trust it, which is what is tested.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def serve(backend: str, context: ssl.SSLContext | None, *, postgres: bool) -> None:
    """Accept until the process is ended; the port goes to stdout."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if postgres and context is not None:
                if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                    return
                writer.write(b"S")
                await writer.start_tls(context)
            from_server, to_server = await asyncio.open_unix_connection(backend)
            await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=None if postgres else context)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(PIECE_BYTES):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend")
    parser.add_argument("--certificate")
    parser.add_argument("--postgres", action="store_true")
    words = parser.parse_args()
    server_context = None
    if words.certificate is not None:
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(words.certificate)
    asyncio.run(serve(words.backend, server_context, postgres=words.postgres))
