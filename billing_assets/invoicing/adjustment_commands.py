"""`billing invoicing memo`, `special-charge`, `ar-adjustment`, `one-off`: charges and credits without usage."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import said
from billing_assets.foundation.runtime import Runtime
from billing_assets.invoicing.adjustments import reports
from billing_assets.invoicing.adjustments.kinds import GROUPS, Adjustment, LineByHand, State
from billing_assets.invoicing.adjustments.settings import AdjustmentSettings
from billing_assets.invoicing.invoices import adjusting
from billing_assets.invoicing.invoices.adjusting import Adjusted, Terms
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.printing import AsJson, By, Why, day_of, show, show_json

Account = Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account.")]
Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Without tax; below zero a credit.")]
Reason = Annotated[str, typer.Option(help="Code of the reason, such as GOODWILL.")]
Text = Annotated[str, typer.Option(help="What the customer reads.")]
Group = Annotated[str, typer.Option(help=f"Which taxes count it: {', '.join(GROUPS)}.")]
TaxCategory = Annotated[str | None, typer.Option(help="Tax category, where the tariff's taxes go by it.")]
Number = Annotated[int, typer.Argument(metavar="ADJUSTMENT", help="Number of the adjustment.")]

_WORDS = {
    Adjustment.DEBIT_MEMO: "Debit memo",
    Adjustment.CREDIT_MEMO: "Credit memo",
    Adjustment.SPECIAL_CHARGE: "Special charge",
    Adjustment.TRUE_UP: "True-up",
    Adjustment.AR_ADJUSTMENT: "AR adjustment",
    Adjustment.ONE_OFF: "One-off invoice",
}


def register(invoicing: typer.Typer) -> None:
    """Adds the commands."""
    commands: dict[str, Callable[..., None]] = {
        "memo": memo_command,
        "special-charge": special_charge_command,
        "ar-adjustment": ar_adjustment_command,
        "one-off": one_off_command,
        "adjustments": adjustments_command,
        "check-adjustment": check_adjustment_command,
        "withdraw-adjustment": withdraw_adjustment_command,
    }
    for name, command in commands.items():
        # An amount below zero is an argument, not an option.
        invoicing.command(name, context_settings={"ignore_unknown_options": True})(command)


def memo_command(
    account: Account,
    amount: Amount,
    *,
    reason: Reason,
    text: Text,
    by: By,
    why: Why,
    group: Group = "fee",
    tax_category: TaxCategory = None,
    taxed: Annotated[bool, typer.Option(help="Add the taxes of the account's tariff.")] = False,
    as_json: AsJson = False,
) -> None:
    """Charge (or below zero credit) an account now, by a memo that is posted and not printed."""
    number = _number(amount)
    kind = Adjustment.CREDIT_MEMO if number < 0 else Adjustment.DEBIT_MEMO
    _enter(kind, account, [_line(text, number, group, tax_category)], reason, by, why, taxed, as_json)


def special_charge_command(
    account: Account,
    amount: Amount,
    *,
    reason: Reason,
    text: Text,
    by: By,
    why: Why,
    group: Group = "fee",
    tax_category: TaxCategory = None,
    as_json: AsJson = False,
) -> None:
    """Hold a charge or a credit for an account's next bill, taxed as that bill is."""
    line = _line(text, _number(amount), group, tax_category)
    _enter(Adjustment.SPECIAL_CHARGE, account, [line], reason, by, why, True, as_json)


def ar_adjustment_command(
    account: Account, amount: Amount, *, reason: Reason, text: Text, by: By, why: Why, as_json: AsJson = False
) -> None:
    """Adjust the balance of an account (a write-off, a refund): on no bill, and no revenue."""
    line = _line(text, _number(amount), "fee", None)
    _enter(Adjustment.AR_ADJUSTMENT, account, [line], reason, by, why, False, as_json)


def one_off_command(
    account: Account,
    line: Annotated[list[str], typer.Option(help='A line: "text;quantity;unit;price", then ";group;tax category".')],
    *,
    reason: Reason,
    by: By,
    why: Why,
    as_json: AsJson = False,
) -> None:
    """Issue an invoice without usage (a connection, damage): lines as typed, taxed by the engine."""
    _enter(Adjustment.ONE_OFF, account, [_typed(one) for one in line], reason, by, why, True, as_json)


def _number(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("nan")
    if not found.is_finite():
        raise typer.BadParameter(f"{text!r} is no number; write one such as 12.50 or -12.50")
    return found


def _line(text: str, amount: Decimal, group: str, tax_category: str | None) -> LineByHand:
    return LineByHand(text, abs(amount), Decimal(-1 if amount < 0 else 1), "", group, tax_category)


def _typed(text: str) -> LineByHand:
    parts = [one.strip() for one in text.split(";")]
    if not 4 <= len(parts) <= 6:
        raise typer.BadParameter(f'{text!r} is no line; write "text;quantity;unit;price"')
    words, quantity, unit, price, *rest = parts
    group, category = (*rest, "", "")[:2]
    return LineByHand(words, _number(price), _number(quantity), unit, group or "fee", category or None)


def _terms(runtime: Runtime) -> Terms:
    settings = runtime.settings
    return Terms(rate_case, day_of(None, settings.calendar), settings.of(AdjustmentSettings).check_above)


def _enter(
    kind: Adjustment,
    account: str,
    lines: list[LineByHand],
    reason: str,
    by: str,
    why: str,
    taxed: bool,
    as_json: bool,
) -> None:
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        done = adjusting.enter(connection, kind, account, lines, reason, by, why, _terms(runtime), taxed=taxed)
    _show(done, as_json)


def _show(done: Adjusted, as_json: bool) -> None:
    if as_json:
        show_json(done._asdict())
        return
    states = {
        State.WAITING: f"waits for another person: `billing invoicing check-adjustment {done.adjustment}`",
        State.OPEN: "is held until the next bill",
        State.POSTED: f"is posted{f' as {done.number}' if done.number else ''}",
    }
    console.print(
        f"{_WORDS[done.kind]} {done.adjustment} of {done.amount} {states[done.state]}.", markup=False, soft_wrap=True
    )


def adjustments_command(
    account: Annotated[str | None, typer.Argument(metavar="ACCOUNT", help="Default: all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is posted, on a bill, or withdrawn.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show memos, charges and adjustments that wait for a person or for the next bill."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = reports.adjustments(connection, account, everything=everything)
    columns = {"adjustment": "Number", "kind": "Kind", "account": "Account", "amount": "Amount", "reason": "Reason"}
    show(found, as_json, "Adjustments", columns | {"state": "State", "bill": "Bill", "maker": "By", "since": "Since"})


def check_adjustment_command(number: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Check what another person charged or credited: it is done then."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        done = adjusting.confirm(connection, number, by, why, _terms(runtime))
    _show(done, as_json)


def withdraw_adjustment_command(number: Number, by: By, why: Why, as_json: AsJson = False) -> None:
    """Drop what is not posted, and on no bill."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        adjusting.withdraw(connection, number, by, why)
    if as_json:
        show_json({"adjustment": number, "state": "withdrawn"})
        return
    console.print(f"Adjustment {number} is withdrawn.")
