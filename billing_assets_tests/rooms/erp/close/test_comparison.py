"""Whatever differs, and however: every document is named, and the steps lead from billing to NetSuite to the cent."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from billing_assets.decisions.store import Subject, record
from billing_assets.erp.billing_system.totals import MonthDocument
from billing_assets.erp.close import comparison, month_tables
from billing_assets.erp.close.causes import CAUSES
from billing_assets.erp.close.differences import describe
from billing_assets.erp.close.reconciliation import summed
from billing_assets.erp.documents.documents import State
from billing_assets.erp.netsuite.month import MonthTransaction
from billing_assets.foundation.database.connection import Connection, connect

KEYS = {kind: month_tables.CustomerKey("customer", True) for kind in ("invoice", "credit_memo")}
MONTH, BEFORE, FIRST, NEXT = "2010-11", date(2010, 10, 5), date(2010, 11, 5), date(2010, 12, 1)
POSTED_AT = datetime(2010, 11, 6, tzinfo=UTC)


class Planted(NamedTuple):
    """A document as each of the three has it: None where it has it not. Cents; `late` goes with the next month.

    `void` is it in billing, `voided` in NetSuite. `own` is a credit memo of ours for a void; `moved` was staged in the
    month before. `read_back` is False where it was not, or what was found different. `drift` is the status that staging
    noted of it, `decided` what a person said to it.
    """

    kind: str
    billed: int | None
    state: State | None
    staged: int
    in_netsuite: int | None
    other_id: bool
    void: bool
    voided: bool
    late: bool
    customer: str
    own: bool
    moved: bool
    read_back: bool | str
    drift: str | None
    decided: str | None


OF_OUR_OWN: dict[str, Any] = {"kind": "credit_memo", "billed": None, "void": False, "moved": False, "drift": None}
cents = st.sampled_from([1, 2, 1_234_567])  # few, so that two of them are often the same
seldom = st.sampled_from([False, False, False, True])
planted = st.builds(
    Planted,
    st.sampled_from(["invoice", "credit_memo"]),
    st.none() | cents,
    st.none() | st.sampled_from([*State]) | st.just(State.POSTED),
    cents,
    st.none() | cents,
    seldom,
    seldom,
    seldom,
    seldom,
    st.sampled_from(["12346", "12346", "12347"]),
    seldom,
    seldom,
    st.sampled_from([True, True, True, False, "4 applied instead of 10"]),
    st.sampled_from([None, None, None, "closed", "void", "missing"]),
    st.sampled_from([None, None, "accepted", "declined", "confirmed"]),
).map(lambda one: one._replace(**OF_OUR_OWN) if one.own else one)


def amount(document: Planted, value: int) -> Decimal:
    return Decimal(value if document.kind == "invoice" else -value) / 100


def goes_later(document: Planted) -> bool:
    return document.late and document.state in {State.READY, State.POSTED}


def plant(connection: Connection, documents: list[Planted]) -> None:
    month_tables.create_tables(connection)
    for table in ("accepted_drifts", "proposed_credit_memos", "staged_invoices"):
        connection.execute(f"alter table billing.{table} disable trigger user")
        connection.execute(f"delete from billing.{table}")  # noqa: S608
    connection.execute(
        "insert into billing.locked_batches (partition_key, period, sequence, documents, total) "
        "values ('b', '2010-11', 1, 1, 1) on conflict do nothing"
    )
    billing, netsuite = [], []
    for place, one in enumerate(documents):
        number = f"N{place}"
        status = "void" if one.void else "closed"
        if one.billed is not None:
            total = amount(one, one.billed)
            billing.append(MonthDocument(number, one.kind, number, status, "UK", "12346", "GBP", FIRST, total))
        if one.in_netsuite is not None:
            type_ = "CustInvc" if one.kind == "invoice" else "CustCred"
            their_id = str(1000 + place) if one.other_id else str(place + 1)
            total = Decimal(one.in_netsuite) / 100
            netsuite.append(
                MonthTransaction(their_id, f"X-{number}", type_, None, "1001", "1", total, one.voided, str(FIRST))
            )
        if one.state is not None:
            stage(connection, place, one, status)
    month_tables.add_billing(connection, "billing", billing)
    month_tables.add_netsuite(connection, netsuite, ("X-",))
    month_tables.add_references(connection, {(kind, "12346"): "1001" for kind in KEYS}, {"GBP": "1"})


def stage(connection: Connection, place: int, one: Planted, status: str) -> None:
    posted = one.state == State.POSTED
    drift = {"source_status": one.drift, "source_total": str(amount(one, one.billed or 0)), "source_hash": "x"}
    (row,) = connection.execute(
        """
        insert into billing.staged_invoices
            (source, document_id, kind, number, status, document_date, period, posting_date, customer, branch, currency,
             total, line_count, extra, lines, content_hash, external_id, state, findings, batch, netsuite_id, posted_at,
             read_back_at, difference, drift)
        values (%(source)s, %(number)s, %(kind)s, %(number)s, %(status)s, %(day)s, %(period)s, %(posting)s,
                %(customer)s, 'UK', 'GBP', %(total)s, 0, '{}', '[]', '', 'X-' || %(number)s, %(state)s, %(findings)s,
                'b', %(netsuite_id)s, %(posted_at)s, %(read_back)s, %(difference)s, %(drift)s) returning id""",
        {
            "source": "billing/corrections" if one.own else "billing",
            "number": f"N{place}",
            "kind": one.kind,
            "status": status,
            "day": BEFORE if one.moved else FIRST,
            "period": "2010-12" if goes_later(one) else "2010-10" if one.moved else MONTH,
            "posting": NEXT if goes_later(one) else None,
            "customer": one.customer,
            "total": amount(one, one.staged),
            "state": str(one.state),
            "findings": Jsonb([]),
            "netsuite_id": str(place + 1) if posted else None,
            "posted_at": POSTED_AT if posted else None,
            "read_back": POSTED_AT if posted and one.read_back else None,
            "difference": one.read_back if posted and isinstance(one.read_back, str) else None,
            "drift": Jsonb(drift) if posted and one.drift else None,
        },
    ).fetchall()
    if posted and one.decided == "accepted":
        connection.execute(
            "insert into billing.accepted_drifts (document, drift, decision_id) values (%s, %s, %s)",
            [row["id"], Jsonb(drift), record(connection, Subject.DRIFT, "N", "accepted", "x", "y").id],
        )
    elif posted and one.decided:
        connection.execute(
            """
            insert into billing.proposed_credit_memos
                (document, total, decision, decision_id, correction)
            values (%s, 1, %s, %s, %s)""",
            [
                row["id"],
                one.decided,
                record(connection, Subject.VOID, "N", one.decided, "x", "y").id,
                row["id"] if one.decided == "confirmed" else None,
            ],
        )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(planted, max_size=25))
def test_the_steps_add_up_and_whatever_is_not_the_same_everywhere_is_named(
    state_url: str, documents: list[Planted]
) -> None:
    with connect(state_url) as connection:
        plant(connection, documents)
        comparison.compare(connection, ["billing"], MONTH, KEYS, datetime.now(UTC))
        rows, states, steps, totals = summed(comparison.sums(connection))
        said = [row["number"] for row in named(connection)]
    billed = [amount(one, one.billed) for one in documents if one.billed is not None]
    there = [amount(one, one.in_netsuite) for one in documents if one.in_netsuite is not None]
    by_step = {step.what: (step.documents, step.total) for step in steps}
    assert by_step.get("billing", (0, 0)) == (len(billed), sum(billed))
    assert by_step.get("netsuite", (0, 0)) == (len(there), sum(there))
    went = [amount(one, one.billed) for one in documents if one.billed is not None and goes_later(one)]
    assert by_step.get("moved_out", (0, 0)) == (-len(went), -sum(went))
    staged = [one for one in documents if one.state not in {None, State.GONE} and not goes_later(one)]
    own = [amount(one, one.staged) for one in staged if one.own]
    assert by_step.get("corrections", (0, 0)) == (len(own), sum(own))
    between = [step for step in steps if step.what != "netsuite"]
    assert sum(step.documents for step in between) == len(there)
    assert sum(step.total for step in between) == sum(there)
    for table in (rows, states):
        assert sum(row.billing.documents for row in table) == len(billed)
        assert sum(row.netsuite.total for row in table) == sum(there)
    for state in (None, *State):
        of_state = [one for one in documents if one.state == state and one.billed is not None]
        found = sum(row.billing.documents for row in states if row.state == (state or "not_staged"))
        assert found == len(of_state)
    for place, one in enumerate(documents):
        expected = one.staged if one.own else one.billed
        same = one.state == State.POSTED and not one.late and expected == one.staged == one.in_netsuite
        if one.billed is None and one.in_netsuite is None:
            continue
        whole = not (one.void or one.voided or one.other_id or one.moved or one.drift) and one.read_back is True
        if same and whole and one.customer == "12346":
            assert f"N{place}" not in said
        elif f"N{place}" not in said:
            assert f"X-N{place}" in said, one
    assert sum(one.documents for one in totals) == len(said)


SAME = Planted("invoice", 1, State.POSTED, 1, 1, False, False, False, False, "12346", False, False, True, None, None)
VOID = SAME._replace(void=True, drift="void")
CASES = [
    (SAME, None),
    (VOID, "VOIDED_AFTER_POSTING"),
    (VOID._replace(decided="declined"), "VOID_DECLINED"),
    (VOID._replace(decided="declined", in_netsuite=2), "AMOUNT_DIFFERS"),
    (VOID._replace(decided="confirmed"), "VOID_CREDITED"),
    (VOID._replace(decided="confirmed", billed=0), "VOID_CREDITED"),
    (VOID._replace(voided=True, in_netsuite=0), "VOIDED_BOTH"),
    (VOID._replace(in_netsuite=None), "VOIDED_BOTH"),
    (VOID._replace(voided=True, decided="confirmed"), "VOIDED_IN_NETSUITE"),
    (SAME._replace(voided=True), "VOIDED_IN_NETSUITE"),
    (SAME._replace(drift="closed", billed=2), "CHANGED_AFTER_POSTING"),
    (SAME._replace(drift="closed", billed=2, decided="accepted"), "ACCEPTED"),
    (SAME._replace(drift="closed", billed=2, decided="accepted", in_netsuite=3), "AMOUNT_DIFFERS"),
    (SAME._replace(drift="missing", billed=None), "DELETED_AFTER_POSTING"),
    (SAME._replace(drift="missing", billed=None, decided="accepted"), "ACCEPTED"),
    (SAME._replace(drift="missing", decided="accepted"), "CHANGED_AFTER_POSTING"),  # it is there again
    (SAME._replace(moved=True, in_netsuite=None), "CHANGED_AFTER_POSTING"),
    (SAME._replace(moved=True, in_netsuite=None, drift="closed", decided="accepted"), "ACCEPTED"),
    (SAME._replace(read_back=False), "NOT_READ_BACK"),
    (SAME._replace(read_back="4 applied instead of 10"), "READ_BACK_DIFFERS"),
    (SAME._replace(read_back="total 2 instead of 1", in_netsuite=2), "AMOUNT_DIFFERS"),
    (SAME._replace(in_netsuite=None), "DELETED_IN_NETSUITE"),
]


def causes(connection: Connection, shown_within: timedelta = timedelta(0)) -> dict[str, str | None]:
    comparison.compare(connection, ["billing"], MONTH, KEYS, POSTED_AT + timedelta(seconds=30), shown_within)
    return {row["number"]: row["cause"] for row in connection.execute("select number, cause from month_documents")}


def test_every_document_has_the_cause_that_says_what_a_person_has_still_to_do(state_url: str) -> None:
    with connect(state_url) as connection:
        plant(connection, [case for case, _ in CASES])
        found = causes(connection)
        assert [(case, found[f"N{place}"]) for place, (case, _) in enumerate(CASES)] == CASES
        for seconds, cause in ((60, "NOT_READ_BACK"), (20, "DELETED_IN_NETSUITE")):  # SuiteQL shows it later
            plant(connection, [SAME._replace(in_netsuite=None, read_back=False)])
            assert causes(connection, timedelta(seconds=seconds)) == {"N0": cause}


def test_what_cannot_be_checked_does_not_count_as_agreeing(state_url: str) -> None:
    with connect(state_url) as connection:
        plant(connection, [SAME])
        connection.execute("delete from month_customers where kind = 'invoice'")
        assert causes(connection) == {"N0": "UNMAPPED"}
        plant(connection, [SAME])
        connection.execute("delete from month_currencies")
        assert causes(connection) == {"N0": "UNMAPPED"}


def test_a_second_transaction_under_our_external_id_is_not_ours(state_url: str) -> None:
    with connect(state_url) as connection:
        plant(connection, [SAME])
        copy = MonthTransaction("77", "X-N0", "CustInvc", None, "1001", "1", Decimal("0.01"), False, str(FIRST))
        month_tables.add_netsuite(connection, [copy], ("X-",))
        comparison.compare(connection, ["billing"], MONTH, KEYS, datetime.now(UTC))
        ((cause, said),) = [(row["cause"], describe(row).what) for row in named(connection)]
    assert (cause, said) == ("NOT_IN_BILLING", "NetSuite has X-N0 once more, as internal id 77: not by us.")


def test_a_late_document_whose_total_becomes_unreadable_is_named(state_url: str) -> None:
    with connect(state_url) as connection:
        plant(connection, [SAME._replace(late=True, in_netsuite=None)])
        connection.execute("update month_billing set total = null")
        comparison.compare(connection, ["billing"], MONTH, KEYS, datetime.now(UTC))
        _, _, steps, _ = summed(comparison.sums(connection))
        ((cause, said),) = [(row["cause"], describe(row).what) for row in named(connection)]
    assert cause == "CHANGED_AFTER_POSTING"
    assert said == "Posted with 0.01, the billing system has no total that can be read."
    assert [(step.what, step.documents) for step in steps] == [
        ("billing", 1),
        ("CHANGED_AFTER_POSTING", -1),
        ("netsuite", 0),
    ]


def test_what_is_explained_is_not_the_oldest_that_is_left(state_url: str) -> None:
    with connect(state_url) as connection:
        plant(connection, [SAME._replace(late=True, in_netsuite=None)])
        comparison.compare(connection, ["billing"], MONTH, KEYS, datetime.now(UTC))
        assert [row["oldest_left"] for row in comparison.delays(connection)] == [None]


def test_a_warning_is_no_reason_and_what_an_auditor_commented_stays_with_the_auditor(state_url: str) -> None:
    findings = [
        {"code": "TERMS_UNKNOWN", "severity": "warning", "message": "Only flagged."},
        {"code": "AUDIT_HOLD", "severity": "error", "message": "Held by A. Auditor on 2010-12-01: Mr Smith: rang"},
    ]
    with connect(state_url) as connection:
        plant(connection, [SAME._replace(state=State.HELD, in_netsuite=None)])
        connection.execute("update billing.staged_invoices set findings = %s", [Jsonb(findings)])
        comparison.compare(connection, ["billing"], MONTH, KEYS, datetime.now(UTC))
        assert [describe(row).what for row in named(connection)] == ["AUDIT_HOLD: Held by A. Auditor on 2010-12-01"]


def named(connection: Connection) -> list[dict[str, Any]]:
    with connection.transaction():
        return list(comparison.differences(connection, [*CAUSES]))
