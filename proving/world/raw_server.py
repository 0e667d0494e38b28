"""A server on loopback that does to a connection whatever a test says, down to the packet. And a key to log in with."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from billing_assets.erp.settings import NetSuiteSettings

Behaviour = Callable[["Call"], bool | None]
"""Answers one request; True keeps the connection open for the next."""


@dataclass
class Call:
    """One request: its number from 1 (logins not counted), head and body, and the connection to answer on."""

    number: int
    head: str
    body: bytes
    connection: socket.socket

    def answer(self, status: int, body: bytes = b"", **headers: str) -> bool:
        """A whole answer; the connection stays open."""
        lines = [
            f"HTTP/1.1 {status} Reason",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        if status != 204:
            lines.append(f"Content-Length: {len(body)}")
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return True

    def landed(self) -> bool:
        return self.answer(204, Location="/services/rest/record/v1/invoice/647")

    def reset(self) -> None:
        """RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass
class RawServer:
    """What came in. `calls` are the requests other than logins, `logins` the token requests."""

    base_url: str
    calls: list[Call] = field(default_factory=list)
    logins: list[Call] = field(default_factory=list)
    connections: int = 0

    @property
    def posts(self) -> int:
        return sum(call.head.startswith("POST") for call in self.calls)


def login(call: Call) -> bool:
    """A token that tells how many were given out."""
    return call.answer(200, json.dumps({"access_token": f"token-{call.number}", "expires_in": "3600"}).encode())


@contextmanager
def raw_server(
    behaviour: Behaviour, *, on_login: Behaviour = login, tls: ssl.SSLContext | None = None
) -> Iterator[RawServer]:
    """Serve on a free port, one thread a connection, until the end of the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if tls else "http"
    server = RawServer(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}")
    lock = threading.Lock()
    open_connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:
            if tls:
                connection = tls.wrap_socket(connection, server_side=True)
            stream = connection.makefile("rb")
            keep: bool | None = True
            while keep:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = stream.readline()
                    if not line:
                        return
                    head += line
                length = next(
                    (
                        int(row.split(b":")[1])
                        for row in head.split(b"\r\n")
                        if row.lower().startswith(b"content-length:")
                    ),
                    0,
                )
                body = stream.read(length)
                is_login = b"/oauth2/" in head.split(b"\r\n")[0]
                with lock:
                    log = server.logins if is_login else server.calls
                    call = Call(len(log) + 1, head.decode("latin-1"), body, connection)
                    log.append(call)
                keep = (on_login if is_login else behaviour)(call)
            stream.close()

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                server.connections += 1
                open_connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in open_connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def write_key(file: Path, key: Any = None) -> Path:
    """A private key in PEM form that only its owner may read; by default EC P-256."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


def certificate_settings(base_url: str, key_file: Path, **values: Any) -> NetSuiteSettings:
    """Settings that log in by certificate."""
    return NetSuiteSettings.model_validate(
        {
            "account": "TSTDRV1234567",
            "base_url": base_url,
            "client_id": "the-client-id",
            "certificate_id": "the-certificate",
            "private_key_file": key_file,
            "timeout_seconds": 5,
            **values,
        }
    )
