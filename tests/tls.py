"""TLS in front of a test server that was built without: what it accepts it decrypts and hands on to a Unix socket."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL's protocol, "SSL Session Encryption"
PIECE_BYTES = 1 << 16


@contextmanager
def tls_in_front(backend: Path, context: ssl.SSLContext, *, postgres: bool = False) -> Iterator[int]:
    """The port on loopback that speaks TLS for a server on a Unix socket.

    Args:
        postgres: a client asks for TLS before it begins, as PostgreSQL's do.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=_accept, args=(listener, backend, context, postgres), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, backend: Path, context: ssl.SSLContext, postgres: bool) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        Thread(target=_serve, args=(client, backend, context, postgres), daemon=True).start()


def _serve(client: socket.socket, backend: Path, context: ssl.SSLContext, postgres: bool) -> None:
    with client, suppress(OSError):
        if postgres:
            if client.recv(len(SSL_REQUEST), socket.MSG_WAITALL) != SSL_REQUEST:
                return
            client.sendall(b"S")
        with context.wrap_socket(client, server_side=True) as secure, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(backend))
            # One thread alone: an SSL socket is not to be read and written by two at once.
            secure.setblocking(False)
            _copy(secure, server)


def _copy(secure: ssl.SSLSocket, server: socket.socket) -> None:
    import select

    while True:
        ready, _, _ = select.select([secure, server], [], [], None if not secure.pending() else 0)
        if secure in ready or secure.pending():
            try:
                data = secure.recv(PIECE_BYTES)
            except ssl.SSLWantReadError:
                continue
            if not data:
                return
            server.sendall(data)
        if server in ready:
            data = server.recv(PIECE_BYTES)
            if not data:
                return
            secure.setblocking(True)
            secure.sendall(data)
            secure.setblocking(False)
