"""The billing month that commands of the running system and the sample are given."""

import re
from typing import Annotated

import typer

from billing_assets.foundation.settings import SettingsError
from billing_assets.operations.billing_run import ALL
from billing_assets.sandbox.samples.data import FIRST_MONTH, LAST_MONTH

Period = Annotated[str, typer.Option(help="Billing month, YYYY-MM, or `all`.")]


def check_period(period: str, *, use_sample: bool) -> None:
    """Raises SettingsError for what is no month, and for one of which the sample has nothing."""
    if period == ALL:
        return
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", period):
        raise SettingsError(f"--period {period}: expected a month such as 2010-11, or `all`.")
    if use_sample and not FIRST_MONTH <= period <= LAST_MONTH:
        raise SettingsError(f"--period {period}: the sample has documents from {FIRST_MONTH} to {LAST_MONTH}.")
