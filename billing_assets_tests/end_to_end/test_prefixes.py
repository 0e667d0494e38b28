"""What we ever called ours: a prefix of external ids that was used stays, until a person decides otherwise, and what
was sent under it is looked for and counted as ours for ever."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from billing_assets.erp.documents.external_id import external_id
from billing_assets.foundation.database import bindings
from billing_assets.foundation.database.bindings import Subject
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.balances.assets import read_balances
from billing_assets_tests.builders import credit_memo, document, insert_document
from billing_assets_tests.command import complete
from billing_assets_tests.end_to_end.fixtures import sandbox, sandbox_account, system
from billing_assets_tests.end_to_end.system import System, metadata, pointed, rows, unknown_transaction, why
from billing_assets_tests.end_to_end.test_bindings import (
    BY,
    Machine,
    billing,
    clerk,
    lost_answer,
    posted,
)
from billing_assets_tests.netsuite.mappings import edited
from billing_assets_tests.netsuite.rig import stage_rows

__all__ = ["billing", "sandbox", "sandbox_account", "system"]

PERIOD = "2010-11"


def renamed(system: System, folder: Path, invoice: str = "RE-", memo: str = "CM-") -> System:
    """The same system with another mapping of external ids."""
    edited(folder, replace={"invoice: INV-": f"invoice: {invoice}", "credit_memo: CM-": f"credit_memo: {memo}"})
    return pointed(system, mapping=folder / "config" / "mapping.yaml")


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
    for job, partition in (("stage", None), ("post_batch", key), ("close_month", PERIOD)):
        said = why(other.run(job, partition))
        assert "External ids of kind invoice begin with INV- here, and the mapping says RE-" in said, job
    with pytest.raises(bindings.BoundElsewhereError, match="INV- here"):
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
    url = f"{system.account.base_url}/sandbox/payments"
    assert requests.post(url, json={"payments": [body]}, timeout=30).status_code == 200
    other = renamed(system, tmp_path)
    bindings.move(system.state, Subject.PREFIX, other.runtime.named(), clerk(system.state))
    reading = read_balances(other.runtime, "run-1")
    assert [(one.whose, one.kind, one.open_amount) for one in reading.totals] == [("ours", "payment", Decimal(-2))]


def test_before_anything_was_sent_a_prefix_may_change(system: System, tmp_path: Path) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    posted(renamed(system, tmp_path))
    (row,) = system.account.admin("records")["items"]
    assert row["externalId"] == "RE-500001"


# Databases that are older than this


@pytest.fixture
def older(database: str, tmp_path: Path) -> str:
    """A database of the version before, with documents posted and tried under prefixes that nothing records."""
    folder = tmp_path / "state"
    folder.mkdir()
    for file in shipped("sql/state").glob("*.sql"):
        if file.name < "0018":
            shutil.copy(file, folder)
    migrate(database, folder)
    with connect(database) as connection:
        connection.execute(
            "insert into billing.locked_batches (partition_key, period, sequence, documents, total) "
            "values ('b', '2010-11', 1, 1, 1)"
        )
    return database


def sent(url: str, *, kind: str, prefix: str, number: str, state: str = "batched") -> None:
    """A document of that version that was sent."""
    made = document(number) if kind == "invoice" else credit_memo(number, "-1")
    with connect(url) as connection:
        stage_rows(connection, [made], "open")
        connection.execute("alter table billing.staged_invoices disable trigger user")
        connection.execute(
            """
            with d as (
                update billing.staged_invoices
                set external_id = %s, state = %s, batch = 'b', posted_at = now(), netsuite_id = id::text
                where number = %s returning id, external_id)
            insert into billing.posting_attempts (document, batch, run_id, epoch, attempt, external_id, payload_hash)
            select id, 'b', 'r', 1, 1, external_id, '' from d""",
            [external_id(prefix, number), state, number],
        )


def test_an_upgrade_finds_the_prefixes_that_were_used_and_refuses_others(older: str) -> None:
    sent(older, kind="invoice", prefix="INV-", number="500001", state="posted")
    sent(older, kind="invoice", prefix="R_", number="ä/1 b", state="posted")
    sent(older, kind="invoice", prefix="BILL-", number="5" * 300)
    sent(older, kind="credit_memo", prefix="CM-", number="c1")
    assert migrate(older, shipped("sql/state"))[0] == "0018_bindings.sql"
    with connect(older) as connection:
        assert bindings.prefixes(connection) == [
            ("invoice", "INV-"),
            ("invoice", "R_"),
            ("invoice", "BILL-"),
            ("credit_memo", "CM-"),
        ]
        ours = bindings.Named("1234567", "h", "prod", {"invoice": "BILL-", "credit_memo": "CM-"})
        bindings.compare(connection, ours)
        bindings.bind(connection, ours, "run-1")
        changed = bindings.Named("1234567", "h", "prod", {"invoice": "NEW-", "credit_memo": "CM-"})
        with pytest.raises(bindings.BoundElsewhereError, match=r"begin with BILL- here, and the mapping says NEW-"):
            bindings.compare(connection, changed)
        assert bindings.move(connection, Subject.PREFIX, changed, clerk(connection)).now == "NEW- and CM-"


def test_an_older_database_outside_of_prod_goes_on_in_the_production_account_that_it_has(older: str) -> None:
    sent(older, kind="invoice", prefix="INV-", number="500001", state="posted")
    migrate(older, shipped("sql/state"))
    with connect(older) as connection:
        bindings.bind(connection, bindings.Named("1234567", "h", "dev", {"invoice": "INV-"}), "run-1")
        assert bindings.bound_in_words(connection).startswith("1234567 at h, environment dev")


def test_what_was_bound_stays_on_the_record(state_url: str) -> None:
    with connect(state_url) as connection:
        bindings.bind(connection, bindings.Named("1234567_SB1", "h", "dev"), "run-1")
        for forbidden in ("update billing.bindings set value = 'x'", "delete from billing.bindings"):
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(forbidden)
