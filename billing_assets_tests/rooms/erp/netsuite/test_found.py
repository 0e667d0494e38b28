"""A restored backup: NetSuite is ahead of our database. Noticed, confirmed, adopted; nothing is sent twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from psycopg.types.json import Jsonb

from billing_assets.erp.batches.unlocking import requeue
from billing_assets.erp.documents.documents import Document
from billing_assets.erp.netsuite import found_transactions, found_transactions_store
from billing_assets.erp.netsuite.found_transactions import FoundError
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.journal.restores import restores
from proving.world import builders
from proving.world.builders import applied, credit_memo
from proving.world.rig import Rig, invoices, stage_rows

_OURS = (
    *("posting_outcomes", "posting_attempts", "staged_invoices", "locked_batches", "posted_totals"),
    *("found_transactions", "netsuite_looks"),
)


@contextmanager
def restored(rig: Rig) -> Iterator[None]:
    """What happens in the block is forgotten by our database, and not by NetSuite."""
    kept = {
        table: rig.state.execute(f"select to_jsonb(t) as row from billing.{table} as t").fetchall()  # noqa: S608
        for table in _OURS
    }
    yield
    with rig.state.transaction():
        rig.state.execute("set local session_replication_role = replica")
        for table in _OURS:
            rig.state.execute(f"delete from billing.{table}")  # noqa: S608
        for table in reversed(_OURS):
            for row in kept[table]:
                rig.state.execute(
                    f"insert into billing.{table} overriding system value "  # noqa: S608
                    f"select * from jsonb_populate_record(null::billing.{table}, %s)",
                    [Jsonb(row["row"])],
                )


def sent_before(rig: Rig, documents: list[Document]) -> None:
    """Posted after the backup: NetSuite has them, our database has never heard of them."""
    with restored(rig):
        rig.planned(documents)
        rig.post_until_done()
    assert rig.counts() == {}


def confirm(state: Connection) -> int:
    return found_transactions.confirm(state, by="Ada", why="restored last night")


def received(rig: Rig) -> int:
    return int(rig.account.admin("summary")["posts"]["received"])


def test_nothing_is_sent_before_a_person_has_confirmed_what_netsuite_has(rig: Rig) -> None:
    documents = invoices(4)
    sent_before(rig, documents[:3])
    key = rig.planned(documents)
    before = received(rig)
    result = rig.post(key)
    assert result.stopped is not None
    assert "under our external ids that this database never sent (3)" in result.stopped
    assert "billing restore transactions" in result.stopped
    assert received(rig) == before
    assert rig.counts() == {"batched": 4}
    listed = {one.external_id: one.number for one in found_transactions_store.found(rig.state, undecided_only=True)}
    assert listed == {f"INV-{one.number}": one.number for one in documents[:3]}


def test_once_confirmed_what_is_there_is_taken_over_and_only_the_rest_is_sent(rig: Rig) -> None:
    documents = invoices(4)
    sent_before(rig, documents[:3])
    key = rig.planned(documents)
    rig.post(key)
    before = received(rig)
    assert confirm(rig.state) == 3
    rig.post(key, "run-2")
    assert received(rig) == before + 1
    assert rig.outcomes("500000") == ["exists", "found"]
    rig.assert_whole(4)
    assert confirm(rig.state) == 0


def test_an_undisturbed_database_is_never_stopped(rig: Rig) -> None:
    """Lost answers, late commits and our own posts are all explained by attempts."""
    rig.account.switch(faults=[{"fault": "commit_then_drop", "probability": 0.2}])
    rig.planned(invoices(40))
    rig.post_until_done()
    rig.planned(invoices(40, first=600_000))
    rig.post_until_done()
    rig.assert_whole(80)
    assert found_transactions_store.found(rig.state) == []


def test_a_credit_memo_keeps_the_amount_that_netsuite_applied(rig: Rig) -> None:
    """8 of 10 were applied before; by what is open now, it would be 2."""
    invoice, memo = invoices(1)[0], credit_memo("C1", "-0.80", applications=applied("500000", None))
    rig.planned([invoice])
    rig.post_until_done()
    with restored(rig):
        rig.planned([memo])
        rig.post_until_done()
    rig.planned([memo])
    for _ in range(2):
        rig.post(_batch_of(rig, "C1"))
        confirm(rig.state)
    row = builders.staged(rig.state, "C1")
    assert (row["state"], row["applied"], row["difference"]) == ("posted", [["500000", "0.8"]], None)
    rig.assert_whole(2)


def _batch_of(rig: Rig, number: str) -> str:
    return str(builders.staged(rig.state, number)["batch"])


def test_content_that_changed_since_with_the_total_kept_differs(rig: Rig) -> None:
    (document,) = invoices(1)
    sent_before(rig, [document])
    changed = replace(document, lines=(builders.line(1, "0.57"), builders.line(2, "0.50")))
    key = rig.planned([changed])
    rig.post(key)
    confirm(rig.state)
    rig.post(key, "run-2")
    row = builders.staged(rig.state, document.number)
    assert row["state"] == "differs"
    assert "other lines" in row["difference"]


def test_a_document_that_was_renumbered_since_is_not_sent_under_its_new_number(rig: Rig) -> None:
    (document,) = invoices(1)
    sent_before(rig, [document])
    key = rig.planned([replace(document, number="777777"), *invoices(1, first=600_000, customer="12347")])
    rig.post(key)
    confirm(rig.state)
    before = received(rig)
    rig.post(key, "run-2")
    assert received(rig) == before + 1, "the other one goes"
    row = builders.staged(rig.state, "777777")
    assert row["state"] == "held"
    assert builders.codes(row) == ["MAY_BE_IN_NETSUITE"]
    assert "INV-500000 (internal id" in row["findings"][0]["message"]


def test_a_person_says_which_document_it_is_and_it_is_taken_over_under_the_name_it_has_there(rig: Rig) -> None:
    (document,) = invoices(1)
    sent_before(rig, [document])
    key = rig.planned([replace(document, number="777777")])
    rig.post(key)
    confirm(rig.state)
    rig.post(key, "run-2")
    (there,) = found_transactions_store.found(rig.state)
    found_transactions.match(rig.state, there.netsuite_id, "777777", by="Ada", why="renumbered by the clerk")
    rig.state.execute("update billing.staged_invoices set state = 'ready', findings = '[]'")  # as staging judges it
    before = received(rig)
    assert rig.post_planned() == 1
    assert received(rig) == before
    row = builders.staged(rig.state, "777777")
    assert (row["state"], row["external_id"], row["netsuite_id"]) == ("posted", "INV-500000", there.netsuite_id)
    rig.assert_whole(1)
    with pytest.raises(FoundError):
        found_transactions.match(rig.state, there.netsuite_id, "777777", by="Ada", why="once more")


def test_a_person_says_that_it_is_another_and_the_document_goes(rig: Rig) -> None:
    (document,) = invoices(1)
    sent_before(rig, [document])
    key = rig.planned([replace(document, number="777777")])
    rig.post(key)
    confirm(rig.state)
    rig.post(key, "run-2")
    (there,) = found_transactions_store.found(rig.state)
    found_transactions.separate(rig.state, there.netsuite_id, by="Ada", why="two orders of the same")
    rig.state.execute("update billing.staged_invoices set state = 'ready', findings = '[]'")  # as staging judges it
    rig.post_planned()
    assert builders.staged(rig.state, "777777")["state"] == "posted"
    assert len(rig.records()) == 2


def test_decisions_need_a_name_a_reason_and_something_to_decide(rig: Rig) -> None:
    with pytest.raises(FoundError, match="who decides"):
        found_transactions.confirm(rig.state, by="", why="x")
    with pytest.raises(FoundError, match="why"):
        found_transactions.separate(rig.state, "1", by="Ada", why=" ")
    with pytest.raises(FoundError, match="not on the list"):
        found_transactions.separate(rig.state, "1", by="Ada", why="x")


def test_a_database_that_another_one_posts_beside_is_stopped(rig: Rig) -> None:
    """An empty database on an account in use: somebody else's transactions under our names."""
    rig.planned(invoices(1))
    rig.post_until_done()
    rig.account.created(
        {
            "externalId": "inv-900000",
            "entity": {"id": "1002"},
            "subsidiary": {"id": "1"},
            "tranDate": "2010-11-05",
            "currency": {"id": "1"},
            "item": {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 5, "amount": 5}]},
        }
    )
    key = rig.planned(invoices(1, first=600_000))
    assert "never sent (1)" in str(rig.post(key).stopped)
    (one,) = found_transactions_store.found(rig.state)
    assert (one.external_id, one.total, one.number) == ("INV-900000", Decimal(5), None)


def test_what_was_found_in_one_account_says_nothing_of_another(rig: Rig) -> None:
    """Internal ids begin again there: a transaction of the same id is another one, to be confirmed again."""
    documents = invoices(2)
    sent_before(rig, documents)
    key = rig.planned([replace(documents[0], number="777777")])
    rig.post(key)
    confirm(rig.state)
    rig.post(key, "run-2")
    for there in found_transactions_store.found(rig.state):
        found_transactions.separate(rig.state, there.netsuite_id, by="Ada", why="two orders of the same")
    with rig.state.transaction():
        found_transactions_store.leave_account(rig.state)
    assert found_transactions_store.found(rig.state) == []
    key = rig.planned(invoices(1, first=600_000, customer="12347"))
    assert "never sent (2)" in str(rig.post(key, "run-3").stopped)
    assert [one.decision for one in found_transactions_store.found(rig.state)] == [None, None]


def close_hard(rig: Rig) -> None:
    """As the journal gives a close back."""
    rig.state.execute("insert into billing.closed_months (period, state) values ('2010-11', 'hard')")


def test_in_a_month_that_was_closed_since_what_is_there_is_taken_over_and_nothing_else_goes(rig: Rig) -> None:
    documents = invoices(3)
    sent_before(rig, documents[:2])
    key = rig.planned(documents)
    close_hard(rig)
    rig.post(key)
    confirm(rig.state)
    before = received(rig)
    rig.post(key, "run-2")
    assert received(rig) == before
    assert builders.states(rig.state) == {
        "500000": "posted",
        "500001": "posted",
        "500002": "held",
    }
    assert builders.codes(builders.staged(rig.state, "500002")) == ["PERIOD_CLOSED"]


def test_what_waits_for_a_batch_in_such_a_month_gets_one_only_where_netsuite_has_it(rig: Rig) -> None:
    documents = invoices(2)
    sent_before(rig, documents[:1])
    key = rig.planned(invoices(1, first=600_000, customer="12347"))
    rig.post(key)
    stage_rows(rig.state, documents)
    close_hard(rig)
    confirm(rig.state)
    rig.post_planned()
    states = builders.states(rig.state)
    assert (states["500000"], states["500001"]) == ("posted", "ready")


def delete_in_netsuite(rig: Rig, external_id: str) -> None:
    record = rig.records()[external_id]
    url = f"{rig.account.base_url}/services/rest/record/v1/invoice/{record['id']}"
    rig.account.session.delete(url, timeout=30).raise_for_status()


def test_what_netsuite_refused_before_the_backup_and_took_after_it_is_noticed_too(rig: Rig) -> None:
    """An attempt that surely did nothing does not explain what is there: renumbered since, it would be sent twice."""
    rig.account.switch(closed_periods=["2010-11"])
    key = rig.planned(invoices(1))
    rig.post(key)
    rig.account.switch(closed_periods=[])
    with restored(rig):
        rig.post(key, "after the backup", retry_rejected=True)
        assert rig.counts() == {"posted": 1}
    assert rig.counts() == {"rejected": 1}
    other = rig.planned([replace(invoices(1)[0], number="600000", document_id="other", customer="12347")])
    assert "never sent (1)" in str(rig.post(other).stopped)
    confirm(rig.state)
    rig.post(other, "run-2")
    before = received(rig)
    rig.post(key, "run-3", retry_rejected=True)
    assert received(rig) == before + 1, "refused by NetSuite, which has the name"
    rig.post_until_done()
    assert len(rig.records()) == 2
    assert rig.counts() == {"posted": 2}


def test_what_was_found_and_then_deleted_in_netsuite_is_sent_again_when_a_person_says_so(rig: Rig) -> None:
    (document,) = invoices(1)
    sent_before(rig, [document])
    key = rig.planned([document])
    rig.post(key)
    delete_in_netsuite(rig, "INV-500000")
    confirm(rig.state)
    rig.post_until(lambda: rig.counts() == {"rejected": 1})
    assert rig.log("500000")[-1]["code"] == "DELETED_IN_NETSUITE"
    assert requeue(rig.state, ["500000"], 960.0) == 1
    rig.post_planned()
    assert rig.counts() == {"posted": 1}
    assert len(rig.records()) == 1


def test_a_credit_memo_that_is_there_already_takes_nothing_from_the_next_one(rig: Rig) -> None:
    """Of 1.07, 0.40 were applied before: 0.67 are open, all for the second credit memo."""
    invoice = invoices(1)[0]
    first = credit_memo("C1", "-0.40", applications=applied("500000", None))
    second = credit_memo("C2", "-0.60", applications=applied("500000", None))
    rig.planned([invoice])
    rig.post_until_done()
    with restored(rig):
        rig.planned([first])
        rig.post_until_done()
    key = rig.planned([first, second])
    rig.post(key)
    confirm(rig.state)
    rig.post_until_done()
    assert builders.staged(rig.state, "C2")["applied"] == [["500000", "0.6"]]
    rig.assert_whole(3)


def test_a_document_that_is_there_under_its_own_name_is_not_held_for_another_that_is_gone(rig: Rig) -> None:
    (document,) = invoices(1)
    twin = replace(document, number="500001", document_id="id-twin")
    sent_before(rig, [document, twin])
    key = rig.planned([document])
    rig.post(key)
    confirm(rig.state)
    rig.state.execute("update billing.staged_invoices set state = 'ready', batch = null")
    with pytest.raises(FoundError, match="under its own name"):
        found_transactions.match(rig.state, rig.records()["INV-500001"]["id"], "500000", by="Ada", why="the wrong one")
    rig.post_planned()
    assert rig.counts() == {"posted": 1}


def test_what_was_found_is_noted_together_with_the_restore_or_not_at_all(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies between the two must not leave closes and reminders free to go."""

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    documents = invoices(1)
    sent_before(rig, documents)
    key = rig.planned(documents)
    with monkeypatch.context() as patch:
        patch.setattr(found_transactions, "note_restore", dies)
        with pytest.raises(KeyboardInterrupt):
            rig.post(key)
    rig.post(key, "run-2")
    assert [one.how for one in restores(rig.state)] == ["netsuite"]
