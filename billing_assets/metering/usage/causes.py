"""What can go wrong with usage and charges that people must be told."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from billing_assets.foundation.alerts import Alert, Severity, count, page, some
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.settings import Settings
from billing_assets.metering.usage import reports
from billing_assets.metering.usage.reports import Orphans
from billing_assets.metering.usage.settings import UsageSettings


def alerts(connection: Connection, settings: Settings, now: datetime) -> Iterator[Alert]:
    """Usage without charges and charges without usage: one alert for each age that some have reached."""
    options = settings.of(UsageSettings).options()
    link = page(settings.alerts.ui_url, "assets/billable_usage")
    by_age: dict[int, list[Orphans]] = defaultdict(list)
    for one in reports.orphans_by_age(connection, now, options):
        by_age[one.at_least_days].append(one)
    for days, found in by_age.items():
        parts = [
            f"{one.code}: {count(one.messages, 'message')}, the oldest of them {some(one.oldest)}" for one in found
        ]
        number = sum(one.messages for one in found)
        yield Alert(
            f"no_pair_for_{days}_days",
            f"{count(number, 'message')} without a pair for {days} days",
            f"Usage waits for its charges, or charges for their usage: {'; '.join(parts)}. None of it is billed.",
            number,
            (),
            f"`billing metering waiting --days {days}` lists them. Ask the utility for the other half, or confirm a "
            "suggested pair.",
            link,
            Severity.CRITICAL if days == max(options.ageing_days) else Severity.WARNING,
        )
