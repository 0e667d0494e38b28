"""The sample's contracts: the same rule in every run, and not a number of the documents changed by it."""

from collections import Counter
from datetime import date
from decimal import Decimal

import pytest

from billing_assets.sandbox.samples.contracts import SampleService, contract_number, contract_services
from billing_assets.sandbox.samples.data import read_sample
from billing_assets.sandbox.samples.families import family
from billing_assets.sandbox.samples.loader import create_sample_schema, load_contracts, load_sample
from proving.world.builders import open_for_writing


@pytest.fixture(scope="module")
def services() -> list[SampleService]:
    return contract_services()


def test_every_contract_has_the_services_that_it_was_charged_for(services: list[SampleService]) -> None:
    assert len(services) == 47_332
    assert Counter(one.charged for one in services) == {"usage": 24_052, "one_time": 22_112, "monthly": 1_168}
    assert len({(one.contract, one.service) for one in services}) == len(services)
    (one,) = [one for one in services if (one.contract, one.service) == ("12346-41", "S15")]
    assert one == SampleService(
        "12346-41",
        "12346",
        "United Kingdom",
        "S15",
        "Goods whose stock code begins with 15",
        date(2010, 3, 1),
        date(2010, 3, 31),
        "one_time",
    )


def test_one_service_in_fifty_is_left_out_so_that_an_audit_finds_something(services: list[SampleService]) -> None:
    known = {(one.contract, one.service) for one in services}
    sample = read_sample("2010-11")
    charged = {
        (contract_number(sample.documents[rank].customer, sample.documents[rank].country), service)
        for rank, service in zip(*(sample.lines[name].to_pylist() for name in ("rank", "service")), strict=True)
    }
    charged = {one for one in charged if one[0] is not None}
    assert 0.01 < len(charged - known) / len(charged) < 0.03


@pytest.mark.parametrize(
    ("code", "service"),
    [
        ("22423", "S22"),
        (" 47503j ", "S47"),
        ("POST", "CARRIAGE"),
        ("c2", "CARRIAGE"),
        ("M", "OTHER"),
        ("2242", "OTHER"),
    ],
)
def test_a_service_is_a_family_of_stock_codes(code: str, service: str) -> None:
    assert family(code) == service


def test_a_sample_that_an_earlier_version_made_gets_contracts_and_keeps_its_documents(database: str) -> None:
    load_sample(database, "2011-12")
    with open_for_writing(database) as source:
        source.execute("drop table contracts, contract_services")
        source.execute("alter table invoices drop column contract_no; alter table invoice_lines drop column service")
        create_sample_schema(database)
        assert load_contracts(database) == 47_332
        assert load_contracts(database) == 0
        found = source.execute("select count(*), sum(total), count(contract_no) from invoices").fetchone()
        assert found == (1_015, Decimal("433686.010"), 0)
