"""A wrong id in the mapping: nothing leaves under it, and the sentence has both names."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from billing_assets.erp.netsuite import proof
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.id_meanings import Examined, currency_symbols, examine
from billing_assets.erp.netsuite.mapping import NetSuiteMapping, load_mapping
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.shipped import shipped
from proving.world import builders
from proving.world.rig import Rig, invoices

CURRENCY = 'GBP: {id: "1", minor_digits: 2}'
ENTITY = "entity: {lookup: customers, by: customer, take: netsuite_id, reference: id}"
SUBSIDIARY = "subsidiary: {lookup: branches, by: branch, take: subsidiary, reference: id}"
TERMS = 'terms: {constant: "1", reference: id, kinds: [invoice]}'


def examined(rig: Rig, mapping: NetSuiteMapping) -> Examined:
    client = NetSuiteClient(rig.settings.of(NetSuiteSettings))
    try:
        return examine(client, mapping)
    finally:
        client.close()


def changed(
    folder: Path, *, customers: dict[str, str] | None = None, branches: str = "", tax: str = "", **replaced: str
) -> NetSuiteMapping:
    """The sample's mapping with its lines for currency, entity, subsidiary or terms replaced, or another table."""
    lines = {"currency": CURRENCY, "entity": ENTITY, "subsidiary": SUBSIDIARY, "terms": TERMS}
    config = shutil.copytree(shipped("config/mapping.yaml").parent, folder / "config")
    file = config / "mapping.yaml"
    text = file.read_text(encoding="utf-8")
    for name, line in replaced.items():
        assert lines[name] in text
        text = text.replace(lines[name], line)
    file.write_text(text + tax, encoding="utf-8")
    if customers:
        rows = "".join(f"{number},{id_}\n" for number, id_ in customers.items())
        (config / "sample" / "customers.csv").write_text(f"customer,netsuite_id\n{rows}")
    if branches:
        (config / "sample" / "branches.csv").write_text(branches)
    return load_mapping(file)


def sentences(found: Examined) -> list[str]:
    return [one.sentence for one in found.mismatches]


def refused(rig: Rig, mapping: NetSuiteMapping, **document: Any) -> str:
    """Why a run sends nothing with a mapping; NetSuite has nothing then, and the documents wait."""
    key = rig.planned(invoices(3, **document))
    result = rig.post(key, mapping=mapping)
    assert result.stopped is not None
    assert result.sent == 0
    assert rig.account.admin("summary")["posts"]["received"] == 0
    assert rig.counts() == {"batched": 3}
    attempts = rig.state.execute("select count(*) as n from billing.posting_attempts").fetchone()
    assert attempts == {"n": 0}, "no intent was recorded either"
    return result.stopped


def test_wrong_currency_id_nothing_is_sent_and_both_names_are_said(rig: Rig, tmp_path: Path) -> None:
    """The mapping took EUR for id 1, which was GBP: 142 invoices were pounds in NetSuite, and all agreed."""
    wrong = changed(tmp_path, currency='EUR: {id: "1", minor_digits: 2}')
    said = refused(rig, wrong, currency="EUR")
    assert "currency 'EUR' has id 1, which is 'GBP' in NetSuite" in said
    assert "Nothing was sent" in said
    assert "billing doctor" in said


def test_once_the_id_is_right_the_same_documents_go(rig: Rig, tmp_path: Path) -> None:
    refused(rig, changed(tmp_path, currency='GBP: {id: "4", minor_digits: 2}'))
    rig.post_until_done()
    rig.assert_whole(3)


@pytest.mark.parametrize(
    ("customers", "said"),
    [
        ({builders.CUSTOMER: "1002", builders.OTHER_CUSTOMER: "1001"}, "entity '12346' has id 1002, which is '12347'"),
        ({builders.CUSTOMER: "1002"}, None),  # it may be that customers have no numbers of ours there
    ],
)
def test_customers_that_were_exchanged_are_noticed(
    rig: Rig, tmp_path: Path, customers: dict[str, str], said: str | None
) -> None:
    found = examined(rig, changed(tmp_path, customers=customers))
    if said is None:
        assert found.mismatches == ()
        assert "named: false" in found.unchecked["entity"]
    else:
        assert said in sentences(found)[0]


def test_one_wrong_customer_among_right_ones_stops_posting(rig: Rig, tmp_path: Path) -> None:
    wrong = changed(tmp_path, customers={builders.CUSTOMER: "1002", "12348": "1003"})
    assert "entity '12346' has id 1002, which is '12347' in NetSuite" in refused(rig, wrong)


def test_customer_numbers_that_netsuite_does_not_keep_are_not_compared_where_the_mapping_says_so(
    rig: Rig, tmp_path: Path
) -> None:
    customers = {builders.CUSTOMER: "1002", "12348": "1003"}
    found = examined(rig, changed(tmp_path, customers=customers, entity=ENTITY.replace("}", ", named: false}")))
    assert found.mismatches == ()
    assert "entity" in found.unnamed


def test_a_record_is_known_by_its_number_its_name_or_its_external_id(rig: Rig, tmp_path: Path) -> None:
    for name in ("12346", "CUSTOMER  12346"):
        found = examined(rig, changed(tmp_path / name, customers={name: "1001", "12347": "1002"}))
        assert (found.mismatches, found.unchecked) == ((), {})


def test_a_subsidiary_is_compared_with_the_name_and_country_that_the_table_gives(rig: Rig, tmp_path: Path) -> None:
    named = SUBSIDIARY.replace("reference: id", "reference: id, named: company, country: land")
    named_terms = TERMS.replace("}", ", named: net 30}")
    head = "branch,subsidiary,location,department,class,company,land\n"
    rows = "EIRE,2,2,2,2,ireland,IE\nFrance,3,3,2,2,Ireland,NL\nSpain,3,3,2,2,Continental Europe,ES\n"
    found = examined(rig, changed(tmp_path, branches=head + rows, subsidiary=named, terms=named_terms))
    assert sentences(found) == [
        "subsidiary 'Ireland' of 'France' has id 3, which is 'Continental Europe' in NetSuite",
        "subsidiary 'ES' of 'Spain' has id 3, which is 'Continental Europe, NL' in NetSuite",
    ]
    assert set(found.unnamed) == {"class", "department", "location"}


def test_tax_types_and_codes_are_read_too(rig: Rig, tmp_path: Path) -> None:
    rig.account.seed({"taxType": [{"id": "5", "name": "VAT"}], "taxCode": [{"id": "6", "name": "S-GB"}]})
    tax = "\ntax:\n  type: {constant: '5', reference: id, named: GST}\n  code: {constant: '7', reference: id}\n"
    found = examined(rig, changed(tmp_path, tax=tax))
    assert sentences(found) == ["taxType 'GST' has id 5, which is 'VAT' in NetSuite"]
    assert found.missing == {"taxCode": ("7",)}


def test_the_shipped_mapping_means_what_it_says(rig: Rig) -> None:
    found = examined(rig, builders.shipped_mapping())
    assert (found.mismatches, found.missing, found.unchecked) == ((), {}, {})
    assert found.compared == 1 + 5_942 + 5_131


def test_what_netsuite_does_not_show_is_neither_proven_nor_wrong_and_posting_goes_on(rig: Rig) -> None:
    rig.state.execute("delete from billing.proven_mappings")
    rig.account.switch(suiteql_hidden=["customer", "item", "subsidiary"])
    found = examined(rig, builders.shipped_mapping())
    assert found.mismatches == ()
    assert set(found.unchecked) == {"entity", "item", "subsidiary"}
    assert "Give the role Lists > Customers" in found.unchecked["entity"]
    key = rig.planned(invoices(2))
    rig.post(key)
    rig.assert_whole(2)


def test_what_was_proven_is_asked_once_a_day_and_never_again_after_another_mapping(rig: Rig, tmp_path: Path) -> None:
    client = NetSuiteClient(rig.settings.of(NetSuiteSettings))
    rig.state.execute("delete from billing.proven_mappings")
    mapping = builders.shipped_mapping()
    assert not proof.proven(rig.state, client, mapping)
    assert proof.mismatches(rig.state, client, mapping) == ()
    assert proof.proven(rig.state, client, mapping)
    rig.account.switch(faults=[{"fault": "error_500_without_commit", "operations": ["suiteql"]}])
    assert proof.mismatches(rig.state, client, mapping) == (), "it did not ask again"
    rig.account.switch(faults=[])
    wrong = changed(tmp_path, currency='EUR: {id: "1", minor_digits: 2}')
    assert len(proof.mismatches(rig.state, client, wrong)) == 1
    assert not proof.proven(rig.state, client, wrong)
    assert not proof.proven(rig.state, client, mapping), "what stood before is asked again"
    proof.prove(rig.state, client, mapping)
    rig.state.execute("update billing.proven_mappings set proven_at = now() - interval '25 hours'")
    assert not proof.proven(rig.state, client, mapping)
    client.close()


def test_netsuites_currencies_are_known_by_their_codes(rig: Rig) -> None:
    client = NetSuiteClient(rig.settings.of(NetSuiteSettings))
    assert currency_symbols(client)["4"] == "EUR"
    rig.account.switch(suiteql_hidden=["currency"])
    assert currency_symbols(client) == {}
    client.close()
