"""The job `age_receivables` as Dagster runs it: read, age, propose."""

from decimal import Decimal

from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.balances.settings import ReceivablesSettings
from proving.world.builders import insert_document
from proving.world.system import System, checks, exact, failure, metadata, rows

ITEM = "10002"


def posted(system: System) -> None:
    """Two invoices and a credit memo in NetSuite; 4.00 of the first is paid, and 6.00 on account."""
    insert_document(system.source, "500001", customer_no="12347", country="USA", due_date="2010-12-05")
    insert_document(system.source, "500002", lines=[(ITEM, "1", "20.05", "20.05")], due_date="2011-01-10")
    insert_document(system.source, "C500003", kind="credit_memo")
    assert system.stage().success
    (key,) = system.planned()
    assert system.post(key).success
    payments = [
        {
            "externalId": f"PAY-{number}",
            "customer": {"externalId": customer},
            "subsidiary": {"id": "1"},
            "currency": {"externalId": "GBP"},
            "tranDate": "2010-12-20",
            "payment": amount,
            "apply": {"items": applied},
        }
        for number, customer, amount, applied in (
            ("1", "12347", "4.00", [{"doc": {"externalId": "INV-500001"}, "apply": True}]),
            ("2", "12346", "6.00", []),
        )
    ]
    system.account.control.post("payments", {"payments": payments})


def with_rules(system: System) -> System:
    """The same with the shipped rules of late fees."""
    settings = system.runtime.settings.model_copy(
        update={"receivables": ReceivablesSettings(late_fees=shipped("config/late_fees.yaml"))}
    )
    object.__setattr__(system.runtime, "settings", settings)
    return system


def test_balances_are_read_aged_and_late_fees_proposed_and_shown_to_finance(system: System) -> None:
    posted(system)
    as_of = {"config": {"as_of": "2011-01-31"}}
    config = {"ops": {"aging": as_of, "late_fees": as_of}}
    result = with_rules(system).run("age_receivables", config=config)
    assert result.success
    assert checks(result) == {"open_balances_equal_their_source": True, "buckets_add_up_to_receivables": True}

    shown = metadata(result, "open_receivables")
    assert (shown["read_from"], shown["dagster/row_count"], shown["open_invoice_GBP_items"]) == ("netsuite", 4, 2)
    assert exact(shown["open_invoice_GBP_exact"]) == Decimal("26.05")
    assert exact(shown["open_GBP_exact"]) == Decimal("10.05")

    aged = metadata(result, "aging")
    assert (aged["days_1_30_GBP"], aged["days_31_60_GBP"], aged["credit_memos_GBP"]) == (20.05, 6.0, -10.0)
    assert (aged["payments_GBP"], aged["total_GBP_exact"], aged["overdue_GBP_exact"]) == (-6.0, "10.05", "26.05")
    assert [(row["branch"], row["total"]) for row in rows(aged["per_branch"].records)] == [
        ("USA", "6.00"),
        ("United Kingdom", "4.05"),
    ]
    (most, _) = rows(aged["most_overdue_customers"].records)
    assert (most["customer"], most["overdue"]) == ("12346", "20.05")

    fees = metadata(result, "late_fees")
    assert (fees["proposals_new"], fees["total_proposed_GBP_exact"]) == (1, "0.30")
    (fee,) = rows(fees["waiting_for_a_decision"].records)
    assert (fee["number"], fee["due_date"], fee["penalised_balance"]) == ("500001", "2010-12-06", "6.00")


def test_nothing_is_aged_or_proposed_when_the_balances_could_not_be_read(system: System) -> None:
    posted(system)
    system.account.switch(faults=[{"fault": "refuse_permission", "operations": ["suiteql"]}])
    result = system.run("age_receivables")
    assert not result.success
    assert "permission" in str(failure(result, "open_receivables").error).lower()
    assert result.asset_materializations_for_node("aging") == []


def test_a_month_in_which_nothing_was_billed_shows_zeros_and_no_fault(system: System) -> None:
    result = system.run("age_receivables")
    assert result.success
    assert metadata(result, "open_receivables")["dagster/row_count"] == 0
    assert metadata(result, "late_fees")["proposals_waiting"] == 0, "without rules there are none"
