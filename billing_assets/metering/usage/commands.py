"""`billing metering status, account, waiting, pair, release, reject`: usage and charges for a clerk."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import Terminal, console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import said
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.import_engine.reports import refused_interchanges, sent_counts
from billing_assets.metering.usage import decisions, reports
from billing_assets.metering.usage.facts import Options
from billing_assets.metering.usage.settings import UsageSettings
from billing_assets.metering.usage.store import Moved

_WIDTH = 140
_MOST_REFUSED = 20

AsJson = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Number = Annotated[int, typer.Argument(help="Number of the message, as `account` and `waiting` show it.")]
By = Annotated[str, typer.Option(help="Who decides; kept with the decision.")]
Why = Annotated[str, typer.Option(help="Why; kept with the decision.")]


def register(app: typer.Typer) -> None:
    """Adds these commands to `billing metering`."""
    metering = group(app, "metering")
    metering.command("status")(status)
    metering.command("account")(account)
    metering.command("waiting")(waiting)
    metering.command("pair")(pair)
    metering.command("release")(release)
    metering.command("reject")(reject)


def status(as_json: AsJson = False) -> None:
    """Messages by state and code, usage and charges by state and hold code, how long the rest waits, and what partners
    said of what we sent them."""
    now = datetime.now(UTC)
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        messages = reports.message_counts(connection)
        counts = reports.counts(connection)
        options = _options(runtime)
        aged = reports.aged(connection, now, options)
        gaps = reports.gaps(connection)
        sent, refused = sent_counts(connection), refused_interchanges(connection)
    if as_json:
        _print_json(
            {
                "messages": [one._asdict() for one in messages],
                "usage_and_charges": [one._asdict() for one in counts],
                "aged": [one._asdict() for one in aged],
                "gaps": [one._asdict() for one in gaps],
                "interchanges": [one._asdict() for one in sent],
                "refused_interchanges": [one._asdict() for one in refused],
            }
        )
        return
    table = simple_table("Messages", ["Type", "State", "Code", "Messages"], right=[3])
    for one in messages:
        table.add_row(one.type, one.state, one.code or "", f"{one.messages:,}")
    console.print(table)
    table = simple_table("Usage and charges", ["Kind", "Purpose", "State", "Code", "Messages", "Amount"])
    for count in counts:
        cells = (count.kind, count.purpose, count.state, count.code or "")
        table.add_row(*cells, f"{count.messages:,}", f"{count.amount:,}")
    console.print(table)
    ages = [f"{day} days" for day in options.ageing_days]
    table = simple_table("Waits", ["Kind", "Code", "Messages", *ages], right=range(2, 3 + len(ages)))
    for old in aged:
        table.add_row(old.kind, old.code, f"{old.messages:,}", *(f"{many:,}" for many in old.ages))
    console.print(table)
    if gaps:
        console.print(f"{len(gaps):,} gaps between periods: ask the utility for what is missing (--json lists them).")
    if sent:
        table = simple_table("Interchanges for partners", ["Partner", "Type", "997", "Interchanges"], right=[3])
        for made in sent:
            table.add_row(escape(made.partner), made.type, made.said, f"{made.interchanges:,}")
        console.print(table)
    for no in refused[:_MOST_REFUSED]:
        console.print(
            f"[red]Refused[/red] on {no.refused_at:%Y-%m-%d}: {no.id} {escape(no.name)} (997 in message {no.message}). "
            f"`billing metering resend {no.id}` sends it again.",
            soft_wrap=True,
        )


def account(
    point: Annotated[str, typer.Argument(help="Service point, such as an ESI ID.")], as_json: AsJson = False
) -> None:
    """A service point's months: the 867 and the 810 of each, and their state."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        months = reports.account_months(connection, point)
        suggestions = reports.suggestions(connection, point)
    if as_json:
        _print_json(
            {
                "point": point,
                "months": [one._asdict() | {"state": one.state} for one in months],
                "suggestions": [one._asdict() for one in suggestions],
            }
        )
        return
    columns = ["Period", "867", "kWh", "State of 867", "810", "Total", "State of 810"]
    table = simple_table(f"{point}: {len(months):,} periods", columns, right=[2, 5])
    for one in months:
        estimated = " E" if one.is_estimated else ""
        usage = f"{one.usage_id} ({one.usage})" if one.usage else ""
        charges = f"{one.charges_id} ({one.charges})" if one.charges else ""
        table.add_row(
            f"{one.period_start or '?'} to {one.period_end or '?'}",
            escape(usage),
            "" if one.kwh is None else f"{one.kwh:,}{estimated}",
            one.usage_state or "",
            escape(charges),
            "" if one.total is None else f"{one.total:,}",
            one.charges_state or "",
        )
    _print_wide(table)
    for found in suggestions:
        console.print(
            f"May belong together: `billing metering pair {found.usage} {found.charges}` for usage "
            f"{escape(found.usage_id)} and charges {escape(found.charges_id)}."
        )


def waiting(
    days: Annotated[int, typer.Option(help="Only what waits for at least so many days.")] = 0,
    limit: Annotated[int, typer.Option(help="At most so many, the oldest first.")] = 100,
    as_json: AsJson = False,
) -> None:
    """What is held or waits, the oldest first, with what to do."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = reports.waiting(connection, datetime.now(UTC), days, limit)
    if as_json:
        _print_json([one._asdict() for one in found])
        return
    table = simple_table(
        f"{len(found):,} wait", ["Number", "What", "Point", "Days", "Code", "Why", "To do"], right=[0, 3]
    )
    for one in found:
        words = (f"{one.kind} {one.id}", one.point, str(one.days), one.codes[0], one.waits_for, one.to_do)
        table.add_row(str(one.message), *map(escape, words))
    _print_wide(table)


def pair(
    usage: Annotated[int, typer.Argument(help="Number of the usage.")],
    charges: Annotated[int, typer.Argument(help="Number of the charges.")],
    by: By,
    why: Why,
    no: Annotated[bool, typer.Option("--no", help="They are no pair: do not suggest them again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Confirm that usage and charges belong together, or say that they do not."""
    by, why = said(by, why)
    decide = decisions.decline if no else decisions.confirm
    with prepared_runtime() as runtime, runtime.state() as connection:
        _say(decide(connection, usage, charges, by, why, options=_options(runtime)), as_json)


def release(
    message: Number,
    by: By,
    why: Why,
    code: Annotated[
        list[str] | None, typer.Option(help="Only this code; may be given several times. Default: all that can be.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a held message pass."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        _say(decisions.release(connection, message, by, why, code or (), options=_options(runtime)), as_json)


def reject(
    message: Number,
    by: By,
    why: Why,
    answer: Annotated[
        str | None,
        typer.Option(help="Code of the 824: A13 other, A76 unknown point, API missing. Default: that of its code."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reject a message that is held or waits; an 824 says so to the sender."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        _say(decisions.reject(connection, message, by, why, answer, options=_options(runtime)), as_json)


def _options(runtime: Runtime) -> Options:
    return runtime.settings.of(UsageSettings).options()


def _say(moved: Iterable[Moved], as_json: bool) -> None:
    found = list(moved)
    if as_json:
        _print_json([one._asdict() for one in found])
        return
    for one in found:
        why = f" ({one.code}): {one.sentence}" if one.code else "."
        console.print(f"{one.message} is {one.state} now{escape(why)}", soft_wrap=True)
    if not found:
        console.print("Noted; no message changes its state.")


def _print_json(what: Any) -> None:
    print(json.dumps(what, default=str))


def _print_wide(table: Any) -> None:
    Terminal(soft_wrap=True, width=max(console.width, _WIDTH)).print(table)
