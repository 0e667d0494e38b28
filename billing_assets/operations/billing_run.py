"""One supervised run: waves of the sample, progress while Dagster's sensors and runs work, the close, a summary."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import dagster as dg
from rich.console import Console
from rich.markup import escape

from billing_assets.erp.billing_system.resource import BillingSystems
from billing_assets.erp.billing_system.totals import months
from billing_assets.erp.close.noted import noting_comparisons
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.terminal import show_closes
from billing_assets.erp.close.verdict import Verdict, last_words, verdict
from billing_assets.erp.netsuite import found_transactions_store
from billing_assets.erp.netsuite.found_transactions import stop_reason
from billing_assets.foundation.dagster_helpers.runs import partition_of
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.runtime import Runtime
from billing_assets.operations import movement_store
from billing_assets.operations.processes import Process, keep_running
from billing_assets.operations.run_progress import Facts, Group, Memory, Step, What, next_step, still_moving, waited_for
from billing_assets.operations.status import show_status, status
from billing_assets.operations.unstaged import Unstaged

ALL = "all"
_LOOK_SECONDS = 0.5
_SAY_SECONDS = 15.0
_STAGE_JOB = "stage_invoices"
_STAGING = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
_QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
_STAGING_ALIVE = timedelta(minutes=5)  # an older one may be dead without Dagster knowing
_STATES = {
    "ready": What.READY,
    "batched": What.BATCHED,
    "locked": What.LOCKED,
    "posting": What.UNKNOWN,
    "unread": What.UNREAD,
}

LoadWave = Callable[[int, int], tuple[int, int]]
"""Loads a wave of so many (1-based) into the sample; returns how many documents appeared and closed."""


class NoDocumentsError(BillingError):
    """The billing system has no document of the period, so that agreeing would mean nothing."""


@dataclass
class Progress:
    """What was said last, so that only news is said."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    last: tuple[object, ...] = ()
    said_at: float = field(default_factory=time.monotonic)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    told: set[str] = field(default_factory=set)

    def say(self, text: str) -> None:
        """A line with the seconds since the beginning."""
        self.console.print(f"[dim]{time.monotonic() - self.began:6.1f} s[/dim]  {text}")
        self.said_at = time.monotonic()

    def show(self, facts: Facts, moving: Sequence[Group]) -> None:
        """Documents by state where they changed; where nothing did for a while, what is waited for."""
        now = tuple(sorted(facts.states.items()))
        if now != self.last:
            self.last = now
            self.say(" · ".join(f"{count:,} {state}" for state, count in now) or "nothing staged yet")
        elif time.monotonic() - self.said_at > _SAY_SECONDS and (words := waited_for(moving, facts.unfinished)):
            self.say(f"[dim]waiting for[/dim] {escape(words)}")

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
) -> Verdict:
    """Feeds the waves, waits until nothing of the period can move any more, closes its months. Returns the verdict.

    Raises ProcessError when a process of the system ends again and again, NoDocumentsError when there is nothing to
    bill, SourceError and NetSuiteError when one of them cannot be asked.
    """
    progress = Progress(console)
    if load_wave is None:
        _check_any_document(runtime, period)
    with runtime.state() as connection:
        look, memory = (
            Look(connection, runtime, dg.DagsterInstance.get(), period),
            Memory(movement_store.now(connection)),
        )
        for wave in range(1, waves + 1) if load_wave else ():
            appeared, closed = load_wave(wave, waves) if load_wave else (0, 0)
            progress.say(
                f"[bold]Wave {wave} of {waves}[/bold]: {appeared:,} documents appeared in the billing system, "
                f"{closed:,} closed"
            )
            memory = wait(look, processes, progress, memory, only_staging=True)
        wait(look, processes, progress, memory)
        if ahead := found_transactions_store.unconfirmed(connection):
            progress.say(f"[red]{escape(stop_reason(ahead))}.[/red]")
        billed = progress.began, time.monotonic()
        closes = [close_period(look, progress, month) for month in look.periods()]
        show_status(
            console,
            runtime.settings,
            status(connection, runtime.settings, None if period == ALL else period),
            f"Period {period}",
        )
        sent = movement_store.sent_within(connection, time.monotonic() - progress.began)
    show_closes(console, closes)
    console.print(
        f"Sent to NetSuite: {sent:,} documents. Billed in {billed[1] - billed[0]:.0f} s, "
        f"closed in {time.monotonic() - billed[1]:.0f} s."
    )
    return last_words(closes)


def wait(
    look: "Look", processes: Sequence[Process], progress: Progress, memory: Memory, *, only_staging: bool = False
) -> Memory:
    """Waits until nothing can move any more, or what can has stood still for too long; says which."""
    runtime = look.runtime
    memory = replace(memory, moved_at=movement_store.now(look.connection))
    while True:
        for process in processes:
            if keep_running(runtime.settings.home, process):
                progress.say(f"[red]{process.name} ended and was started again[/red]; its log: {process.log}")
        progress.tell_failures(look.instance)
        facts = look.facts()
        memory = memory.after(facts)
        moving = still_moving(facts, memory, only_staging=only_staging)
        progress.show(facts, moving)
        match next_step(facts, memory, only_staging=only_staging):
            case Step.DONE:
                return memory
            case Step.GIVE_UP:
                minutes = (facts.at - memory.moved_at).total_seconds() / 60
                progress.say(
                    f"[red]Nothing has moved for {minutes:.0f} minutes.[/red] No longer waiting for "
                    f"{escape(waited_for(moving, facts.unfinished))}. See the daemon's log in "
                    f"{escape(str(runtime.settings.home / 'logs'))} and `billing doctor`."
                )
                return memory
            case Step.STAGE:
                progress.say(f"{escape(waited_for(moving))}: staging now")
                _stage(runtime, look.instance)
                memory = memory.staged(look.facts())
            case Step.WAIT:
                time.sleep(_LOOK_SECONDS)


@dataclass
class Look:
    """Asks billing systems and staging what can still move of a period (a month, or `all`)."""

    connection: Connection
    runtime: Runtime
    instance: dg.DagsterInstance
    period: str
    _unstaged: list[Unstaged] = field(init=False)

    def __post_init__(self) -> None:
        self._unstaged = [Unstaged(self.connection, system) for system in self.runtime.of(BillingSystems)]

    def periods(self) -> list[str]:
        """The months, as the billing systems have them now."""
        return [self.period] if self.period != ALL else _months(self.runtime)

    def facts(self) -> Facts:
        """One look."""
        periods = self.periods()
        # In the order in which documents go: what is staged between the two questions is in the second answer.
        lacking = self._to_stage(periods)
        rows = movement_store.on_their_way(self.connection, periods)
        moving = [
            Group(_STATES[row["state"]], row["documents"], (*row["numbers"],), (*row["batches"],), row["due"])
            for row in rows
        ]
        return Facts(
            movement_store.now(self.connection),
            movement_store.states(self.connection, periods),
            ((lacking,) if lacking else ()) + (*moving,),
            (*movement_store.unfinished_batches(self.connection, periods),),
            staging=self._is_staging(),
            dues=movement_store.dues(self.connection, periods),
        )

    def _to_stage(self, periods: Sequence[str]) -> Group | None:
        """What staging does not hold as the billing systems show it."""
        found = [one.of(periods) for one in self._unstaged]
        count, numbers = sum(many for many, _ in found), [number for _, some in found for number in some]
        return Group(What.TO_STAGE, count, (*numbers[:5],)) if count else None

    def _is_staging(self) -> bool:
        lately = datetime.now(UTC) - _STAGING_ALIVE
        running = dg.RunsFilter(job_name=_STAGE_JOB, statuses=_STAGING, created_after=lately)
        return bool(self.instance.get_runs(running, limit=1))


def _stage(runtime: Runtime, instance: dg.DagsterInstance) -> None:
    """Stages in this process. One that fails is reported like every failed run."""
    from billing_assets.definitions import build_defs  # noqa: PLC0415  loads Dagster's whole code location

    job = build_defs(runtime).resolve_job_def(_STAGE_JOB)
    job.execute_in_process(instance=instance, run_config=_QUIET, raise_on_error=False)


def _check_any_document(runtime: Runtime, period: str) -> None:
    found = _months(runtime)
    if not found:
        raise NoDocumentsError(
            "The billing system has no documents at all. Does BILLING_SOURCE__URL name the right one?"
        )
    if period not in (ALL, *found):
        raise NoDocumentsError(f"--period {period}: the billing system has no document of it, only of {_span(found)}.")


def _months(runtime: Runtime) -> list[str]:
    found: set[str] = set()
    for system in runtime.of(BillingSystems):
        with system.connection() as source:
            found.update(months(source, system.queries))
    return sorted(found)


def _span(found: Sequence[str]) -> str:
    return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}"


def close_period(look: Look, progress: Progress, period: str) -> MonthClose:
    """Materializes the close of a month, so that the web UI has it, and says what it found."""
    from billing_assets.definitions import build_defs  # noqa: PLC0415  loads Dagster's whole code location

    job = build_defs(look.runtime).resolve_job_def("close_month")
    with noting_comparisons() as noted:
        job.execute_in_process(instance=look.instance, partition_key=period, run_config=_QUIET)
    close = noted[-1]
    found = verdict(close)
    color = "green" if found.done else "red"
    progress.say(f"Month {period}: billing ↔ staging ↔ NetSuite [{color}]{escape(found.words)}[/{color}]")
    return close
