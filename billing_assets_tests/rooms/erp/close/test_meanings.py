"""What was posted under an id that is another record in NetSuite: the close does not say that it agrees."""

from pathlib import Path
from typing import Any

from billing_assets.erp.netsuite.mapping import load_mapping
from billing_assets.erp.netsuite.proof_store import note_proven
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.foundation.shipped import shipped
from proving.world.builders import insert_document
from proving.world.system import PERIOD, System, metadata, rows


def under(system: System, folder: Path, replace: dict[str, str], tables: dict[str, str] | None = None) -> None:
    """The system works with a changed copy of the sample's mapping from now on."""
    folder.mkdir()
    text = shipped("config/mapping.yaml").read_text(encoding="utf-8")
    for old, new in replace.items():
        assert old in text
        text = text.replace(old, new)
    for name, content in (tables or {}).items():
        (folder / name).write_text(content, encoding="utf-8")
        text = text.replace(f"sample/{name}", name)
    path = folder / "mapping.yaml"
    path.write_text(text.replace("sample/", f"{shipped('config/sample')}/"), encoding="utf-8")
    system.settings = system.runtime.settings.model_copy(update={"mapping": path})


def posted_before_it_was_compared(system: System) -> None:
    """Stages and posts as a version did that believed the mapping."""
    netsuite = system.runtime.of(NetSuite).client
    note_proven(system.state, netsuite.base_url, load_mapping(system.runtime.settings.mapping).digest, {})
    assert system.stage().success
    for key in system.planned():
        assert system.post(key).success
    system.state.execute("delete from billing.proven_mappings")


def closed(system: System) -> tuple[bool, bool, list[tuple[str, str, str]]]:
    result = system.run("close_month", PERIOD)
    assert result.success
    shown: dict[str, Any] = metadata(result, "month_close")
    found = rows(shown["differences"].records) if hasattr(shown["differences"], "records") else []
    return (
        bool(shown["reconciled"]),
        bool(shown["complete"]),
        [(row["cause"], row["number"], row["what"]) for row in found],
    )


def test_wrong_currency_id_the_close_says_what_the_pounds_should_have_been(system: System, tmp_path: Path) -> None:
    """142 invoices of 168,716.61 EUR were GBP in NetSuite, and the close agreed to the cent."""
    wrong = {'GBP: {id: "1", minor_digits: 2}': 'EUR: {id: "1", minor_digits: 2}'}
    under(system, tmp_path / "wrong", wrong)
    insert_document(system.source, "500001", currency="EUR")
    insert_document(system.source, "500002", currency="EUR")
    posted_before_it_was_compared(system)
    said = "NetSuite has GBP instead of EUR. The mapping gives EUR its id, 1."
    assert closed(system) == (
        False,
        False,
        [("CURRENCY_DIFFERS", "500001", said), ("CURRENCY_DIFFERS", "500002", said)],
    )
    right = {'GBP: {id: "1", minor_digits: 2}': 'EUR: {id: "4", minor_digits: 2}'}
    under(system, tmp_path / "right", right)
    reconciled, _, found = closed(system)
    assert not reconciled, "a mapping that is right now does not make pounds euros"
    assert [one[2] for one in found] == ["NetSuite has GBP instead of EUR."] * 2


def test_a_customer_exchanged_with_another_is_a_difference_of_the_documents_that_use_it(
    system: System, tmp_path: Path
) -> None:
    table = "customer,netsuite_id\n12346,1001\n12347,1003\n12348,1002\n"
    under(system, tmp_path / "wrong", {}, {"customers.csv": table})
    insert_document(system.source, "500001")
    posted_before_it_was_compared(system)
    assert closed(system)[0] is True, "no customer was billed under the wrong ones in this month"
    insert_document(system.source, "500002", customer_no="12347")
    posted_before_it_was_compared(system)
    reconciled, _, found = closed(system)
    assert not reconciled
    assert found == [
        ("MEANS_ANOTHER", "500002", "In the mapping, entity '12347' has id 1003, which is '12348' in NetSuite.")
    ]


def test_an_item_and_a_subsidiary_that_are_others_are_differences_too(system: System, tmp_path: Path) -> None:
    named = {"take: subsidiary, reference: id": "take: subsidiary, reference: id, named: company"}
    tables = {
        "items.csv": "stock_code,netsuite_id\n10002,101\n10080,104\n10120,105\n",
        "branches.csv": "branch,subsidiary,location,department,class,company\n"
        "United Kingdom,1,1,1,1,United Kingdom\nEIRE,3,2,2,2,Ireland\n",
    }
    under(system, tmp_path / "wrong", named, tables)
    insert_document(system.source, "500001")
    insert_document(system.source, "500002", lines=[("10002", "1", "2", "2"), ("10080", "1", "1", "1")])
    insert_document(system.source, "500003", country="EIRE")
    posted_before_it_was_compared(system)
    reconciled, _, found = closed(system)
    assert not reconciled
    causes = {(cause, number) for cause, number, _ in found}
    assert causes == {("MEANS_ANOTHER", "500002"), ("MEANS_ANOTHER", "500003")}
    said = " ".join(what for _, _, what in found)
    assert "item '10080' has id 104, which is '" in said
    assert "subsidiary 'Ireland' of 'EIRE' has id 3, which is 'Continental Europe' in NetSuite" in said


def test_where_netsuite_does_not_show_its_currencies_the_ids_are_compared_as_before(system: System) -> None:
    insert_document(system.source, "500001")
    posted_before_it_was_compared(system)
    system.account.switch(suiteql_hidden=["currency", "customer", "item"])
    assert closed(system) == (True, True, [])
    system.account.switch(suiteql_hidden=[])
