"""`billing metering validate`, `findings`, `verify`, `edit`, `estimate`, the same for reads, and `parameter`."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from billing_assets.foundation.commands.console import console
from billing_assets.foundation.commands.groups import group
from billing_assets.foundation.commands.machine import prepared_runtime
from billing_assets.foundation.commands.options import said
from billing_assets.foundation.commands.tables import simple_table
from billing_assets.foundation.settings import SettingsError
from billing_assets.metering.validation import clerk, clerk_files, clerk_reads, store
from billing_assets.metering.validation.parameters import Setting, number
from billing_assets.metering.validation.profiles import hourly_profile
from billing_assets.metering.validation.settings import ValidationSettings
from billing_assets.metering.validation.validating import validate_all

Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="A local day of the point, YYYY-MM-DD.")]
By = Annotated[str, typer.Option(help="Who decides: kept with the decision.")]
Why = Annotated[str, typer.Option(help="Why: kept with the decision.")]

_SHOWN_PROBLEMS = 50


def register(app: typer.Typer) -> None:
    """Adds the commands to `billing metering`."""
    metering = group(app, "metering")
    metering.command("validate")(validate_command)
    metering.command("findings")(findings_command)
    metering.command("verify")(verify_command)
    metering.command("edit")(edit_command)
    metering.command("estimate")(estimate_command)
    metering.command("estimate-missing")(estimate_missing_command)
    metering.command("edit-read")(edit_read_command)
    metering.command("estimate-read")(estimate_read_command)
    metering.command("parameter")(parameter_command)


def validate_command(
    begin: Day,
    end: Day,
    closing: Annotated[bool, typer.Option("--closing", help="The period closes: all streams should be there.")] = False,
) -> None:
    """Judge the readings of all points from a day (inclusive) to another (exclusive); safe to repeat."""
    with prepared_runtime() as runtime, runtime.state() as connection:
        today = runtime.settings.calendar.today().last
        found = validate_all(connection, begin.date(), end.date(), today=today, closing=closing)
    console.print(
        f"{found.periods:,} periods judged, {found.new:,} of them with another result than before; "
        f"{found.held:,} have issues, {found.findings:,} findings in all."
    )


def findings_command(
    point: Annotated[str | None, typer.Option(help="Only of this point.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only of this rule, by its code.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also those that only inform, and those that were cleared.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--csv", help="Write them to a file, to fill in and give to `verify --file`.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding.")] = False,
) -> None:
    """List the findings that hold periods, the oldest first."""
    with prepared_runtime(only_reads=True) as runtime, runtime.state() as connection:
        found = store.findings(connection, point=point, rule=rule, only_open=not every)
    if file is not None:
        console.print(f"{clerk_files.write_findings(file, found):,} findings written to {escape(str(file))}.")
    elif as_json:
        for one in found:
            print(json.dumps({name: _plain(value) for name, value in one.items()}))
    else:
        table = simple_table(f"{len(found):,} findings", ("finding", "stream", "rule", "what"), right=(0,))
        for one in found:
            what = one["sentence"] + (f" (verified by {one['decided_by']})" if one["decided_by"] else "")
            table.add_row(str(one["id"]), escape(f"{one['point']} {one['suffix']}"), one["rule"], escape(what))
        console.print(table)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | list | dict) or value is None else str(value)


def verify_command(
    by: By,
    findings: Annotated[list[int] | None, typer.Argument(metavar="FINDING…", help="Numbers of findings.")] = None,
    why: Annotated[str, typer.Option(help="Why the data is right; of a file each row says its own.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="A file of `findings --csv` with `action` and `why` filled in.")
    ] = None,
) -> None:
    """Clear findings whose data is right all the same; each is for these versions of the readings only.

    A file may also say `estimate` (what is missing) or `replace` (estimate all of the day) for a finding.
    """
    if (file is None) == (not findings):
        raise SettingsError("Name findings, or a file with --file.")
    with prepared_runtime() as runtime, runtime.state() as connection:
        today = runtime.settings.calendar.today().last
        if file is not None:
            said(by, "each row")
            result = clerk_files.decide_from(
                connection, file, by, today=today, profiles=runtime.settings.of(ValidationSettings).class_profiles()
            )
            console.print(f"{result.decisions:,} decisions taken.")
            _end_with(result.problems)
            return
        by, why = said(by, why)
        with connection.transaction():
            for one in findings or []:
                clerk.verify(connection, one, by, why)
    console.print(f"{len(findings or []):,} findings cleared.")


def edit_command(
    file: Annotated[Path, typer.Argument(help="CSV with point, suffix, start (with its offset from UTC) and value.")],
    by: By,
    why: Why,
) -> None:
    """Give intervals other values, as new versions; what was there stays as it is, and all is judged again."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        today = runtime.settings.calendar.today().last
        result = clerk_files.edit_from(connection, file, by, why, today=today)
    console.print(f"{result.decisions:,} streams edited.")
    _end_with(result.problems)


def estimate_command(
    point: Annotated[str, typer.Argument(help="The point.")],
    suffix: Annotated[str, typer.Argument(help="The stream.")],
    begin: Day,
    by: By,
    why: Why,
    end: Annotated[
        datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="The day after the last; else one day.")
    ] = None,
    over: Annotated[bool, typer.Option("--replace", help="Also what is there, not only what is missing.")] = False,
    country: Annotated[str | None, typer.Option(help="ISO code, for its holidays.")] = None,
    subdivision: Annotated[str | None, typer.Option(help="State or part of the country, for its holidays.")] = None,
    profile: Annotated[
        Path | None,
        typer.Option(help="The shape of the day: a file with 8,760 hours of a year, one a line; default: its class's."),
    ] = None,
) -> None:
    """Estimate what is missing of a day or more, as new versions with their method and inputs; all is judged again.

    Exits 1 where something is left that no method can estimate.
    """
    by, why = said(by, why)
    first = begin.date()
    after = end.date() if end else first + timedelta(days=1)
    with prepared_runtime() as runtime, runtime.state() as connection:
        done = clerk.estimate(
            connection,
            point,
            suffix,
            first,
            after,
            by,
            why,
            today=runtime.settings.calendar.today().last,
            over=over,
            country=country,
            subdivision=subdivision,
            profile=hourly_profile(profile.name, profile.read_text(encoding="utf-8")) if profile else None,
            profiles=runtime.settings.of(ValidationSettings).class_profiles(),
        )
    _say_estimated({(point, suffix): done})


def estimate_missing_command(
    begin: Day,
    end: Day,
    by: By,
    why: Why,
    country: Annotated[str | None, typer.Option(help="ISO code, for its holidays.")] = None,
    subdivision: Annotated[str | None, typer.Option(help="State or part of the country, for its holidays.")] = None,
) -> None:
    """Estimate what is missing of every stream that is held for it, from a day (inclusive) to another (exclusive).

    Exits 1 where something is left that no method can estimate.
    """
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        today = runtime.settings.calendar.today().last
        done = clerk.estimate_missing(
            connection,
            begin.date(),
            end.date(),
            by,
            why,
            today=today,
            country=country,
            subdivision=subdivision,
            profiles=runtime.settings.of(ValidationSettings).class_profiles(),
        )
    _say_estimated(done)


def _say_estimated(done: Mapping[tuple[str, str], clerk.Done]) -> None:
    for (point, suffix), one in done.items():
        methods = f": {', '.join(one.methods)}" if one.methods else ""
        console.print(f"{escape(f'{point} {suffix}')}: {one.intervals:,} intervals estimated{methods}.")
        for start, count, reason in one.left:
            console.print(f"[red]Not estimated:[/red] {count} intervals from {start.isoformat()} on. {escape(reason)}")
    if not done:
        console.print("Nothing is missing.")
    if any(one.left for one in done.values()):
        raise typer.Exit(1)


def edit_read_command(
    point: Annotated[str, typer.Argument(help="The point.")],
    suffix: Annotated[str, typer.Argument(help="The stream.")],
    end: Day,
    read: Annotated[str, typer.Argument(help="The read as on the dials, with its leading zeros.")],
    by: By,
    why: Why,
    serial: Annotated[str, typer.Option(help="The meter, where there are several.")] = "",
) -> None:
    """Give the period of a register that ends on a day another end read, as a new version; it is judged again."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        today = runtime.settings.calendar.today().last
        clerk_reads.edit_read(connection, point, suffix, end.date(), read, by, why, today=today, serial=serial)
    console.print(f"{escape(f'{point} {suffix}')} on {end.date()}: {escape(read)}.")


def estimate_read_command(
    point: Annotated[str, typer.Argument(help="The point.")],
    suffix: Annotated[str, typer.Argument(help="The stream.")],
    end: Day,
    by: By,
    why: Why,
    serial: Annotated[str, typer.Option(help="The meter, where there are several.")] = "",
) -> None:
    """Estimate the read of a register that did not come, by last year or by the last 90 days, as a new version."""
    by, why = said(by, why)
    with prepared_runtime() as runtime, runtime.state() as connection:
        today = runtime.settings.calendar.today().last
        done = clerk_reads.estimate_read(connection, point, suffix, end.date(), by, why, today=today, serial=serial)
    console.print(f"{escape(f'{point} {suffix}')} on {end.date()}: estimated by {', '.join(done.methods)}.")


def parameter_command(
    rule: Annotated[str, typer.Argument(help="The rule, by its code.")],
    name: Annotated[str, typer.Argument(help="The parameter; `on` and `severity` are of every rule.")],
    value: Annotated[str, typer.Argument(help="A number; `none` withdraws what was set for this very day.")],
    since: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day.")],
    by: By,
    why: Why,
    customer_class: Annotated[str, typer.Option("--class", help="Only for this class of customers.")] = "",
    point: Annotated[str, typer.Option(help="Only for this point.")] = "",
    suffix: Annotated[str, typer.Option(help="Only for streams of this suffix.")] = "",
) -> None:
    """Set a parameter of a validation rule from a day on."""
    by, why = said(by, why)
    set_to = None if value == "none" else number(value)
    with prepared_runtime() as runtime, runtime.state() as connection:
        key = Setting(rule, name, set_to or number("0"), since.date(), customer_class, point, suffix)
        clerk.set_parameter(connection, key, set_to, by, why)
    console.print(f"{rule} {name} = {value} from {since.date()} on. It counts when a period is judged next.")


def _end_with(problems: Iterable[clerk_files.Problem]) -> None:
    all_of_them = list(problems)
    for one in all_of_them[:_SHOWN_PROBLEMS]:
        console.print(f"[red]Not taken:[/red] {escape(str(one))}")
    if len(all_of_them) > _SHOWN_PROBLEMS:
        console.print(f"… and {len(all_of_them) - _SHOWN_PROBLEMS:,} rows more.")
    if all_of_them:
        raise typer.Exit(1)
