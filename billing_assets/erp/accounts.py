"""NetSuite's account ids: how they are written in host names, and what kind of account one is."""

import re

_ACCOUNT = re.compile(r"[A-Za-z0-9]+([_-][A-Za-z0-9]+)*", re.ASCII)
_PRODUCTION = re.compile(r"[0-9]+", re.ASCII)
_SANDBOX = re.compile(r"(TSTDRV|TD)[0-9]+.*|.*_(SB|RP)[0-9]*", re.ASCII)
_NETSUITE = ".netsuite.com"


def canonical(account: str) -> str:
    """An account id as NetSuite shows it: `1234567-sb1` → `1234567_SB1`."""
    return account.strip().upper().replace("-", "_")


def is_account(text: str) -> bool:
    """Whether a text may be an account id."""
    return _ACCOUNT.fullmatch(text) is not None


def is_sandbox(account: str) -> bool:
    """Whether the id is that of a sandbox, a release preview, or a test-drive or developer account."""
    return _SANDBOX.fullmatch(canonical(account)) is not None


def is_production(account: str) -> bool:
    """Whether the id is that of a production account: a number and nothing else."""
    return _PRODUCTION.fullmatch(canonical(account)) is not None


def label(account: str) -> str:
    """The account as the names of its hosts spell it: `1234567_SB1` → `1234567-sb1`."""
    return account.strip().lower().replace("_", "-")


def is_another_accounts(host: str, account: str) -> bool:
    """Whether a host of NetSuite is not this account's own. One that is not NetSuite's (a gateway) may be anybody's."""
    host = host.lower().rstrip(".")
    return f".{host}".endswith(_NETSUITE) and not host.startswith(f"{label(account)}.")
