"""The sandbox's account and its secrets: made once per folder, then read again."""

import json
import os
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ACCOUNT = "TSTDRV1234567"


@dataclass(frozen=True)
class Credentials:
    """What a client needs to log in, by certificate (OAuth 2.0) or by token (OAuth 1.0a)."""

    account: str
    client_id: str
    certificate_id: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    token_id: str = field(repr=False)
    token_secret: str = field(repr=False)
    private_key_file: Path


def make_credentials(folder: Path) -> Credentials:
    """Create DIR/credentials.json and DIR/private_key.pem (both 0600), or read them if they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    key_file = (folder / "private_key.pem").resolve()
    file = folder / "credentials.json"
    if not key_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write_private(
            key_file,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
    if not file.exists():
        made = Credentials(
            account=ACCOUNT,
            client_id=secrets.token_hex(32),
            certificate_id=secrets.token_urlsafe(32),
            consumer_key=secrets.token_hex(32),
            consumer_secret=secrets.token_hex(32),
            token_id=secrets.token_hex(32),
            token_secret=secrets.token_hex(32),
            private_key_file=key_file,
        )
        values = {name: value for name, value in asdict(made).items() if name != "private_key_file"}
        _write_private(file, json.dumps(values, indent=2).encode())
    return Credentials(**json.loads(file.read_bytes()), private_key_file=key_file)


def _write_private(file: Path, content: bytes) -> None:
    """Write so that a reader sees nothing or all, and only the owner may read. The first writer wins."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
    with suppress(FileExistsError):  # a second starter made it at the same moment
        file.hardlink_to(draft)
    draft.unlink()
