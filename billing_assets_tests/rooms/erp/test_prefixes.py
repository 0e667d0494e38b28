"""What we ever called ours: a prefix of external ids that was used stays, until a person decides otherwise, and what
was sent under it is looked for and counted as ours for ever."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from billing_assets.erp import bindings
from billing_assets.erp.bindings import Subject
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.runtime import BoundElsewhereError
from billing_assets.receivables.balances.open_balances import read_balances
from billing_assets_tests.rooms.erp.test_bindings import (
    BY,
    Machine,
    billing,
    clerk,
    lost_answer,
    posted,
)
from proving.world.builders import insert_document
from proving.world.command import complete
from proving.world.mappings import edited
from proving.world.system import System, metadata, rows, unknown_transaction, why

__all__ = ["billing"]

PERIOD = "2010-11"


def renamed(system: System, folder: Path, invoice: str = "RE-", memo: str = "CM-") -> System:
    """The same system with another mapping of external ids."""
    edited(folder, replace={"invoice: INV-": f"invoice: {invoice}", "credit_memo: CM-": f"credit_memo: {memo}"})
    return system.changed(mapping=folder / "config" / "mapping.yaml")


def closed(system: System) -> tuple[bool, list[tuple[str, str]]]:
    """Whether a month reconciles, and cause and number of what differs."""
    shown: dict[str, Any] = metadata(system.run("close_month", PERIOD), "month_close")
    return bool(shown["reconciled"]), [(row["cause"], row["number"]) for row in rows(shown["differences"].records)]


def test_a_prefix_that_was_used_cannot_change_while_documents_are_out(
    billing: Machine, system: System, tmp_path: Path
) -> None:
    """The scenario `new_prefix`: what was out was sent again under the new name, and the close said that all agrees."""
    key = lost_answer(system, "500001")
    insert_document(system.source, "500002")
    other = renamed(system, tmp_path)
    for job, partition in (("stage_invoices", None), ("post_batch", key), ("close_month", PERIOD)):
        said = why(other.run(job, partition))
        assert "External ids of kind invoice begin with INV- here, and the mapping says RE-" in said, job
    with pytest.raises(BoundElsewhereError, match="INV- here"):
        other.look("plan_batches")
    mapping = str(other.runtime.settings.mapping)
    complete(billing("doctor", BILLING_MAPPING=mapping), 1, ["FAIL What it belongs to: External ids of kind invoice"])
    complete(billing("unlock", BILLING_MAPPING=mapping), 2, ["INV- here", "RE-", "billing move prefix"])
    complete(billing("status", BILLING_MAPPING=mapping), 0, ["INV- here"])
    complete(billing("move", "prefix", *BY, BILLING_MAPPING=mapping), 2, ["1 posting documents", "may still be out"])
    assert system.states() == {"500001": "posting"}
    assert system.post(key).success, "under the old prefix it is looked up and found"
    posted(system)
    assert system.account.admin("summary")["posts"]["created"] == 2
    assert closed(system) == (True, [])


def test_after_a_decision_new_documents_have_the_new_prefix_and_the_old_one_is_still_ours(
    billing: Machine, system: System, tmp_path: Path
) -> None:
    posted(system, "500001")
    insert_document(system.source, "500002")
    assert system.stage().success
    other = renamed(system, tmp_path)
    mapping = str(other.runtime.settings.mapping)
    said = billing("move", "prefix", *BY, BILLING_MAPPING=mapping)
    complete(said, 0, ["from INV- and CM- to RE- and CM-", "anna", "keeps its external id and is still looked for"])
    complete(billing("move", "prefix", *BY, BILLING_MAPPING=mapping), 0, ["It is there already"])
    posted(other, "500003")
    held = {row["externalId"] for row in system.account.admin("records", limit=100)["items"]}
    assert held == {"INV-500001", "RE-500002", "RE-500003"}
    assert closed(other) == (True, []), "both prefixes are looked for"
    assert "INV-500001 is still" not in why(other.stage()), "what is posted keeps its name"
    unknown_transaction(system.account, "INV-999999")
    assert closed(other) == (False, [("NOT_IN_BILLING", "INV-999999")]), "the old prefix is ours for ever"
    assert "RE- here, and the mapping says INV-" in why(system.stage()), "and the way back is a decision, too"


def test_a_transaction_under_a_name_of_ours_that_no_prefix_tells_is_ours_all_the_same(system: System) -> None:
    posted(system, "500001")
    system.state.execute(
        """
        insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash)
        select id, batch, 'long ago', 0, 0, 'OLD-500001', '' from billing.staged_invoices"""
    )
    unknown_transaction(system.account, "OLD-500001")
    unknown_transaction(system.account, "NOT-OURS")
    assert closed(system) == (False, [("NOT_IN_BILLING", "OLD-500001")])


@pytest.mark.parametrize(("invoice", "memo"), [("INV-2-", "CM-"), ("IN", "CM-"), ("CM-", "INV-"), ("RE-", "INV-")])
def test_a_new_prefix_that_could_name_two_documents_alike_is_refused(
    billing: Machine, system: System, tmp_path: Path, invoice: str, memo: str
) -> None:
    posted(system, "500001")
    other = renamed(system, tmp_path, invoice, memo)
    said = billing("move", "prefix", *BY, BILLING_MAPPING=str(other.runtime.settings.mapping))
    complete(said, 2, ["begin with one another", "Choose another one."])


def test_whose_a_payment_is_is_told_by_invoices_under_an_earlier_prefix_too(system: System, tmp_path: Path) -> None:
    posted(system, "500001")
    body = {
        "externalId": "PAY-1",
        "customer": {"id": "1001"},
        "subsidiary": {"id": "1"},
        "currency": {"externalId": "GBP"},
        "tranDate": "2010-12-20",
        "payment": "12.00",
        "apply": {"items": [{"doc": {"externalId": "INV-500001"}, "apply": True}]},
    }
    system.account.control.post("payments", {"payments": [body]})
    other = renamed(system, tmp_path)
    bindings.move(system.state, Subject.PREFIX, other.runtime.of(NetSuite).named(), clerk(system.state))
    reading = read_balances(other.runtime, "run-1")
    assert [(one.whose, one.kind, one.open_amount) for one in reading.totals] == [("ours", "payment", Decimal(-2))]


def test_before_anything_was_sent_a_prefix_may_change(system: System, tmp_path: Path) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    posted(renamed(system, tmp_path))
    (row,) = system.account.admin("records")["items"]
    assert row["externalId"] == "RE-500001"


def test_what_was_bound_stays_on_the_record(state_url: str) -> None:
    with connect(state_url) as connection:
        bindings.bind(connection, bindings.Named("1234567_SB1", "h", "dev"), "run-1")
        for forbidden in ("update billing.bindings set value = 'x'", "delete from billing.bindings"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(forbidden)
