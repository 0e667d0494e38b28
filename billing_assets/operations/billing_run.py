"""One supervised run: waves of the sample, progress while Dagster's sensors and runs work, the close, a summary."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from rich.console import Console
from rich.markup import escape

from billing_assets.batches.partitions import partition_of
from billing_assets.billing_system.totals import month_totals, months
from billing_assets.close.reconciliation import MonthClose, close_month
from billing_assets.operations.closes import show_closes
from billing_assets.operations.processes import Process, keep_running
from billing_assets.operations.status import show_status, status
from billing_assets.runtime import Runtime
from billing_assets.staging.store import waiting_credits
from billing_assets.state.database import Connection

ALL = "all"
_LOOK_SECONDS = 0.5
_STUCK_SECONDS = 300.0
_UNKNOWN_SECONDS = 1200.0  # an attempt without an outcome waits for NetSuite's longest request time

LoadWave = Callable[[int, int], tuple[int, int]]
"""Loads a wave of so many (1-based) into the sample; returns how many documents appeared and closed."""


class StuckError(Exception):
    """Nothing moved for minutes although documents are on their way. The message says where they stand."""


class NoDocumentsError(Exception):
    """The billing system has no document of the period, so that agreeing would mean nothing."""


@dataclass
class Progress:
    """What was said last, so that only news is said; and since when nothing has moved."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    last: tuple[object, ...] = ()
    moved_at: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    told: set[str] = field(default_factory=set)

    def say(self, text: str) -> None:
        """A line with the seconds since the beginning."""
        self.console.print(f"[dim]{time.monotonic() - self.began:6.1f} s[/dim]  {text}")

    def look(self, connection: Connection, periods: Sequence[str]) -> dict[str, int]:
        """Documents by state; said where they changed. Raises StuckError after minutes without a change."""
        states = _states(connection, periods)
        batches = connection.execute(
            "select count(*) as n from billing.locked_batches where state = 'posted'"
        ).fetchone()
        now = (*sorted(states.items()), batches["n"] if batches else 0)
        if now != self.last:
            parts = [f"{count:,} {state}" for state, count in sorted(states.items())]
            if not self.last or now[:-1] != self.last[:-1]:
                self.say(" · ".join(parts) or "nothing staged yet")
            self.last, self.moved_at = now, time.monotonic()
        elif time.monotonic() - self.moved_at > (_UNKNOWN_SECONDS if states.get("posting") else _STUCK_SECONDS):
            raise StuckError(
                f"Nothing has moved for {(time.monotonic() - self.moved_at) / 60:.0f} minutes. Documents: {states}. "
                "See the daemon's log and `billing doctor`."
            )
        return states

    def tell_failures(self, instance: dg.DagsterInstance) -> None:
        """A line for every run that failed since the beginning."""
        failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], created_after=self.began_at)
        for run in instance.get_runs(failed):
            if run.run_id not in self.told:
                self.told.add(run.run_id)
                partition = partition_of(run) or ""
                reason = escape(_reason(instance, run.run_id))
                self.say(f"[red]Run {run.run_id[:8]} of {run.job_name} {partition} failed:[/red] {reason}")


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """The first line of why a run failed."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        failure = entry.get_dagster_event().step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return failure.user_failure_data.description
        error = failure.error
        if error is not None and error.cause is not None and (error.cls_name or "").startswith("Dagster"):
            error = error.cause
        if error is not None:
            return error.message.strip().partition("\n")[0]
    return "its process ended; Dagster starts it again"


def bill(
    runtime: Runtime,
    processes: Sequence[Process],
    console: Console,
    period: str,
    waves: int,
    load_wave: LoadWave | None,
) -> bool:
    """Feeds the waves, waits until every document of the period reached an end, closes its months. True if all agree.

    Raises ProcessError when a process of the system ends again and again, StuckError when nothing moves,
    NoDocumentsError when there is nothing to bill, SourceError and NetSuiteError when one of them cannot be asked.
    """
    progress = Progress(console)
    if load_wave is None:
        _check_any_document(runtime, period)
    with runtime.state() as connection:
        for wave in range(1, waves + 1) if load_wave else ():
            appeared, closed = load_wave(wave, waves) if load_wave else (0, 0)
            progress.say(
                f"[bold]Wave {wave} of {waves}[/bold]: {appeared:,} documents appeared in the billing system, "
                f"{closed:,} closed"
            )
            _wait(connection, runtime, processes, progress, period, _is_staged)
        _wait(connection, runtime, processes, progress, period, _is_settled)
        billed = progress.began, time.monotonic()
        closes = [_close(runtime, connection, progress, month) for month in _periods(runtime, period)]
        show_status(
            console, status(connection, runtime.settings, None if period == ALL else period), f"Period {period}"
        )
        sent = connection.execute(
            "select count(distinct attempt) as n from billing.posting_outcomes "
            "where recorded_at > clock_timestamp() - make_interval(secs => %s) and outcome not in ('found', 'absent')",
            [time.monotonic() - progress.began],
        ).fetchone()
    show_closes(console, closes)
    console.print(
        f"Sent to NetSuite: {sent['n'] if sent else 0:,} documents. Billed in {billed[1] - billed[0]:.0f} s, "
        f"closed in {time.monotonic() - billed[1]:.0f} s."
    )
    return bool(closes) and all(close.complete for close in closes)


def _wait(
    connection: Connection,
    runtime: Runtime,
    processes: Sequence[Process],
    progress: Progress,
    period: str,
    done: Callable[[Connection, Runtime, Sequence[str], dict[str, int]], bool],
) -> None:
    while True:
        for process in processes:
            if keep_running(runtime.settings.home, process):
                progress.say(f"[red]{process.name} ended and was started again[/red]; its log: {process.log}")
        progress.tell_failures(dg.DagsterInstance.get())
        periods = _periods(runtime, period)
        if done(connection, runtime, periods, progress.look(connection, periods)):
            return
        time.sleep(_LOOK_SECONDS)


def _is_staged(connection: Connection, runtime: Runtime, periods: Sequence[str], states: dict[str, int]) -> bool:
    """Whether staging holds what the billing system shows, with the same status."""
    staged: dict[tuple[str, str], int] = {}
    for row in connection.execute(
        """
        select period, status, count(*) as n from billing.staged_invoices
        where period = any(%s) and (state <> 'gone' or status = 'void') and source = billing.credited_source(source)
        group by 1, 2""",
        [list(periods)],
    ):
        staged[(row["period"], row["status"])] = row["n"]
    there: dict[tuple[str, str], int] = {}
    with runtime.billing_system() as source:
        for period in periods:
            for total in month_totals(source, runtime.queries, period):
                key = (period, total.status or "")
                there[key] = there.get(key, 0) + total.count
    return staged == there


def _is_settled(connection: Connection, runtime: Runtime, periods: Sequence[str], states: dict[str, int]) -> bool:
    """Whether nothing is on its way any more: all is posted, held, excluded, rejected, or waits for a closing or for an
    invoice that is none of these."""
    waiting = {
        row["number"] for row in waiting_credits(connection) if row["state"] == "ready" and row["period"] in periods
    }
    moving = {"batched", "locked", "posting"} & states.keys() or states.get("ready", 0) > len(waiting)
    return not moving and _is_staged(connection, runtime, periods, states) and not _unfinished(connection)


def _unfinished(connection: Connection) -> int:
    row = connection.execute("select count(*) as n from billing.locked_batches where state in ('planned', 'running')")
    found = row.fetchone()
    return int(found["n"]) if found else 0


def _states(connection: Connection, periods: Sequence[str]) -> dict[str, int]:
    rows = connection.execute(
        "select state, count(*) as n from billing.staged_invoices where period = any(%s) group by 1", [list(periods)]
    )
    return {row["state"]: row["n"] for row in rows}


def _periods(runtime: Runtime, period: str) -> list[str]:
    if period != ALL:
        return [period]
    with runtime.billing_system() as source:
        return months(source, runtime.queries)


def _check_any_document(runtime: Runtime, period: str) -> None:
    with runtime.billing_system() as source:
        found = months(source, runtime.queries)
    if not found:
        raise NoDocumentsError(
            "The billing system has no documents at all. Does BILLING_SOURCE__URL name the right one?"
        )
    if period not in (ALL, *found):
        raise NoDocumentsError(f"--period {period}: the billing system has no document of it, only of {_span(found)}.")


def _span(found: Sequence[str]) -> str:
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _close(runtime: Runtime, connection: Connection, progress: Progress, period: str) -> MonthClose:
    """Materializes the close of a month, so that the web UI has it, and reads its result."""
    from billing_assets.definitions import build_defs  # noqa: PLC0415  loads Dagster's whole code location

    job = build_defs(runtime).resolve_job_def("close_month")
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    job.execute_in_process(instance=dg.DagsterInstance.get(), partition_key=period, run_config=quiet)
    with runtime.billing_system() as source:
        name = runtime.settings.source.name
        close = close_month(connection, source, name, runtime.queries, runtime.netsuite, runtime.mapping, period)
    verdict = "[green]agrees to the cent[/green]" if close.reconciled else "[red]does not agree[/red]"
    progress.say(f"Month {period}: billing ↔ staging ↔ NetSuite {verdict}")
    return close
