"""What the watch finds in a real database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing_assets.erp.batches import cause_store as batches
from billing_assets.erp.staging import cause_store as staging
from billing_assets.foundation.alerts import Alert
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.sections import AlertSettings, BatchSettings
from billing_assets.foundation.settings import make_settings
from billing_assets.operations.alerts import store
from billing_assets.operations.alerts.detection import detect
from billing_assets_tests.rooms.operations.alerts.rows import attempt, batch, document, staged

NOW = datetime(2010, 12, 1, 12, 0, tzinfo=UTC)
ALERTS = AlertSettings(ui_url="http://ui", unposted_after_hours=24, watermark_after_hours=12)
SETTINGS = make_settings(alerts=ALERTS, batches=BatchSettings(stale_lock_minutes=120))


def hours(number: float) -> datetime:
    return NOW - timedelta(hours=number)


def seen(connection: Connection) -> dict[str, Alert]:
    return {alert.cause: alert for alert in detect(connection, SETTINGS, NOW)}


def test_an_empty_system_and_a_healthy_one_are_quiet(connection: Connection) -> None:
    assert seen(connection) == {}
    staged(connection, "billing", watermark=hours(1), finished_at=hours(1))
    key = batch(connection, "2010-11-0001", planned_at=hours(1), locked_until=NOW + timedelta(seconds=20))
    document(connection, "posting", since=hours(0.5), batch=key)
    document(connection, "ready", since=hours(23))
    document(connection, "open", since=hours(900))
    document(connection, "excluded", since=hours(900))
    document(connection, "gone", since=hours(900))
    done = batch(connection, "2010-11-0002", planned_at=hours(900), locked_until=hours(899), state="posted")
    document(connection, "posted", since=hours(900), batch=done)
    assert seen(connection) == {}


def test_locks_of_a_dead_run_are_one_alert_with_their_money_and_the_run(connection: Connection) -> None:
    older = batch(connection, "2010-11-0001", planned_at=hours(4), locked_until=hours(3), run_id="dead")
    newer = batch(connection, "2010-11-0002", planned_at=hours(4), locked_until=hours(2.5), run_id="dead2")
    fresh = batch(connection, "2010-11-0003", planned_at=hours(4), locked_until=hours(1.9), run_id="alive")
    document(connection, "locked", since=hours(3), batch=older, total="10.00")
    document(connection, "posting", since=hours(3), batch=older, total="-2.50")
    document(connection, "posting", since=hours(3), batch=newer, total="7.00", currency="EUR")
    document(connection, "locked", since=hours(3), batch=fresh, total="1000.00")
    alerts = seen(connection)
    assert set(alerts) == {"stale_lock"}
    alert = alerts["stale_lock"]
    assert alert.title == "2 batches locked by a run that is gone"
    assert (alert.documents, alert.money) == (3, (("EUR", Decimal("7.00")), ("GBP", Decimal("7.50"))))
    assert "2010-11-0001, 2010-11-0002" in alert.what_happened
    assert "2 were being sent" in alert.what_happened
    assert alert.link == "http://ui/runs/dead"


def test_locked_documents_without_any_lease_are_stale_too(connection: Connection) -> None:
    key = batch(connection, "2010-11-0001", planned_at=hours(3))
    document(connection, "locked", since=hours(3), batch=key)
    assert seen(connection)["stale_lock"].link == "http://ui/runs"


def test_a_batch_whose_lease_ended_without_documents_locked_is_no_alert(connection: Connection) -> None:
    key = batch(connection, "2010-11-0001", planned_at=hours(3), locked_until=hours(3))
    document(connection, "rejected", since=hours(3), batch=key)
    assert seen(connection) == {}


def test_documents_that_need_people_and_documents_that_do_not_move_are_two_causes(connection: Connection) -> None:
    key = batch(connection, "2010-11-0001", planned_at=hours(30), locked_until=NOW)
    document(connection, "held", since=hours(50), total="5.00")
    document(connection, "held", since=hours(30), total=None, currency=None)
    document(connection, "rejected", since=hours(26), total="-1.00", batch=key)
    document(connection, "ready", since=hours(25), total="20.00")
    document(connection, "batched", since=hours(28), total="30.00", currency="EUR", batch=key)
    document(connection, "held", since=hours(23), total="999.00")
    document(connection, "ready", since=hours(23), total="999.00")
    alerts = seen(connection)
    assert set(alerts) == {"unposted:not_moving", "unposted:needs_people"}
    people = alerts["unposted:needs_people"]
    assert people.documents == 3
    assert people.what_happened == "By state: held 2, rejected 1. The oldest waits since 2010-11-29 10:00 UTC."
    assert people.money == (("GBP", Decimal("4.00")), ("no currency", Decimal(0)))
    assert "billing held" in people.what_to_do
    moving = alerts["unposted:not_moving"]
    assert moving.money == (("EUR", Decimal("30.00")), ("GBP", Decimal("20.00")))
    assert "batched 1, ready 1" in moving.what_happened


@pytest.mark.parametrize("state", ["batched", "locked", "posting", "rejected"])
def test_failed_runs_that_hand_a_document_back_do_not_make_it_young(connection: Connection, state: str) -> None:
    """NetSuite down for a day: each run locks the batch and hands it back, so the state's own time is always new."""
    key = batch(connection, "2010-11-0001", planned_at=hours(25), locked_until=NOW)
    document(connection, state, since=hours(0.1), batch=key)
    assert {cause.partition(":")[0] for cause in seen(connection)} == {"unposted"}


def test_an_unlocked_document_waits_since_its_first_attempt(connection: Connection) -> None:
    key = batch(connection, "2010-11-0001", planned_at=hours(30))
    unlocked = document(connection, "ready", since=hours(0.1))
    attempt(connection, unlocked, key, started_at=hours(29))
    assert "since 2010-11-30 07:00 UTC" in seen(connection)["unposted:not_moving"].what_happened


def test_a_source_that_was_not_staged_for_too_long_is_an_alert_of_its_own(connection: Connection) -> None:
    staged(connection, "billing", watermark=hours(40), finished_at=hours(39))
    staged(connection, "billing", watermark=hours(14), finished_at=hours(13))
    staged(connection, "branch", watermark=hours(2), finished_at=hours(1))
    alerts = seen(connection)
    assert set(alerts) == {"watermark_too_old:billing"}
    assert alerts["watermark_too_old:billing"].title == "Nothing staged from billing for 13 h"
    assert "last succeeded 2010-11-30 23:00 UTC" in alerts["watermark_too_old:billing"].what_happened


def test_a_source_whose_clock_is_wrong_is_measured_on_our_clock(connection: Connection) -> None:
    staged(connection, "billing", watermark=hours(400), finished_at=hours(1))
    assert seen(connection) == {}


def test_what_a_failed_batch_leaves_behind_is_counted_with_its_money(connection: Connection) -> None:
    first = batch(connection, "2010-11-0001", planned_at=hours(1))
    second = batch(connection, "2010-11-0002", planned_at=hours(1))
    document(connection, "posted", since=hours(1), batch=first, total="900.00")
    document(connection, "rejected", since=hours(1), batch=first, total="1.25")
    document(connection, "posting", since=hours(1), batch=second, total="-3.00")
    assert store.left_in_batches(connection, [first]) == (1, (("GBP", Decimal("1.25")),))
    assert store.left_in_batches(connection, [first, second]) == (2, (("GBP", Decimal("-1.75")),))


def test_a_look_does_not_read_what_was_ever_posted(connection: Connection) -> None:
    connection.execute(
        """
        insert into billing.staged_invoices
            (source, document_id, kind, number, status, document_date, period, currency, total, line_count, extra,
             lines, content_hash, external_id, state, findings, batch, netsuite_id, posted_at)
        select 'billing', 'P' || n, 'invoice', 'P' || n, 'closed', '2010-11-05', '2010-11', 'GBP', 1, 0, '{}', '[]',
            '\\x00', 'P' || n, 'posted', '[]', %s, n, now()
        from generate_series(1, 20000) as n
        """,
        (batch(connection, "2010-11-0009", planned_at=hours(1), state="posted"),),
    )
    document(connection, "held", since=hours(1))
    connection.execute("analyze billing.staged_invoices")
    queries = (staging._UNPOSTED, batches._STALE_LOCKS, store._LEFT)
    arguments: tuple[tuple[object], ...] = ((NOW,), (NOW,), (["2010-11-0009"],))
    for query, argument in zip(queries, arguments, strict=True):
        plan = connection.execute("explain " + query, argument).fetchall()
        lines = "\n".join(row["QUERY PLAN"] for row in plan)
        assert "Seq Scan on staged_invoices" not in lines, lines


def test_a_credit_memo_that_waits_for_its_invoice_is_a_cause_of_its_own_and_names_both(connection: Connection) -> None:
    waits = document(connection, "ready", since=hours(30), total="-4.00")
    document(connection, "ready", since=hours(20), total="-8.00")
    connection.execute(
        "update billing.staged_invoices set kind = 'credit_memo', number = 'C1', applications = '[[\"1\", null]]'"
        " where total < 0"
    )
    connection.execute("update billing.staged_invoices set number = 'C2' where id <> %s", [waits])
    held = document(connection, "held", since=hours(30))
    connection.execute("update billing.staged_invoices set number = '1' where id = %s", [held])
    alerts = seen(connection)
    assert set(alerts) == {"unposted:waits_for_invoice", "unposted:needs_people"}
    waiting = alerts["unposted:waits_for_invoice"]
    assert waiting.title == "1 credit memo waiting for an invoice for more than 24 hours"
    assert waiting.what_happened.startswith("C1 waits for 1: The invoice is held: ")
    assert (waiting.documents, waiting.money) == (1, (("GBP", Decimal("-4.00")),))


def test_a_proposed_credit_memo_about_which_nobody_decides_is_told(connection: Connection) -> None:
    key = batch(connection, "2010-11-0001", planned_at=hours(900), state="posted")
    for age in (25, 23):
        invoice = document(connection, "posted", since=hours(900), batch=key)
        connection.execute(
            "insert into billing.proposed_credit_memos (document, total, proposed_at) values (%s, -100, %s)",
            [invoice, hours(age)],
        )
    (alert,) = seen(connection).values()
    assert (alert.cause, alert.documents, alert.money) == ("voids_undecided", 1, (("GBP", Decimal(-100)),))
