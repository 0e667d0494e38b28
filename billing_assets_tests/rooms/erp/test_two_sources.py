"""Two billing systems side by side: each is staged from its own watermark and bound to its own database, and a month's
close has the documents of both."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from billing_assets.erp.billing_system.doctor import examine
from billing_assets.erp.close.comparing import compared
from billing_assets.erp.settings import FurtherSource, SourceSettings, source_names
from billing_assets.foundation.settings import load_settings, make_settings
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.builders import BillingSystem, create_billing_system, insert_document, open_for_writing
from proving.world.command import call
from proving.world.system import PERIOD, System, metadata, why

SECOND = "second"


@pytest.fixture
def pair(
    state_url: str,
    database: str,
    another_database: str,
    sandbox: RunningSandbox,
    sandbox_account: Account,
    tmp_path: Path,
) -> Iterator[tuple[System, BillingSystem]]:
    """A system with two billing systems, and a connection to play a clerk of the second."""
    create_billing_system(another_database)
    further = FurtherSource(name=SECOND, url=SecretStr(another_database))
    source = SourceSettings(url=SecretStr(database), further=(further,))
    with (
        System.open(state_url, database, sandbox, sandbox_account, home=tmp_path, source=source) as system,
        open_for_writing(another_database) as second,
    ):
        yield system, second


def by_source(system: System) -> dict[tuple[str, str], str]:
    """States of documents by source and number."""
    rows = system.state.execute("select source, number, state from billing.staged_invoices").fetchall()
    return {(row["source"], row["number"]): row["state"] for row in rows}


def test_documents_of_both_are_staged_posted_and_closed_together(pair: tuple[System, BillingSystem]) -> None:
    system, second = pair
    insert_document(system.source, "500001")
    insert_document(second, "600001")
    result = system.stage()
    assert result.success, why(result)
    assert by_source(system) == {("billing", "500001"): "ready", (SECOND, "600001"): "ready"}
    assert metadata(result, "staged_invoices")["documents_new"] == 2
    for key in system.planned():
        assert system.post(key).success
    assert set(by_source(system).values()) == {"posted"}
    close = compared(system.runtime, system.state, PERIOD)
    assert close.complete
    (row,) = close.rows
    assert (row.billing.documents, row.netsuite.documents, row.moved.documents) == (2, 2, 0)
    assert row.billing.total == row.netsuite.total == 20
    second.execute("delete from invoices where number = '600001'")
    assert compared(system.runtime, system.state, PERIOD).count("DELETED_AFTER_POSTING") == 1


def test_each_has_a_watermark_of_its_own_and_one_that_cannot_be_read_keeps_the_other_from_nothing(
    pair: tuple[System, BillingSystem],
) -> None:
    system, second = pair
    assert system.stage().success
    before = watermarks(system)
    insert_document(second, "600001")
    system.source.execute("alter table invoices rename to gone")
    result = system.stage()
    assert not result.success
    assert by_source(system) == {(SECOND, "600001"): "ready"}
    after = watermarks(system)
    assert after["billing"] == before["billing"]
    assert after[SECOND] > before[SECOND]


def watermarks(system: System) -> dict[str, str]:
    """By source."""
    rows = system.state.execute("select source, max(watermark)::text as mark from billing.staging_runs group by 1")
    return {row["source"]: row["mark"] for row in rows}


def test_what_changes_in_either_is_seen_by_the_sensor(pair: tuple[System, BillingSystem]) -> None:
    system, second = pair
    system.look("stage_when_closed")
    assert system.stage().success
    system.look("stage_when_closed")
    assert system.stage().success
    assert "Nothing appeared" in str(system.look("stage_when_closed"))
    insert_document(second, "600001")
    assert "Nothing appeared" not in str(system.look("stage_when_closed"))


def test_a_document_of_the_second_that_was_opened_again_before_it_is_sent_goes_back(
    pair: tuple[System, BillingSystem],
) -> None:
    system, second = pair
    insert_document(system.source, "500001")
    insert_document(second, "600001")
    assert system.stage().success
    (key,) = system.planned()
    second.execute("update invoices set status = 'open' where number = '600001'")
    system.post(key)
    assert by_source(system) == {("billing", "500001"): "posted", (SECOND, "600001"): "held"}


def test_one_number_in_both_is_held_in_both_for_they_would_be_one_transaction(
    pair: tuple[System, BillingSystem],
) -> None:
    system, second = pair
    insert_document(system.source, "500001")
    insert_document(second, "500001")
    for _ in range(2):
        assert system.stage().success
    assert by_source(system) == {("billing", "500001"): "held", (SECOND, "500001"): "held"}


def test_a_source_may_be_added_beside_one_that_is_known_but_none_be_renamed_or_exchanged(
    pair: tuple[System, BillingSystem], database: str, another_database: str
) -> None:
    system, _ = pair
    alone = system.changed(source=SourceSettings(url=SecretStr(database)))
    assert alone.stage().success
    assert system.stage().success, "one more beside it"
    exchanged = SourceSettings(
        url=SecretStr(another_database), further=(FurtherSource(name=SECOND, url=SecretStr(database)),)
    )
    assert "leads to" in why(system.changed(source=exchanged).stage())
    renamed = SourceSettings(
        url=SecretStr(database), further=(FurtherSource(name="third", url=SecretStr(another_database)),)
    )
    assert "under another one all documents would be new" in why(system.changed(source=renamed).stage())


def test_the_doctor_names_each(pair: tuple[System, BillingSystem]) -> None:
    system, _ = pair
    said = {one.what: one.well for one in examine(system.runtime)}
    assert said == dict.fromkeys(
        [
            "Billing system billing",
            "Billing system billing's rows",
            "Billing system second",
            "Billing system second's rows",
        ],
        True,
    )


def test_two_of_one_name_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    further = '[{"name": "Billing", "url": "postgresql://127.0.0.1:1/x"}]'
    variables = {"BILLING_SOURCE__URL": "postgresql://127.0.0.1:1/y", "BILLING_SOURCE__FURTHER": further}
    said = call(capsys, variables, "status")
    assert said.code != 0
    assert "Two sources are called billing" in said.words


def test_their_urls_are_secrets_also_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "further.json"
    file.write_text('[{"name": "second", "url": "postgresql://reader:Secret-42@127.0.0.1:1/x"}]', encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("BILLING_SOURCE__FURTHER_FILE", str(file))
    found = load_settings()
    assert source_names(found) == (SECOND,)
    assert "Secret-42" not in repr(found)


def test_only_further_ones_may_be_named() -> None:
    found = SourceSettings(further=(FurtherSource(name=SECOND, url=SecretStr("postgresql://127.0.0.1:1/x")),))
    assert source_names(make_settings(source=found)) == (SECOND,)
    assert source_names(make_settings()) == ("billing",)
