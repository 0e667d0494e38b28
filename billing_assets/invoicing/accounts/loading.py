"""Loading the master data of billing, and what is wrong with it as a whole."""

from pathlib import Path
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.accounts import reports
from billing_assets.invoicing.accounts.kinds import KINDS
from billing_assets.invoicing.accounts.reports import AccountFinding
from billing_assets.metering.contract import Loaded, load_master, read_folder


class LoadedAccounts(NamedTuple):
    """What a load changed, by kind, and what it found: nothing of that keeps it from being loaded."""

    loaded: list[Loaded]
    findings: list[AccountFinding]


def load_accounts(connection: Connection, folder: Path) -> LoadedAccounts:
    """Loads the files of a folder, all or none; safe to repeat. Raises MasterDataError."""
    with connection.transaction():
        loaded = load_master(connection, read_folder(folder, KINDS), KINDS)
        return LoadedAccounts(loaded, reports.findings(connection))
