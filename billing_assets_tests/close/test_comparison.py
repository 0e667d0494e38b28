"""Whatever differs, and however: every document is named, and the steps lead from billing to NetSuite to the cent."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from billing_assets.billing_system.totals import MonthDocument
from billing_assets.close import comparison
from billing_assets.close.causes import CAUSES
from billing_assets.close.reconciliation import summed
from billing_assets.domain.documents import State
from billing_assets.netsuite.month import MonthTransaction
from billing_assets.state.database import Connection, connect

KEYS = {kind: comparison.CustomerKey("customer", True) for kind in ("invoice", "credit_memo")}
MONTH, FIRST, NEXT = "2010-11", date(2010, 11, 5), date(2010, 12, 1)


class Planted(NamedTuple):
    """A document as each of the three has it: None where it has it not. Cents; `late` goes with the next month."""

    kind: str
    billed: int | None
    state: State | None
    staged: int
    in_netsuite: int | None
    other_id: bool
    void: bool
    late: bool
    customer: str


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
    st.sampled_from(["12346", "12346", "12347"]),
)


def amount(document: Planted, value: int) -> Decimal:
    return Decimal(value if document.kind == "invoice" else -value) / 100


def goes_later(document: Planted) -> bool:
    return document.late and document.state in {State.READY, State.POSTED}


def plant(connection: Connection, documents: list[Planted]) -> None:
    comparison.create_tables(connection)
    connection.execute("alter table billing.staged_invoices disable trigger user")
    connection.execute("delete from billing.staged_invoices")
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
                MonthTransaction(their_id, f"X-{number}", type_, None, "1001", "1", total, one.void, str(FIRST))
            )
        if one.state is not None:
            stage(connection, place, one, status)
    comparison.add_billing(connection, billing)
    comparison.add_netsuite(connection, netsuite, ("X-",))
    comparison.add_references(connection, {(kind, "12346"): "1001" for kind in KEYS}, {"GBP": "1"})


def stage(connection: Connection, place: int, one: Planted, status: str) -> None:
    posted = one.state == State.POSTED
    connection.execute(
        """
        insert into billing.staged_invoices
            (source, document_id, kind, number, status, document_date, period, posting_date, customer, branch, currency,
             total, line_count, extra, lines, content_hash, external_id, state, findings, batch, netsuite_id, posted_at)
        values ('billing', %(number)s, %(kind)s, %(number)s, %(status)s, %(day)s, %(period)s, %(posting)s, %(customer)s,
                'UK', 'GBP', %(total)s, 0, '{}', '[]', '', 'X-' || %(number)s, %(state)s, %(findings)s, 'b',
                %(netsuite_id)s, %(posted_at)s)""",
        {
            "number": f"N{place}",
            "kind": one.kind,
            "status": status,
            "day": FIRST,
            "period": "2010-12" if goes_later(one) else MONTH,
            "posting": NEXT if goes_later(one) else None,
            "customer": one.customer,
            "total": amount(one, one.staged),
            "state": str(one.state),
            "findings": Jsonb([]),
            "netsuite_id": str(place + 1) if posted else None,
            "posted_at": datetime(2010, 11, 6, tzinfo=UTC) if posted else None,
        },
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(planted, max_size=25))
def test_the_steps_add_up_and_whatever_is_not_the_same_everywhere_is_named(
    state_url: str, documents: list[Planted]
) -> None:
    with connect(state_url) as connection:
        plant(connection, documents)
        comparison.compare(connection, "billing", MONTH, KEYS, datetime.now(UTC))
        rows, states, steps, causes = summed(comparison.sums(connection))
        with connection.transaction():
            named = [row["number"] for row in comparison.differences(connection, [*CAUSES])]
    billed = [amount(one, one.billed) for one in documents if one.billed is not None]
    there = [amount(one, one.in_netsuite) for one in documents if one.in_netsuite is not None]
    by_step = {step.what: (step.documents, step.total) for step in steps}
    assert by_step.get("billing", (0, 0)) == (len(billed), sum(billed))
    assert by_step.get("netsuite", (0, 0)) == (len(there), sum(there))
    went = [amount(one, one.billed) for one in documents if one.billed is not None and goes_later(one)]
    assert by_step.get("moved_out", (0, 0)) == (-len(went), -sum(went))
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
        same = one.state == State.POSTED and not one.late and one.billed == one.staged == one.in_netsuite
        if one.billed is None and one.in_netsuite is None:
            continue
        if same and not one.void and not one.other_id and one.customer == "12346":
            assert f"N{place}" not in named
        elif f"N{place}" not in named:
            assert f"X-N{place}" in named, one
    assert sum(one.documents for one in causes) == len(named)
