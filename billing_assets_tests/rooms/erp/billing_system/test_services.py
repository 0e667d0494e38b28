"""Services of contracts, read from the billing database."""

import dataclasses
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from billing_assets.erp.billing_system import reader, services
from billing_assets.erp.billing_system.services import BadService, ContractService, contract_services
from billing_assets.foundation.source_database.errors import ColumnsWrong, QueryFailed
from billing_assets_tests.rooms.erp.billing_system.conftest import Execute


def saying(queries: reader.Queries, rows: str) -> reader.Queries:
    names = ", ".join(ContractService._fields)
    return dataclasses.replace(queries, services=f"SELECT * FROM (VALUES {rows}) AS s ({names})")  # noqa: S608


def test_services_come_in_chunks_as_the_billing_system_has_them(
    source: Connection, billing: Execute, queries: reader.Queries, monkeypatch: pytest.MonkeyPatch
) -> None:
    billing("INSERT INTO contracts VALUES ('1-1', '1', 'Eire')")
    for number in range(5):
        billing("INSERT INTO contract_services VALUES ('1-1', %s, 'x', '2010-01-01', NULL, 'usage', 1.5)", f"S{number}")
    monkeypatch.setattr(services, "CHUNK", 2)
    chunks = [good for good, bad in contract_services(source, queries) if not bad]
    assert [len(chunk) for chunk in chunks] == [2, 2, 1]
    wanted = ContractService("1-1", "1", "Eire", "S0", "x", date(2010, 1, 1), None, "usage", Decimal("1.5"))
    assert sorted(one for chunk in chunks for one in chunk)[0] == wanted


def test_a_row_that_cannot_be_understood_is_named_and_the_others_are_read(
    source: Connection, queries: reader.Queries
) -> None:
    good = "(1, 2, NULL, 'S', NULL, DATE '2010-01-01', TIMESTAMP '2010-12-31 10:00', 'monthly', 10)"
    bad = [
        ("(1, 2, NULL, NULL, NULL, NULL, NULL, 'monthly', NULL)", BadService("1", None, "service is NULL")),
        ("(NULL, 2, NULL, 'S', NULL, NULL, NULL, 'monthly', NULL)", BadService(None, "S", "contract is NULL")),
    ]
    ((found, named),) = contract_services(source, saying(queries, ", ".join([good, *(row for row, _ in bad)])))
    one = ContractService("1", "2", None, "S", None, date(2010, 1, 1), date(2010, 12, 31), "monthly", Decimal(10))
    assert found == [one]
    assert named == [wanted for _, wanted in bad]
    floating = saying(queries, "('1', '2', NULL, 'S', NULL, NULL::date, NULL::date, 'usage', 1.5::float8)")
    ((_, (wrong,)),) = contract_services(source, floating)
    assert wrong.problem.startswith("expected_amount is a binary floating point number")


def test_the_query_may_be_left_out_and_one_that_is_there_is_checked(
    source: Connection, queries: reader.Queries, tmp_path: Path
) -> None:
    (tmp_path / "documents.sql").write_text(queries.documents)
    (tmp_path / "lines.sql").write_text(queries.lines)
    without = reader.load_queries(tmp_path)
    assert without.services is None
    assert list(contract_services(source, without)) == []
    reader.check_columns(source, without)
    (tmp_path / "contract_services.sql").write_text("SELECT 1 AS contract, 2 AS contract")
    wrong = reader.load_queries(tmp_path)
    with pytest.raises(ColumnsWrong, match=r"contract_services\.sql lacks the column customer.*twice"):
        reader.check_columns(source, wrong)
    with pytest.raises(QueryFailed, match=r"contract_services\.sql"):
        list(contract_services(source, wrong))
