"""`billing reminders` and `billing stops`: who is asked to pay, who is not for the time being, and what came of it."""

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.markup import escape

from billing_assets.erp.contract import BillingSystem, NetSuite
from billing_assets.foundation.calendar.business_days import earliest_day
from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import one_of, said
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.money import amount
from billing_assets.foundation.outside_text import file_name
from billing_assets.foundation.settings import SettingsError, variable
from billing_assets.receivables.reminders import journal_store, store
from billing_assets.receivables.reminders.bounces import note_bounces, read_mailbox, read_stream
from billing_assets.receivables.reminders.delivery_reports import Unclear
from billing_assets.receivables.reminders.errors import MailWrong, NoSuchReminder, TemplateWrong
from billing_assets.receivables.reminders.invoices import Kept, Reminder
from billing_assets.receivables.reminders.journaling import note
from billing_assets.receivables.reminders.materials import load_materials
from billing_assets.receivables.reminders.message import Templates, written
from billing_assets.receivables.reminders.plan import REASONS, plan
from billing_assets.receivables.reminders.sending import send_due, utc_now
from billing_assets.receivables.reminders.smtp import Delivery, parse_server
from billing_assets.receivables.settings import ReminderSettings

reminders = typer.Typer(no_args_is_help=True, help="Payment reminders by e-mail: look, send, and what came of them.")
stops = typer.Typer(no_args_is_help=True, help="Who is not reminded, nor charged late fees, and why.")

_STATES = ("unknown", "bounced", "deferred", "sending", "sent", "skipped")
_OPEN = ("unknown", "bounced", "deferred", "sending")
_UNCLEAR = {
    Unclear.NAMES_NONE: "it names no reminder: another mail, or the Message-ID was replaced",
    Unclear.NOT_READ: "its form is not known",
}
_STRANGE = 50  # so many are shown one by one


class Verdict(StrEnum):
    """What a person says of a reminder whose outcome is not known."""

    SENT = "sent"
    AGAIN = "again"


By = Annotated[str, typer.Option(help="Who decides.")]
Why = Annotated[str, typer.Option(help="Why; it is kept for good.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="YYYY-MM-DD")]


def register(app: typer.Typer) -> None:
    """Adds these commands."""
    app.add_typer(reminders, name="reminders")
    app.add_typer(stops, name="stops")


@reminders.command("plan")
def plan_command(
    days: Annotated[int, typer.Option(min=0, help="How many days to look ahead; 0: what would leave now.")] = 0,
    customer: Annotated[str | None, typer.Option(help="Only this customer number.")] = None,
    at: Annotated[datetime | None, typer.Option(help="As if it were this time (UTC); default: now.")] = None,
    eml: Annotated[Path | None, typer.Option(help="Write the mails into this folder; they name customers.")] = None,
) -> None:
    """Show who would get what and when, and who is kept back; send nothing."""
    now = at.replace(tzinfo=UTC) if at else utc_now()
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        materials = load_materials(
            runtime.settings.of(ReminderSettings),
            runtime.of(BillingSystem).engine,
            runtime.of(BillingSystem).queries,
            runtime.settings.calendar.zones,
            in_sample=runtime.of(NetSuite).in_sample,
        )
        materials.templates.check(materials.policy)
        found = list(plan(connection, materials, now, now + timedelta(days=days), customer))
    going = sorted((one for one in found if isinstance(one, Reminder)), key=lambda one: one.next.sends_at)
    kept = [one for one in found if isinstance(one, Kept)]
    columns = ["Customer", "Invoice", "Step", "Amount", "Goes out, in local time", "UTC"]
    table = simple_table(f"{len(going):,} reminders", columns, right=(3,))
    for one in going:
        invoice, sends_at = one.invoice, one.next.sends_at
        local = sends_at.astimezone(one.place.time_zone)
        asked = f"{invoice.currency} {amount(one.asked)}"
        table.add_row(
            escape(invoice.customer),
            escape(invoice.number),
            one.next.step.name,
            asked,
            f"{local:%a %Y-%m-%d %H:%M} {one.place.time_zone.key}",
            f"{sends_at:%m-%d %H:%M}",
        )
    console.print(table)
    _show_sums(going)
    _show_kept(kept)
    if eml is not None:
        _write_mails(going, materials.templates, eml)
    if not runtime.settings.of(ReminderSettings).enabled:
        console.print(f"Reminders are switched off: nothing leaves before {variable('reminders.enabled')} is true.")


def _show_sums(going: list[Reminder]) -> None:
    table = simple_table("By step", ["Step", "Reminders", "Amount"])
    steps = [(one.next.step.name, one.invoice.currency) for one in sorted(going, key=lambda one: one.next.step.days)]
    for (step, currency), count in Counter(steps).items():
        those = (one for one in going if (one.next.step.name, one.invoice.currency) == (step, currency))
        total = sum((one.asked for one in those), Decimal(0))
        table.add_row(step, f"{count:,}", _money(currency, total))
    if going:
        console.print(table)


def _show_kept(kept: list[Kept]) -> None:
    if not kept:
        return
    counts = Counter(one.reason for one in kept)
    table = simple_table(f"{len(kept):,} kept back", ["Reason", "Invoices", "For example", "In words"], right=(1,))
    for reason, count in counts.most_common():
        examples = [one.invoice.number for one in kept if one.reason == reason][:3]
        table.add_row(reason, f"{count:,}", escape(", ".join(examples)), REASONS[reason])
    console.print(table)


def _write_mails(going: list[Reminder], templates: Templates, folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    count = 0
    for one in going:
        number, step = one.invoice.number, one.next.step.name
        try:
            content = written(one, templates, one.next.sends_at)
        except (MailWrong, TemplateWrong) as error:
            console.print(f"[red]{escape(number)} {step}: {escape(str(error))}[/red]")
            continue
        path = folder / f"{file_name(number)}-{step}.eml"
        path.touch(mode=0o600)
        path.write_bytes(content)
        count += 1
    console.print(f"{count:,} mails written to {folder}.")


@reminders.command()
def send() -> None:
    """Send what is due to those whose office is open now, as the sensor has it done every half hour."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        settings = runtime.settings.of(ReminderSettings)
        if not settings.enabled:
            raise SettingsError(
                f"Reminders are switched off. Look first: `billing reminders plan`; then set "
                f"{variable('reminders.enabled')}=true."
            )
        server = parse_server(settings.smtp_url)
        runtime.of(BillingSystem).compare()
        materials = load_materials(
            settings,
            runtime.of(BillingSystem).engine,
            runtime.of(BillingSystem).queries,
            runtime.settings.calendar.zones,
            in_sample=runtime.of(NetSuite).in_sample,
        )
        journal = journal_of(connection, runtime.settings)
        report = send_due(connection, materials, server, f"billing reminders send {uuid4()}", utc_now, journal)
    sums = ", ".join(f"{currency} {amount(total)}" for currency, total in sorted(report.sent_amounts.items()))
    console.print(f"{report.count(Delivery.SENT):,} reminders sent{f' over {sums}' if sums else ''}.")
    for delivery, words in ((Delivery.LATER, "put off by the mail server"), (Delivery.NEVER, "refused for good")):
        if count := report.count(delivery):
            console.print(f"{count:,} {words}.")
    if unknown := report.count(Delivery.UNKNOWN) + report.orphans:
        console.print(f"[red]{unknown:,} may or may not have left: `billing reminders list`.[/red]")
    _show_kept(report.kept)
    if report.left:
        console.print("It took too long: the rest is sent at the next look.")
    if report.stopped_by:
        console.print(f"[red]{escape(report.stopped_by)}[/red]")
        raise typer.Exit(1)


@reminders.command("list")
def list_command(
    state: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(_STATES)}; may be repeated.")] = None,
) -> None:
    """Reminders by state; by default those that are not done: unknown, bounced, deferred."""
    if wrong := set(state or ()) - set(_STATES):
        raise SettingsError(f"--state {min(wrong)}: use one of {', '.join(_STATES)}.")
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = store.listed(connection, state or _OPEN)
    columns = ["State", "Customer", "Invoice", "Step", "Asked for", "When", "Server said", "Note"]
    table = simple_table(f"{len(rows):,} reminders", columns, right=(4,))
    for row in rows:
        said = " ".join(str(part) for part in (row["smtp_code"], row["smtp_status"]) if part)
        note = f"{row['decided_by']}: {row['why']}" if row["decided_by"] else row["why"] or ""
        table.add_row(
            row["state"],
            escape(row["customer"]),
            escape(row["number"]),
            row["step"],
            _money(row["currency"], row["open_amount"]),
            f"{row['claimed_at'].astimezone(UTC):%Y-%m-%d %H:%M} UTC",
            said,
            escape(note),
        )
    console.print(table)


@reminders.command()
def resolve(
    number: Annotated[str, typer.Argument(help="The invoice's number.")],
    step: Annotated[str, typer.Argument(help="The step's name.")],
    why: Why,
    by: By,
    verdict: Annotated[Verdict, typer.Option("--as", help="sent: it left. again: it did not, so send it.")],
) -> None:
    """Decide about a reminder that may or may not have left, or send one again whose address was fixed."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        now = utc_now()
        journal = journal_of(connection, runtime.settings)
        if not store.resolve(connection, number, step, send_again=verdict is Verdict.AGAIN, by=by, why=why, now=now):
            raise NoSuchReminder(number, step)
        note(journal, journal_store.by_number(connection, number, step))
    console.print(
        "Noted as sent."
        if verdict is Verdict.SENT
        else "It is sent at the next look, in the customer's business hours."
    )


@reminders.command()
def bounces(
    mailbox: Annotated[str, typer.Argument(help="An mbox file, a Maildir, a file with one mail, or - for the input.")],
) -> None:
    """Read delivery reports from the sender's mailbox and note which reminders came back."""
    path = Path(mailbox)
    if mailbox != "-" and not path.exists():
        raise SettingsError(f"There is no mailbox {mailbox}.")
    with prepared_runtime() as runtime, runtime.state() as connection:
        journal = journal_of(connection, runtime.settings)
        mails = read_stream(sys.stdin.buffer) if mailbox == "-" else read_mailbox(path)
        found = note_bounces(connection, mails, utc_now())
        note(journal, [row for one in found.message_ids for row in journal_store.by_message(connection, one)])
    console.print(f"{found.mails:,} mails read, {len(found.noted):,} reminders came back.")
    if found.known:
        console.print(f"{found.known:,} reports were noted before.")
    if found.unknown:
        console.print(
            f"{found.unknown:,} reports name a mail that this database does not know, or that was sent again since."
        )
    table = simple_table("Came back", ["Customer", "Invoice", "Step", "Status"])
    for row in found.noted:
        table.add_row(escape(row["customer"]), escape(row["number"]), row["step"], row["smtp_status"] or "")
    if found.noted:
        console.print(table)
    if found.strange:
        console.print(
            f"[yellow]{len(found.strange):,} mails look like delivery reports, and nothing could be noted of them. "
            "Read them in the mailbox: a customer may not have got a reminder.[/yellow]"
        )
        columns = ["Why", "Date", "Message-ID of the report"]
        table = simple_table("To be read by a person", columns)
        for one in found.strange[:_STRANGE]:
            table.add_row(_UNCLEAR[one.why], escape(one.date), escape(one.message_id))
        console.print(table)


@stops.command()
def add(
    customer: Annotated[str, typer.Option(help="Customer number.")],
    reason: Annotated[str, typer.Option(help="dispute, payment_plan or other.")],
    why: Why,
    by: By,
    number: Annotated[str | None, typer.Option(help="Only this invoice; default: everything of the customer.")] = None,
    starts: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="YYYY-MM-DD; default: today, wherever the customer is."),
    ] = None,
    ends: Day = None,
) -> None:
    """Keep a customer, or one invoice, from being reminded: a dispute, a payment plan, or something else."""
    one_of("--reason", reason, ("dispute", "payment_plan", "other"))
    by, why = said(by, why)
    starts_on = starts.date() if starts else earliest_day(utc_now())
    if ends and ends.date() < starts_on:
        raise SettingsError(f"--ends {ends:%Y-%m-%d} is before it starts ({starts_on}).")
    with prepared_runtime() as runtime, runtime.state() as connection:
        made, is_new = store.add_stop(
            connection,
            customer=customer,
            number=number,
            reason=reason,
            starts_on=starts_on,
            ends_on=ends.date() if ends else None,
            noted_by=by,
            note=why,
        )
        spares = store.open_for(connection, customer, number)
    until = f"to {ends:%Y-%m-%d}" if ends else "until it is ended"
    noted = "" if is_new else " It was noted before."
    console.print(f"Stop {made}: {number or 'everything'} of customer {customer}, from {starts_on} {until}.{noted}")
    if not spares:
        what = f"invoice {number} of customer {customer}" if number else f"customer {customer}"
        console.print(f"[yellow]Nothing is open of {escape(what)}, as last read. Is it written as in billing?[/yellow]")


@stops.command()
def end(
    stop: Annotated[int, typer.Argument(help="The stop's id, as `billing stops list` shows it.")],
    why: Why,
    by: By,
    on: Day = None,
) -> None:
    """End a stop; its last day is yesterday, wherever the customer is, unless you say another, and never before its
    first one.
    """
    by, why = said(by, why)
    last = on.date() if on else earliest_day(utc_now()) - timedelta(days=1)
    with prepared_runtime() as runtime, runtime.state() as connection:
        ended = store.end_stop(connection, stop, last, by, why)
        known = store.last_day(connection, stop)
    if ended is None and known is None:
        raise SettingsError(f"There is no stop {stop}: see `billing stops list --all`.")
    if ended is None:
        console.print(f"Stop {stop} is left as it is: its last day is {known} already.")
        raise typer.Exit(1)
    console.print(f"Stop {stop}: its last day is {ended}.")


@stops.command("list")
def list_stops(
    customer: Annotated[str | None, typer.Option(help="Only this customer number.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that ended, too.")] = False,
) -> None:
    """Stops that run or will, with who noted them and why."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        rows = store.stops(connection, None if every else earliest_day(utc_now()), customer)
    columns = ["Id", "Customer", "Invoice", "Reason", "From", "To", "Noted by", "Why"]
    table = simple_table(f"{len(rows):,} stops", columns, right=(0,))
    for row in rows:
        table.add_row(
            str(row.id),
            escape(row.customer),
            escape(row.number or "all"),
            row.reason,
            str(row.starts_on),
            str(row.ends_on or ""),
            escape(row.noted_by),
            escape(row.note or ""),
        )
    console.print(table)


def _money(currency: str, total: Decimal | Any) -> str:
    return f"{currency} {amount(total)}"
