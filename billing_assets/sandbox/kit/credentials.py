"""A sandbox's secrets: made once per folder, then read again, readable by the owner only."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


def made_once(file: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a file (0600), made if it is not there. The first of several starters wins."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _write_private(file, make())
    return file.read_bytes()


def ec_key() -> bytes:
    """A new private key (P-256), as PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_private(file: Path, content: bytes) -> None:
    """Write so that a reader sees nothing or all, and only the owner may read."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
    with suppress(FileExistsError):  # a second starter made it at the same moment
        file.hardlink_to(draft)
    draft.unlink()
