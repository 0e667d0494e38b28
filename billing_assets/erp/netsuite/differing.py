"""What NetSuite has under our external id, but not as it was sent: looked at again, accepted, or credited there.

Nothing is sent for it while it is there. The transaction in NetSuite is ours: it is corrected, not deleted.
"""

from collections.abc import Mapping

import structlog

from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite import differing_store as store
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.differing_store import Decided, Differing
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.erp.netsuite.month import MonthTransaction, transactions_by_ids
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.erp.netsuite.suiteql import amounts_unpaid
from billing_assets.erp.settings import absence_counts_after_seconds
from billing_assets.foundation.database.connection import Connection, settle_order
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.money import canonical
from billing_assets.foundation.settings import Settings
from billing_assets.posting.lanes import Lanes
from billing_assets.posting.lease import Patience, holding
from billing_assets.posting.locks import settle
from billing_assets.posting.look_up import read_back, settle_open_attempts

log = structlog.get_logger(__name__)


class DifferenceError(BillingError):
    """The decision cannot be taken; the message says why, and what to do."""


def check(
    url: str,
    connection: Connection,
    client: NetSuiteClient,
    lanes: Lanes,
    mapping: NetSuiteMapping,
    settings: Settings,
    run_id: str,
) -> tuple[int, list[Differing]]:
    """Looks everything that differs up in NetSuite once more: how many are as they were sent now, and what still
    differs. Sends nothing.

    Raises LockHeldError for a batch that a run has, and NetSuiteError.
    """
    before = store.differing(connection)
    sink, policy = netsuite_sink(client, mapping, settings), run_policy(settings).absence
    for key in sorted({one.batch for one in before}):
        with holding(
            url,
            connection,
            DOCUMENTS,
            key,
            run_id,
            lease_policy(settings),
            retry_rejected=False,
            patience=Patience.UNTIL_RENEWED,
        ) as lease:
            settle_open_attempts(connection, sink, lanes, lease, policy)
            read_back(connection, sink, lanes, lease, policy)
    left = store.differing(connection)
    return len({one.id for one in before} - {one.id for one in left}), left


def accept(
    connection: Connection,
    client: NetSuiteClient,
    settings: Settings,
    number: str,
    *,
    by: str,
    why: str,
    kind: Kind | None = None,
) -> Decided:
    """A person answers for what NetSuite has: the document is posted as it is there.

    Counts as long as NetSuite has the same. Raises DifferenceError and NetSuiteError.
    """
    one = _differing(connection, number, kind)
    there = _there(client, one)
    if there.absolute_total is None:
        raise DifferenceError(
            f"The total of NetSuite's transaction {there.netsuite_id} cannot be read, so it cannot be accepted. Look "
            "at it there; try again when NetSuite shows the total in plain digits."
        )
    return _decide(connection, settings, one, there, "accepted", by, why)


def credited(
    connection: Connection,
    client: NetSuiteClient,
    settings: Settings,
    number: str,
    *,
    by: str,
    why: str,
    kind: Kind | None = None,
) -> Decided:
    """A person credited or voided the transaction in NetSuite: nothing is owed for it there any more.

    Raises DifferenceError, also while something is open on it, and NetSuiteError.
    """
    one = _differing(connection, number, kind)
    there = _there(client, one)
    shown = amounts_unpaid(client, {there.netsuite_id: one.external_id})[0]
    if there.netsuite_id not in shown and not there.voided:
        raise DifferenceError(
            f"What is open on NetSuite's transaction {there.netsuite_id} cannot be read, so that it is credited is not "
            "seen. Look at it there; try again when NetSuite shows the amount in plain digits."
        )
    still_open = shown.get(there.netsuite_id)
    if not there.voided and (one.kind == Kind.CREDIT_MEMO or still_open):
        is_open = f"{canonical(still_open)} are open on it" if still_open else "it is not voided"
        raise DifferenceError(
            f"NetSuite's transaction {there.netsuite_id} is not credited: {is_open}. Credit it in full or void it "
            "there, then say so again."
        )
    return _decide(connection, settings, one, there, "credited", by, why)


def _differing(connection: Connection, number: str, kind: Kind | None) -> Differing:
    found = [one for one in store.differing(connection, number) if kind is None or one.kind == kind]
    if not found:
        raise DifferenceError(f"Nothing of {number} differs in NetSuite. `billing differs list` shows what does.")
    if len(found) > 1:
        raise DifferenceError(f"An invoice and a credit memo have the number {number}: say which with --kind.")
    return found[0]


def _there(client: NetSuiteClient, one: Differing) -> MonthTransaction:
    """The transaction as NetSuite has it now."""
    if one.netsuite_id is None:
        raise DifferenceError(
            f"NetSuite shows {one.external_id} to no query of our role, so what it has cannot be accepted. Let the "
            "role see all subsidiaries and transactions, then `billing differs check`. Where nothing has this external "
            f"id any more, `billing requeue {one.number}` sends it again: NetSuite takes it only then."
        )
    found = [
        there
        for page in transactions_by_ids(client, [(one.external_id, one.netsuite_id)])
        for there in page
        if there.netsuite_id == one.netsuite_id and (there.external_id or "").upper() == one.external_id
    ]
    if not found:
        raise DifferenceError(
            f"NetSuite has no transaction {one.netsuite_id} with the external id {one.external_id} any more. "
            "`billing differs check` looks for it again."
        )
    return found[0]


def _decide(
    connection: Connection,
    settings: Settings,
    one: Differing,
    there: MonthTransaction,
    decision: str,
    by: str,
    why: str,
) -> Decided:
    if not by.strip() or not why.strip():
        raise DifferenceError(f"Say {'why' if by.strip() else 'who decides'}: it is empty.")
    with connection.transaction():
        settle_order(connection)
        if not store.lock_batch(connection, one.batch):
            raise DifferenceError(f"A run has batch {one.batch} just now. Try again when it has ended.")
        if not store.decide(connection, one, _facts(there), decision, by.strip(), why.strip()):
            raise DifferenceError(f"Nothing of {one.number} differs in NetSuite any more.")
        settle(connection, DOCUMENTS, one.batch, absence_counts_after_seconds(settings))
    log.info("difference_decided", number=one.number, decision=decision)
    return store.decisions(connection, one.id)[-1]


def _facts(there: MonthTransaction) -> Mapping[str, str | None]:
    return {
        "type": there.type,
        "entity": there.entity,
        "currency": there.currency,
        "total": None if there.absolute_total is None else canonical(there.absolute_total),
        "tran_date": there.tran_date,
        "voided": "true" if there.voided else "false",
        "tranid": there.transaction_number,
    }
