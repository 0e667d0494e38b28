"""What people are told, without any server."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing_assets.erp.batches import causes as batches
from billing_assets.erp.netsuite.errors import NetSuiteUnavailable
from billing_assets.foundation.alerts import Alert
from billing_assets.foundation.errors import of_code
from billing_assets.foundation.source_database.errors import SourceError
from billing_assets.operations.alerts import causes

NOW = datetime(2010, 12, 1, 12, 0, tzinfo=UTC)
UI = "http://dagster.example.com/"


def failure(error: str = "ItemUnknown", **changes: object) -> Alert:
    facts: dict[str, object] = {
        "job": "netsuite_invoices",
        "error": error,
        "message": "item 9999 is not known",
        "run_id": "4a1e",
        "ui_url": UI,
    }
    return causes.run_failure(**(facts | changes))  # type: ignore[arg-type]


def test_netsuite_being_down_is_one_cause_for_all_batches_and_jobs() -> None:
    alerts = {
        failure("NetSuiteUnavailable", known=NetSuiteUnavailable, job=job, partition=partition, run_id=partition).cause
        for job in ("netsuite_invoices", "month_close")
        for partition in ("2010-11-0001", "2010-11-0002")
    }
    assert alerts == {"run_failed:NetSuite:NetSuiteUnavailable"}


def test_a_jobs_own_error_is_one_cause_for_all_its_batches_and_another_than_the_next_error() -> None:
    first = failure("RejectedDocuments", partition="2010-11-0001")
    second = failure("RejectedDocuments", partition="2010-11-0002")
    other = failure("MappingError", partition="2010-11-0002")
    elsewhere = failure("MappingError", job="month_close")
    assert first.cause == second.cause
    assert len({first.cause, other.cause, elsewhere.cause}) == 3


def test_a_message_says_what_happened_how_much_money_what_to_do_and_where() -> None:
    alert = failure(
        "RejectedDocuments",
        partition="2010-11-0042",
        documents=1012,
        money=(("EUR", Decimal("-3.5")), ("GBP", Decimal("1234567.89"))),
    )
    text = causes.message(alert, markdown=False)
    assert alert.title == "netsuite_invoices for 2010-11-0042 failed: RejectedDocuments"
    assert "What happened: The run of netsuite_invoices for 2010-11-0042 ended with RejectedDocuments" in text
    assert "Documents: 1,012, -3.50 EUR, 1,234,567.89 GBP" in text
    assert "What to do: Open the run" in text
    assert "Link: http://dagster.example.com/runs/4a1e" in text
    assert "Seen" not in text


def test_a_message_tells_how_often_the_cause_came_up_since_the_last_one() -> None:
    text = causes.message(failure(), markdown=False, repeats=1200, told_before=NOW)
    assert "Seen: 1,200 more times, since the last message, 2010-12-01 12:00 UTC" in text
    assert "no message got through" in causes.message(failure(), markdown=False, repeats=1)


def test_markdown_is_the_same_text_with_its_labels_in_bold() -> None:
    plain, bold = (causes.message(failure(), markdown=markdown) for markdown in (False, True))
    assert "**What happened:** The run of" in bold
    assert bold.replace("**", "").replace("`run_failed", "run_failed").replace("Unknown`", "Unknown") == plain.replace(
        "`billing", "`billing"
    )


@pytest.mark.parametrize(
    "text",
    [
        "could not connect to postgresql://billing:hunter2@db.example.com/billing",
        "mssql+pyodbc://billing:hun/ter2@db.example.com/billing",
        "mssql+pyodbc://billing:hunt@er2@db.example.com/billing",
        "connection failed: host=db password=hunter2 dbname=x",
        "connection failed: host=db password='hunter2 hunter2' dbname=x",
        "Driver={ODBC Driver 18};Server=db;UID=sa;PWD=hunter2;Encrypt=yes",
        '{"client_secret": "hunter2"}',
        "Authorization: Bearer hunter2",
        "duplicate key value violates unique constraint\nDETAIL: Key (customer)=(hunter2) already exists.",
        "\n\nfirst line\nhunter2",
    ],
)
def test_neither_a_secret_nor_a_rows_values_get_into_a_message(text: str) -> None:
    told = causes.message(failure(message=text), markdown=False)
    for secret in ("hunter2", "ter2", "er2"):
        assert secret not in told


def test_an_error_is_told_whole_and_an_endless_one_ends_with_a_word() -> None:
    reason = "the item of line 7 is inactive; " * 40
    assert failure(message=reason).what_happened.endswith(reason.strip())
    cut = failure(message="inactive " * 1000).what_happened
    assert cut.endswith("inactive …")
    assert len(cut) < 2_100
    assert len(failure(message="x" * 5000).what_happened) < 2_100
    assert len(failure("E" * 5000).title) <= 200


def test_all_partitions_in_which_one_check_fails_share_a_cause() -> None:
    alerts = [
        causes.failed_check(
            asset="netsuite_invoices",
            check="equal_to_the_cent",
            message="2 differ",
            run_id="r1",
            ui_url=UI,
            partition=partition,
            documents=2,
        )
        for partition in ("2010-11-0001", "2010-11-0002")
    ]
    assert alerts[0].cause == alerts[1].cause == "check_failed:netsuite_invoices:equal_to_the_cent"
    assert alerts[0].link == "http://dagster.example.com/runs/r1"


def test_partitions_left_failed_are_counted_with_a_few_named() -> None:
    keys = [f"2010-11-{n:04}" for n in range(1, 13)]
    alert = batches.partition_left_failed(asset="netsuite_invoices", partitions=keys, ui_url=UI)
    assert alert is not None
    assert alert.title == "12 partitions of netsuite_invoices left failed"
    assert "2010-11-0001, " in alert.what_happened
    assert "and 7 more" in alert.what_happened
    assert batches.partition_left_failed(asset="netsuite_invoices", partitions=[], ui_url=UI) is None


def test_a_daemon_that_is_heard_is_no_alert_and_a_silent_one_is() -> None:
    assert causes.daemon_silent(NOW - timedelta(seconds=60), NOW, 60) is None
    late = causes.daemon_silent(NOW - timedelta(seconds=61), NOW, 60, ui_url=UI)
    assert late is not None
    assert "last gave, 2010-12-01 11:58 UTC" in late.what_happened
    assert late.link == "http://dagster.example.com/deployment/daemons"
    never = causes.daemon_silent(None, NOW, 60)
    assert never is not None
    assert "never gave" in never.what_happened
    assert "Link" not in causes.message(never, markdown=False)


@pytest.mark.parametrize(
    ("error", "system"),
    [
        ("CannotConnect", "the billing database"),
        ("QueryFailed", "the billing database"),
        ("ColumnsWrong", "the billing database"),
        ("SourceBusy", SourceError.system),
        ("NetSuiteError", "NetSuite"),
        ("OperationalError", None),
        ("SourceOfAnotherKindError", None),
    ],
)
def test_an_error_says_itself_which_system_it_comes_from(error: str, system: str | None) -> None:
    known = of_code(error)
    assert (known and known.system) == system
