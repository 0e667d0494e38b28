"""What ships for the sample is refused with any NetSuite but one on this machine: it names other people's records.

The sample's lookup tables give our customers the sandbox's internal ids, which are somebody else in a real account; its
ladder of reminders has an example's name and bank account.
"""

import csv
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import zip_longest
from pathlib import Path
from urllib.parse import urlsplit

from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.cells import read_csv
from billing_assets.foundation.settings import Settings, SettingsError, variable
from billing_assets.foundation.shipped import shipped


class OnlyForTheSampleError(SettingsError):
    """A file or command of the sample meets a NetSuite that is not on this machine."""


def in_sample(settings: Settings) -> bool:
    """Whether NetSuite is one on this machine: the sandbox, or another stand-in. No real account is."""
    url = settings.of(NetSuiteSettings).base_url
    return url is not None and on_this_machine(url)


def on_this_machine(url: str) -> bool:
    """Whether a URL leads to this machine."""
    try:
        host = urlsplit(url.strip()).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_sample_tables(settings: Settings, tables: Iterable[Path]) -> None:
    """Refuses the sample's lookup tables outside it, copies that were not edited too. Raises OnlyForTheSampleError."""
    if in_sample(settings):
        return
    ours = [path for path in shipped("config/sample").iterdir() if path.suffix == ".csv"]
    for table in tables:
        if any(_same(path, table) for path in ours):
            raise OnlyForTheSampleError(
                f"{settings.mapping} uses {table}, a table of the sample: its internal ids are those of our sandbox, "
                f"and other records in {_account(settings)}. Copy config/mapping.yaml with its tables, edit the copies "
                f"for that account, and name yours in {variable('mapping')}."
            )


def _same(ours: Path, other: Path) -> bool:
    """Whether a table has our rows, however a spreadsheet saved them."""
    with ours.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    try:
        found = (cells for _, cells in read_csv(other.read_bytes().decode("utf-8-sig"), rows[0]) if cells)
        return all(one == two for one, two in zip_longest(rows, found))
    except (UnicodeDecodeError, csv.Error):
        return False


def refuse_sample_late_fees(settings: Settings, path: Path, *, same: bool) -> None:
    """Refuses the rules of late fees that ship, unedited, outside the sample. Raises OnlyForTheSampleError."""
    if same and not in_sample(settings):
        raise OnlyForTheSampleError(
            f"{path} has the rules of the sample. Copy config/late_fees.yaml, edit the copy for your branches (or "
            f"leave `rules: []`), and name it in {variable('receivables.late_fees')}."
        )


def refuse_sample_elsewhere(settings: Settings, what: str) -> None:
    """Refuses to bring the sample's documents to a NetSuite that is not on this machine."""
    if settings.of(NetSuiteSettings).base_url is not None and not in_sample(settings):
        raise OnlyForTheSampleError(
            f"{what} is for the sample, and {variable('netsuite.base_url')} names {_account(settings)}: the sample's "
            "documents would be billed there. Leave it out, or unset the settings of NetSuite: then the sample has its "
            "own."
        )


def _account(settings: Settings) -> str:
    return settings.of(NetSuiteSettings).base_url or f"NetSuite account {settings.of(NetSuiteSettings).account}"
