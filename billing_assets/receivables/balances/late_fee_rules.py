"""The rules of late fees (`config/late_fees.yaml`): which branch, from when, how much, and when a bill is late."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from billing_assets.erp.contract import refuse_sample_late_fees
from billing_assets.foundation.calendar.business_days import UnknownCalendarError, business_day_from, calendar
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.settings import Settings
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.balances.settings import ReceivablesSettings

EVERY_BRANCH = "*"
_ROUNDING = {"half_up": ROUND_HALF_UP, "down": ROUND_DOWN}


class LateFeeError(BillingError):
    """Late fees cannot be worked out or decided. The message names what is wrong and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Holidays(_Part):
    """Whose holidays and weekends move a due date."""

    country: str = Field(description="ISO 3166 code, e.g. US")
    subdivision: str | None = Field(None, description="A part of the country, e.g. TX")

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            calendar(self.country, self.subdivision)
        except UnknownCalendarError as error:
            raise ValueError(str(error)) from None
        return self


class Rule(_Part):
    """One rule. It holds for invoices that are dated while it is in force."""

    name: str = Field(min_length=1, description="What the rule is called on the proposal and on the charge")
    branches: tuple[str, ...] = Field(min_length=1, description="Branches it holds for; `*` is every other branch")
    effective_from: date = Field(description="The first document date for which it holds")
    effective_to: date | None = Field(None, description="The last document date for which it holds")
    percent: Decimal = Field(gt=0, le=100, description="Of the delinquent balance, once")
    rounding: Literal["half_up", "down"] = Field(
        "half_up", description="To the minor unit; `down` where the percentage is a limit that no cent may pass"
    )
    minimum_days: int = Field(0, ge=0, description="A bill is due not earlier than this many days after its issue")
    mailing_days: int = Field(0, ge=0, description="Days from the document date to the issue (the postmark)")
    holidays: Holidays | None = Field(
        None, description="A due date on a weekend or holiday moves to the next business day"
    )
    not_penalised_items: tuple[str, ...] = Field(
        (), description="Items that never bear a fee: late fees themselves, balances carried forward"
    )
    text: str = Field("", description="Text of the charge; default: the name")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError("effective_to lies before effective_from")
        return self

    def in_force(self, day: date) -> bool:
        """Whether it holds for a document of this date."""
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)


class LateFeeRules(_Part):
    """The whole file."""

    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _no_two_at_once(self) -> Self:
        for n, one in enumerate(self.rules):
            for other in self.rules[:n]:
                shared = sorted(set(one.branches) & set(other.branches))
                if shared and (other.in_force(one.effective_from) or one.in_force(other.effective_from)):
                    raise ValueError(f"{other.name!r} and {one.name!r} hold at once for {', '.join(shared)}")
        return self

    def rule_for(self, branch: str, document_date: date) -> Rule | None:
        """The rule of a branch for a document of this date: one that names the branch before one for all others."""
        for name in (branch, EVERY_BRANCH):
            for rule in self.rules:
                if name in rule.branches and rule.in_force(document_date):
                    return rule
        return None

    def concern(self, branch: str) -> bool:
        """Whether some rule, in force or not, holds for a branch."""
        return any(branch in rule.branches or EVERY_BRANCH in rule.branches for rule in self.rules)

    @property
    def not_penalised_items(self) -> tuple[str, ...]:
        """Every item that some rule spares."""
        return tuple(sorted({item for rule in self.rules for item in rule.not_penalised_items}))


def late_fee_rules(settings: Settings) -> LateFeeRules:
    """The rules of late fees; none where no file is set. Raises LateFeeError, and OnlyForTheSampleError."""
    path = settings.of(ReceivablesSettings).late_fees
    if path is None:
        return LateFeeRules()
    found = load_rules(path)
    refuse_sample_late_fees(settings, path, same=found == load_rules(shipped("config/late_fees.yaml")))
    return found


def load_rules(path: Path) -> LateFeeRules:
    """The validated file. Raises LateFeeError with one line per fault."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise LateFeeError(f"{path} cannot be read ({error.strerror}). Set BILLING_RECEIVABLES__LATE_FEES.") from None
    except (UnicodeDecodeError, yaml.YAMLError):
        raise LateFeeError(f"{path} is not valid YAML.") from None
    try:
        return LateFeeRules.model_validate(content)
    except ValidationError as error:
        faults = [f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise LateFeeError("\n".join(faults)) from None


def pay_by(rule: Rule, document_date: date, due_date: date) -> date:
    """The last day on which a payment is in time: not before the date on the bill, moved in the payer's favour."""
    issued = document_date + timedelta(days=rule.mailing_days)
    day = max(due_date, issued + timedelta(days=rule.minimum_days))
    return business_day_from(day, rule.holidays.country, rule.holidays.subdivision) if rule.holidays else day


def penalised_balance(rule: Rule, open_amount: Decimal, lines: Iterable[tuple[str, Decimal]]) -> Decimal:
    """What of an invoice bears the fee: the open amount less its lines (item, amount) that never do.

    It is not known which line a part payment settled. It counts for those that bear the fee: in the payer's favour.
    """
    spared = sum((amount for item, amount in lines if item in rule.not_penalised_items), Decimal(0))
    return max(open_amount - max(spared, Decimal(0)), Decimal(0))


def fee_on(rule: Rule, balance: Decimal, minor_digits: int) -> Decimal:
    """The one-time fee on a balance, in whole minor units, rounded as the rule says (half up by default)."""
    exact = balance * rule.percent / 100
    return exact.quantize(Decimal(1).scaleb(-minor_digits), _ROUNDING[rule.rounding])
