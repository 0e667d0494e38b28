"""The sandbox's account and its secrets: made once per folder, then read again."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from billing_assets.sandbox.kit.credentials import ec_key, made_once

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
    key_file = (folder / "private_key.pem").resolve()
    made_once(key_file, ec_key)
    return Credentials(**json.loads(made_once(folder / "credentials.json", _new)), private_key_file=key_file)


def _new() -> bytes:
    values = {
        "account": ACCOUNT,
        "client_id": secrets.token_hex(32),
        "certificate_id": secrets.token_urlsafe(32),
        **{name: secrets.token_hex(32) for name in ("consumer_key", "consumer_secret", "token_id", "token_secret")},
    }
    return json.dumps(values, indent=2).encode()
