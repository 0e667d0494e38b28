"""NetSuite as a sink of the posting core: what is particular about sending a document to it and finding it there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, partial

from billing_assets.erp.bindings import Named, bind, compare
from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.documents.rules import Finding, finding
from billing_assets.erp.netsuite import found, store
from billing_assets.erp.netsuite.applying import apply_now
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.content import Content, compare_lines
from billing_assets.erp.netsuite.errors import NetSuiteLoginRefused, about_application
from billing_assets.erp.netsuite.fit import why_held
from billing_assets.erp.netsuite.look_up import judge, read_back_row
from billing_assets.erp.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.erp.netsuite.privacy import withheld
from billing_assets.erp.netsuite.proof import proven, why_nothing_is_sent
from billing_assets.erp.netsuite.store import Posting, Unread
from billing_assets.erp.netsuite.suiteql import (
    LookedUp,
    NetSuiteTransaction,
    UnreadableRow,
    amounts_unpaid,
    find_by_external_ids,
)
from billing_assets.erp.netsuite.wire import named
from billing_assets.erp.settings import NetSuiteSettings, absence_counts_after_seconds
from billing_assets.erp.staging import verbs
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import canonical
from billing_assets.foundation.settings import Settings
from billing_assets.posting import attempts as posting
from billing_assets.posting import locks
from billing_assets.posting.answers import Answer
from billing_assets.posting.attempts import Intent, OpenAttempt, Outcome, ReadBack
from billing_assets.posting.dispatch import Request
from billing_assets.posting.lease import Lease
from billing_assets.posting.locks import Lock
from billing_assets.posting.look_up import AbsencePolicy
from billing_assets.posting.run import RunPolicy
from billing_assets.posting.sink import Lane, Prepared

_FOUND = "NetSuite had it before this database first sent it."

Check = Callable[[Connection, Lease], None]
"""A look at a held batch before anything of it is sent: `netsuite.recheck.Recheck`."""


def _no_check(_connection: Connection, _lease: Lease) -> None:
    """For a batch that no billing system has to be asked about."""


def run_policy(settings: Settings) -> RunPolicy:
    """How a run posts to NetSuite."""
    netsuite = settings.of(NetSuiteSettings)
    absence = AbsencePolicy(absence_counts_after_seconds(settings), netsuite.read_back_seconds)
    return RunPolicy(netsuite.lanes, netsuite.outage_seconds, settings.batches.lease_seconds, absence)


@dataclass(frozen=True)
class NetSuiteSink:
    """Invoices and credit memos as NetSuite transactions. `ours`: what our database must be bound to. `lag_seconds`:
    how much later than a newer one a query may show a transaction. `recheck`: takes out of a held batch what must not
    be sent; what it raises ends the run with nothing sent."""

    client: NetSuiteClient
    mapping: NetSuiteMapping
    ours: Named
    lag_seconds: float
    recheck: Check = _no_check
    system: str = "NetSuite"

    def compare(self, connection: Connection) -> None:
        """Raises BoundElsewhereError."""
        compare(connection, self.ours)

    def bind(self, connection: Connection, run_id: str) -> None:
        """Raises BoundElsewhereError."""
        bind(connection, self.ours, run_id)

    def ask_for_life(self) -> None:
        """Raises NetSuiteError."""
        self.client.ask_for_life()

    def open_attempts(
        self, connection: Connection, held: Lock, absence_counts_after: float
    ) -> Sequence[OpenAttempt[Posting]]:
        """Documents of the batch whose end in NetSuite is not known, or that differ there."""
        return store.open_attempts(connection, held, absence_counts_after)

    def look_up(
        self, _connection: Connection, attempts: Sequence[OpenAttempt[Posting]], lane: Lane
    ) -> Mapping[int, Outcome | None]:
        """Finds the attempts by external id; where no attempt of ours explains what is there, compares its lines."""
        by_name: dict[str, LookedUp] = {}
        credits_ = any(one.last_outcome == "exists" and one.item.document.targets for one in attempts)
        with lane():
            by_name |= find_by_external_ids(self.client, [one.item.external_id for one in attempts], applied=credits_)
            hidden = [
                one.item.external_id
                for one in attempts
                if one.last_outcome in {"exists", "conflict"} and one.item.external_id not in by_name
            ]
            if hidden:  # entered by hand in another case: NetSuite's uniqueness ignores it, SuiteQL does not
                by_name |= find_by_external_ids(self.client, hidden, any_case=True, applied=credits_)
        unexplained = {
            there.netsuite_id: one.payload
            for one in attempts
            if isinstance(there := by_name.get(one.item.external_id), NetSuiteTransaction)
            and not one.may_have_landed
            and one.payload is not None
        }
        contents: dict[str, Content] = {}
        if unexplained:
            with lane():
                contents = compare_lines(self.client, unexplained)
        return {
            one.attempt: judge(one, there, self.mapping, contents)
            for one in attempts
            if (there := by_name.get(one.item.external_id)) is not None
        }

    def worth_sending_again(self, attempt: OpenAttempt[Posting]) -> bool:
        """A credit memo, where NetSuite may have refused it because less was open than it was to settle: a payment may
        have come in between."""
        path = attempt.last_path
        return bool(attempt.item.credited) and (not path or about_application(path))

    def send_again(self, item: Posting) -> str:
        """Requeues the document."""
        return f"`billing requeue --number {item.label}`"

    def why_not(self, connection: Connection, lease: Lease, lane: Lane) -> str | None:
        """Lets nothing be sent with a mapping whose ids are other records in NetSuite, while NetSuite has something of
        ours that our database does not know, or while that cannot be asked; nor what the billing system changed
        meanwhile."""
        try:
            with lane():
                if not proven(connection, self.client, self.mapping):
                    self.client.ask_for_life()  # in an outage the questions proper would take minutes
                    if reason := why_nothing_is_sent(connection, self.client, self.mapping):
                        return reason
                if ahead := found.look(connection, self.client, self.mapping, self.lag_seconds):
                    return found.stop_reason(ahead)
        except NetSuiteLoginRefused as error:
            return f"NetSuite refused the login: {error}"
        self.recheck(connection, lease)  # after the look-up of open attempts: what it proves absent is sent, too
        return None

    def preparing(self, connection: Connection, held: Lock, lane: Lane) -> Callable[[Posting], Prepared | None]:
        """Bodies by the mapping, each credit memo applied to what is open when the first of them comes up."""
        open_amounts = cache(partial(_open_amounts, connection, self.client, held, lane))

        def prepare(posting: Posting) -> Prepared | None:
            still_open, given_away = open_amounts() if posting.credited else ({}, set())
            if findings := why_held(posting, self.mapping) or _without_its_invoice(posting, given_away):
                verbs.hold(connection, held, {posting.id: findings})
                return None
            if posting.waits:  # it was put into the batch before the source said so
                locks.put_back(connection, held, posting.id)
                return None
            # What NetSuite has already is in its amounts: it takes nothing more of them.
            applied, by_id = apply_now(posting, dict(still_open) if posting.adopted else still_open)
            body = self.mapping.payload(posting.document, posting.external_id, by_id)
            facts = None if applied is None else [(number, canonical(amount)) for number, amount in applied.items()]
            return Prepared(Intent(body, facts), _FOUND if posting.adopted else None)

        return prepare

    def next_to_send(self, connection: Connection, held: Lock, limit: int, after: int) -> Sequence[Posting]:
        """Documents that the run holds and has not sent."""
        return store.next_to_send(connection, held, limit, after)

    def send(self, request: Request[Posting]) -> Answer:
        """Creates the transaction."""
        document = request.item.document
        return withheld(self.client.create(RECORD_TYPES[Kind(document.kind)], request.body), document)

    def unread(self, connection: Connection, held: Lock) -> Sequence[Unread]:
        """Posted documents that were not compared with NetSuite yet, or were different."""
        return store.unread(connection, held)

    def read_back(self, connection: Connection, held: Lock, waiting: Sequence[Unread], lane: Lane) -> list[ReadBack]:
        """Compares them to the cent; lines only of what NetSuite had before we sent it: the role may have got the right
        to see them. One that NetSuite shows and that cannot be read is a difference of that document."""
        credits_ = any(one.applied is not None for one in waiting)
        with lane():
            by_name = find_by_external_ids(self.client, [one.external_id for one in waiting], applied=credits_)
        shown = {name: one for name, one in by_name.items() if not isinstance(one, UnreadableRow) or one.named}
        unproven = {one.id: one.netsuite_id for one in waiting if one.unproven and one.external_id in shown}
        contents: dict[str, Content] = {}
        if unproven:
            sent = posting.payloads(connection, held, [*unproven])
            with lane():
                contents = compare_lines(self.client, {unproven[document]: body for document, body in sent.items()})
        return [read_back_row(one, shown[one.external_id], contents) for one in waiting if one.external_id in shown]


def netsuite_sink(
    client: NetSuiteClient, mapping: NetSuiteMapping, settings: Settings, recheck: Check = _no_check
) -> NetSuiteSink:
    """The sink of the account that the settings name."""
    ours = named(settings, mapping.file.external_id.by_kind())
    return NetSuiteSink(client, mapping, ours, settings.of(NetSuiteSettings).read_back_seconds, recheck)


def _open_amounts(
    connection: Connection, client: NetSuiteClient, held: Lock, lane: Lane
) -> tuple[dict[str, Decimal], set[str]]:
    """What is open on the invoices that the batch's unsent credit memos are applied to, by internal id, and which of
    these ids belong to another transaction by now: nothing may be applied to that.

    One that NetSuite does not show (yet) is in neither. Asks nothing where there is none. Raises NetSuiteError.
    """
    credited = store.credited_invoices(connection, held)
    if not credited:
        return {}, set()
    with lane():
        return amounts_unpaid(client, credited)


def _without_its_invoice(posting: Posting, given_away: set[str]) -> list[Finding]:
    """Why a credit memo cannot be applied: NetSuite gave the internal id of its invoice to another transaction."""
    return [
        finding(
            "CREDIT_TARGET_UNKNOWN",
            "applies_to",
            number,
            f"NetSuite's internal id {one.netsuite_id}, under which invoice {number} was posted, is another "
            "transaction by now: was the account refreshed?",
        )
        for number, one in posting.credited.items()
        if one.netsuite_id in given_away
    ]
