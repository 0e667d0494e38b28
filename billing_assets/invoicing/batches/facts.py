"""What a validation sees of a member: plain data. Energy is exact, dates are of the service point's clock."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member with its usage, charges, account, agreement and history, as they are now.

    `last_*`: the newest live invoice of its stream before it; `year_ago_*`: the account's own of the same day a year
    ago. `history`: live invoices before it, at most 13. `estimates`: estimated invoices in a row up to the last one.
    `overlaps`: numbers of live invoices with days of its period. `usage_before`: end of the usage before it, billed or
    not; `member_before`: of the last period before it in an open batch. `billed_since`: the first day of account and
    agreement. Loops are those of the 867, as its reader left them (JSON). `intervals`: which validations of intervals a
    member without a message is of.
    """

    member: int
    account: str
    point: str
    period_start: date
    period_end: date
    cut_off: date
    today: date

    usage: int | None
    kwh: Decimal | None
    usage_state: str | None
    is_ready: bool
    usage_codes: list[str]
    waits_for: str | None
    is_estimated: bool
    is_final: bool
    is_cancelled: bool
    replaces: bool
    arrived_at: datetime | None
    usage_hash: str | None
    report_type: str
    rate_class: str
    utility_model: str
    loops: list[dict[str, Any]]
    unbilled: int
    usage_before: date | None
    member_before: date | None

    charges: int | None
    charges_start: date | None
    charges_end: date | None
    charges_arrived_at: datetime | None
    charges_hash: str | None
    charges_alike: int
    orphan_charges_since: date | None

    has_account: bool
    billing_model: str
    customer_class: str
    delivery: str
    tax_codes: list[str]
    exempt_until: date | None
    address_fault: str
    email_bounces: int
    hold_until: date | None
    hold_why: str
    hold_by: str
    without_charges: bool
    checks_off: list[str]
    severities: list[str]

    tariff: str | None
    tariff_version: int | None
    tariff_used: bool
    agreement_class: str
    needs_approval: bool
    agreement_ended: date | None
    supply_start: date | None
    supply_end: date | None
    billed_since: date | None
    zone: str
    known_meters: list[str]

    last_number: str | None
    last_end: date | None
    last_days: int | None
    last_kwh: Decimal | None
    last_estimated: bool
    last_is_own: bool
    history: int
    last_loops: list[dict[str, Any]]
    zeros: int
    estimates: int
    year_ago_days: int | None
    year_ago_kwh: Decimal | None
    overlaps: list[str]

    intervals: str | None = None
    intervals_found: int = 0
    intervals_due: int = 0
    interval_kwh: Decimal | None = None
    prices_missing: tuple[tuple[str, str], ...] = ()
    """Series with prices missing in the period: name, how many."""

    @property
    def has_usage(self) -> bool:
        """Whether there is a message of the market, or intervals that were validated."""
        return self.usage is not None or self.intervals is not None

    @property
    def days(self) -> int:
        """Days of the period."""
        return (self.period_end - self.period_start).days

    @property
    def content(self) -> str:
        """What usage and charges say: changed since validation means validate again."""
        return f"{self.usage} {self.usage_hash} {self.charges or ''} {self.charges_hash or ''}".strip()
