"""What may happen to invoices: the utility's messages, a clerk's decisions, workers that draft and die, the release.

Every verb calls the real code. What a verb refuses must have changed nothing, and what is done already is done again
for nothing: that is looked at here. What must hold of the database is in `invariants`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import count
from typing import Any, TypeVar

from psycopg.rows import dict_row

from billing_assets.foundation.database.connection import Connection, connect, open_connection
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.accounts import store as accounts
from billing_assets.invoicing.batches import planning_store, reviewing
from billing_assets.invoicing.batches.codes import CODES
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import lock, plan_next, validate
from billing_assets.invoicing.corrections import asking
from billing_assets.invoicing.corrections.correcting import Corrected
from billing_assets.invoicing.invoices import processing, releasing
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.work_queue import claims
from billing_assets.work_queue.claims import Claim, StaleClaimError
from proving.invoicing import invariants, messages
from proving.invoicing.lives import CUT_OFF, GROUPS, LEASE_SECONDS, PERIODS, World
from proving.invoicing.points import KilledError, Point, dying

BY = ("Mara", "Looked at")
_CENT = Decimal("0.01")
_TABLES = (
    *("invoice_requests", "invoice_batches", "batch_members", "invoice_findings", "utility_invoices"),
    *("utility_invoice_lines", "utility_invoice_taxes", "invoiced_usage", "invoiced_charges", "number_ranges"),
    *("invoice_quality_findings", "invoice_corrections", "usage_messages", "usage_pairs", "usage_candidates"),
    *("usage_billed", "decisions", "account_holds"),
)
_ALL = " union all ".join(f"select '{one}' || t::text from billing.{one} as t" for one in _TABLES)  # noqa: S608
_DIGEST = f"select md5(string_agg(one, '' order by one)) as digest from ({_ALL}) as t (one)"  # noqa: S608
_MOVING = "'state', 'mailed_on', 'pdf_hash', 'einvoice_hash'"

Thing = TypeVar("Thing")


@dataclass
class Worker:
    """One that has a batch, or had it."""

    connection: Connection
    claim: Claim
    has_begun: bool = False

    def die(self) -> None:
        """What it has not committed is gone."""
        self.connection.close()


@dataclass
class Life:
    """One life of the world's customers and their invoices."""

    world: World
    workers: list[Worker] = field(default_factory=list)
    issued: dict[int, str] = field(default_factory=dict)
    versions: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    cancelled: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)
    last: str = ""
    _names: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.world.reset()
        self.world.tally["lives"] += 1

    # Looking

    @property
    def state(self) -> Connection:
        """Where people's verbs are done, and where one looks."""
        return self.world.state

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """From the database."""
        return self.state.execute(query.encode(), values).fetchall()

    def ids(self, table: str, *states: str) -> list[int]:
        """The ids of what is in these states, in order."""
        return [
            row["id"]
            for row in self.rows(
                f"select id from billing.{table} where state = any(%s) order by id",  # noqa: S608
                [*states],
            )
        ]

    def with_drafts(self, *states: str) -> list[int]:
        """Batches that ended and have drafts in these states."""
        rows = self.rows(
            """
            select distinct b.id from billing.invoice_batches as b join billing.utility_invoices as i on i.batch = b.id
            where b.state in ('completed', 'error_occurred') and i.state = any(%s) order by b.id""",
            [*states],
        )
        return [row["id"] for row in rows]

    def digest(self) -> str:
        """Of everything that invoicing may change."""
        (row,) = self.rows(_DIGEST)
        return str(row["digest"])

    def check(self) -> None:
        """After every step."""
        invariants.check(self.state)
        self._amounts()
        now = self._issued_now()
        for invoice, was in self.issued.items():
            assert now.get(invoice) == was, f"invoice {invoice} was issued and changed"
        for invoice in now.keys() - self.issued.keys():
            self._rates_again(invoice)
        self.issued = now

    def _issued_now(self) -> dict[int, str]:
        rows = self.rows(
            f"""
            select i.id, md5((to_jsonb(i) - array[{_MOVING}])::text || coalesce((
                select string_agg(l::text, '' order by position) from billing.utility_invoice_lines as l
                where l.invoice = i.id), '') || coalesce((
                select string_agg(t::text, '' order by position) from billing.utility_invoice_taxes as t
                where t.invoice = i.id), '')) as digest
            from billing.utility_invoices as i where number is not null"""  # noqa: S608
        )
        return {row["id"]: row["digest"] for row in rows}

    def _rates_again(self, invoice: int) -> None:
        (row,) = self.rows("select kind, rated::text as text from billing.utility_invoices where id = %s", invoice)
        kept = json.loads(row["text"])
        if row["kind"] == "invoice":
            assert json.dumps(rate_case(kept["case"])) == json.dumps(kept["answer"]), (
                f"invoice {invoice} rates otherwise"
            )

    def _amounts(self) -> None:
        """The total of each invoice, computed by hand from what the utility sent."""
        rows = self.rows(
            """
            select i.id, i.net, i.total, i.period_end - i.period_start as days, u.kwh
            from billing.utility_invoices as i join billing.invoiced_usage as u on u.invoice = i.id
            where i.kind = 'invoice'"""
        )
        for row in rows:
            net = _cents(row["kwh"] * Decimal("0.25")) + _cents(row["days"] * Decimal("0.4711")) + Decimal("43.21")
            total = net + _cents(net * Decimal("0.0825"))
            assert (row["net"], row["total"]) == (net, total), f"invoice {row['id']} is not {total}"

    def _took(self, step: str) -> None:
        self.last = step
        self.world.tally[step] += 1

    def _asked(self, step: str, verb: Callable[[], object]) -> bool:
        """Whether it was done; what is refused has changed nothing."""
        before = self.digest()
        try:
            verb()
        except BillingError:
            assert self.digest() == before, f"{step} was refused and changed something"
            self._took(f"{step}: refused")
            return False
        self._took(step)
        return True

    @contextmanager
    def _changing_nothing(self, step: str) -> Iterator[None]:
        before = self.digest()
        yield
        assert self.digest() == before, f"{step} changed something"
        self._took(step)

    # The utility

    def arrive(self, number: int, place: int, kwh: int) -> None:
        """Usage with its charges, the first of its period or one more of it."""
        name = next(self._names)
        ids = f"U{number}-{place}-{name}", f"I{number}-{place}-{name}"
        messages.send(self.state, number, PERIODS[place], Decimal(kwh), ids)
        self.versions.setdefault((number, place), ids)
        self._took("usage")

    def cancel_usage(self, key: tuple[int, int]) -> None:
        """The utility cancels usage and charges, whatever became of them."""
        self.cancelled[key] = self.versions.pop(key)
        messages.cancel(self.state, key[0], PERIODS[key[1]], self.cancelled[key])
        self._took("usage cancelled")

    def replace_usage(self, key: tuple[int, int], kwh: int) -> None:
        """And sends others in their place."""
        number, place = key
        name = next(self._names)
        ids = f"U{number}-{place}-{name}", f"I{number}-{place}-{name}"
        messages.send(self.state, number, PERIODS[place], Decimal(kwh), ids, replaces=self.cancelled.pop(key)[0])
        self.versions[key] = ids
        self._took("usage replaced")

    # A clerk, and the night

    def lock(self, *, group: str | None = None, number: int | None = None) -> None:
        """A person locks a group or a customer."""
        self._asked("lock", lambda: lock(self.state, _wanted(group, number), *BY))

    def night(self, group: str) -> None:
        """The machine asks for a group and plans."""
        planning_store.request(self.state, _wanted(group, None))
        plan_next(self.state)
        self._took("plan")

    def validate(self, batch: int, *, twice: bool = False) -> None:
        """All checks over a batch; a second time for nothing but its dates."""
        if self._asked("validate", lambda: validate(self.state, batch, today=CUT_OFF)) and twice:
            members = "select id, state, content, code from billing.batch_members order by id"
            findings = "select member, code, path, state, value from billing.invoice_findings order by id"
            before = self.rows(members), self.rows(findings)
            self._asked("validate again", lambda: validate(self.state, batch, today=CUT_OFF))
            assert (self.rows(members), self.rows(findings)) == before, "validated again it is otherwise"

    def decide(self, member: int, what: str) -> None:
        """Waives what is open of a member, has an estimate billed, or takes the member out."""
        codes = [
            row["code"]
            for row in self.rows(
                "select code from billing.invoice_findings where member = %s and state = 'open' order by id", member
            )
        ]
        code = next((one for one in codes if CODES[one].waivable), "RATE_MISSING")
        verbs: dict[str, Callable[[], object]] = {
            "waive": lambda: reviewing.waive(self.state, member, code, *BY),
            "take out": lambda: reviewing.take_out(self.state, member, *BY),
        }
        self._asked(what, verbs[what])

    def proceed(self, batch: int) -> None:
        """A person lets a batch go on."""
        self._asked("proceed", lambda: reviewing.proceed(self.state, batch, *BY))

    def unlock(self, batch: int) -> None:
        """A person gives a batch back."""
        self._asked("unlock", lambda: reviewing.unlock(self.state, batch, *BY))

    def retry(self, batch: int) -> None:
        """What failed goes into another batch."""
        self._asked("retry", lambda: planning_store.retry(self.state, batch))

    def hold(self, number: int) -> None:
        """An account is not billed for now."""
        accounts.hold(self.state, f"A{number}", date(2027, 1, 1), *BY)
        self._took("hold")

    def end_hold(self, number: int) -> None:
        """It is billed again."""
        accounts.end_hold(self.state, f"A{number}", *BY)
        self._took("hold ended")

    # Workers

    def claim(self, dies_at: Point | None = None) -> bool:
        """One more worker takes what is due. Whether there was something."""
        connection = open_connection(self.world.url, dict_row, "worker")
        try:
            with dying(dies_at) if dies_at else nullcontext():
                claim = claims.claim(connection, processing.DUE, f"worker {len(self.workers)}", LEASE_SECONDS)
                if claim is not None:
                    processing.begin(connection, claim)
        except KilledError:
            connection.close()
            self._took("claim: killed")
            return True
        if claim is None:
            connection.close()
            return False
        self.workers.append(Worker(connection, claim))
        self._took("claim")
        return True

    def step(self, worker: Worker, dies_at: Point | None = None) -> None:
        """A worker drafts the next member or finishes its batch; it may die; one that is late writes nothing."""
        is_late = self._is_late(worker)
        before = self.digest() if is_late else ""
        try:
            with dying(dies_at) if dies_at else nullcontext():
                member = processing.step(worker.connection, worker.claim, rate_case, CUT_OFF, lease=LEASE_SECONDS)
                if member is None:
                    processing.finish(worker.connection, worker.claim)
                    self._end(worker, "finish")
                else:
                    self._took(f"draft: {member}")
        except KilledError:
            self._end(worker, "step: killed")
        except StaleClaimError:
            assert is_late, "a worker lost its batch, and no other has it"
            self._end(worker, "step: late")
        if is_late:
            assert worker not in self.workers, "a worker that lost its batch went on"
            assert self.digest() == before, "a worker that lost its batch changed something"

    def finish_late(self, worker: Worker) -> None:
        """A worker that lost its batch completes it."""
        with self._changing_nothing("finish: late"):
            try:
                processing.finish(worker.connection, worker.claim)
            except StaleClaimError:
                self._end(worker, "finish: late")
            assert worker not in self.workers, "a worker that lost its batch completed it"

    def _is_late(self, worker: Worker) -> bool:
        (row,) = self.rows(
            "select queue_epoch, queue_state from billing.invoice_batches where id = %s", worker.claim.item
        )
        return (row["queue_epoch"], row["queue_state"]) != (worker.claim.epoch, "claimed")  # it may be parked by now

    def late(self) -> list[Worker]:
        """Workers that lost their batches and do not know it."""
        return [one for one in self.workers if self._is_late(one)]

    def kill(self, worker: Worker) -> None:
        """A worker dies between two members."""
        self._end(worker, "kill")

    def _end(self, worker: Worker, step: str) -> None:
        worker.die()
        self.workers.remove(worker)
        self._took(step)

    def pass_time(self) -> None:
        """Leases end."""
        self.world.pass_time(LEASE_SECONDS + 1)
        self._took("time passes")

    # The release

    def release(self, batch: int, what: str, dies_at: Point | None = None) -> None:
        """`check` or `issue` of a batch; a second time for nothing."""
        verb = {"check": _check, "issue": _issue}[what]
        with connect(self.world.url) as connection:
            try:
                with dying(dies_at) if dies_at else nullcontext():
                    done = self._asked(what, lambda: verb(connection, batch))
            except KilledError:
                connection.close()
                self._took(f"{what}: killed")
                return
        if done:
            with self._changing_nothing(f"{what} again"):
                verb(self.state, batch)

    def decide_draft(self, invoice: int, what: str) -> None:
        """A person lets a draft go, or drops it."""
        verb = {"approve": releasing.approve, "discard": releasing.discard}[what]
        self._asked(what, lambda: verb(self.state, invoice, *BY))

    # Corrections

    def correct(self, number: str, what: str, dies_at: Point | None = None) -> None:
        """A person cancels an invoice, or cancels it and bills it again, and the process dies, or not."""
        with connect(self.world.url) as connection:
            verbs: dict[str, Callable[[], Corrected]] = {
                "cancel": lambda: asking.cancel(connection, number, *BY, CUT_OFF),
                "rebill": lambda: asking.rebill(connection, number, *BY, rate_case, CUT_OFF),
            }
            try:
                with dying(dies_at) if dies_at else nullcontext():
                    self._asked(f"{what} an invoice", verbs[what])
            except KilledError:
                connection.close()
                self._took(f"{what} an invoice: killed")

    def numbers(self, *states: str) -> list[str]:
        """Of invoices in these states that are no cancels."""
        rows = self.rows(
            "select number from billing.utility_invoices where kind = 'invoice' and state = any(%s) order by number",
            [*states],
        )
        return [row["number"] for row in rows]


def _check(connection: Connection, batch: int) -> object:
    return releasing.check_quality(connection, batch, CUT_OFF)


def _issue(connection: Connection, batch: int) -> object:
    return releasing.issue(connection, batch, CUT_OFF)


def _wanted(group: str | None, number: int | None) -> Wanted:
    if group is not None:
        return Wanted(Selection.BILL_GROUP, CUT_OFF, (group,))
    return Wanted(Selection.CUSTOMER, CUT_OFF, (f"A{number}",))


def _cents(value: Decimal) -> Decimal:
    return value.quantize(_CENT, ROUND_HALF_UP)


def world_numbers() -> Sequence[int]:
    """The numbers of the world's customers."""
    return [number for numbers in GROUPS.values() for number in numbers]


def pick(things: Sequence[Thing], index: int) -> Thing:
    """One of them."""
    return things[index % len(things)]
