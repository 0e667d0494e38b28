"""Master data of billing from CSV files: effective-dated, all or none, and what is wrong with it is said at once."""

from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.contract import MasterDataError
from billing_assets_tests.rooms.invoicing.customers import ACCOUNTS, AGREEMENTS, GROUPS, customers, load, point_of


def test_the_same_files_again_change_nothing_and_a_correction_keeps_what_was_said(
    state: Connection, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, 2)
    again = load(state, tmp_path)
    assert [(one.kind, one.rows, one.added, one.replaced) for one in again.loaded] == [
        ("bill_groups", 1, 0, 0),
        ("accounts", 2, 0, 0),
        ("agreements", 2, 0, 0),
    ]
    load(state, tmp_path, accounts=ACCOUNTS + "A1,G1,dual,TX AUSTIN,2026-01-01\n")
    rows = state.execute(
        """
        select billing_model, tax_codes, replaced_at is null as now from billing.accounts
        where account = 'A1' order by id"""
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [
        ("supplier_consolidated", ["TX"], False),
        ("dual", ["TX", "AUSTIN"], True),
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"accounts": ACCOUNTS + "A1,G1,alone,TX,2026-01-01\n"}, "is none of supplier_consolidated"),
        ({"bill_groups": GROUPS + "G2,ACME,USD,maybe,9,,2026-01-01\n"}, "is neither true nor false"),
        (
            {"bill_groups": "bill_group,issuer,currency,calendar,valid_from\nG2,ACME,USD,XX,2026-01-01\n"},
            "is no country",
        ),
        ({"agreements": AGREEMENTS + f"{point_of(1)},A1,FLAT,2026-05-01\n"}, "and again from 2026-05-01"),
    ],
)
def test_a_file_with_a_fault_loads_nothing(state: Connection, tmp_path: Path, files: dict[str, str], said: str) -> None:
    customers(state, tmp_path, 1)
    before = state.execute("select count(*) from billing.accounts").fetchone()
    with pytest.raises(MasterDataError, match=said):
        load(state, tmp_path, **files)
    assert state.execute("select count(*) from billing.accounts").fetchone() == before


def test_what_would_keep_an_account_from_being_billed_is_found_at_load(state: Connection, tmp_path: Path) -> None:
    customers(state, tmp_path, 1)
    found = load(
        state,
        tmp_path,
        bill_groups=GROUPS + "NIGHT,ACME,USD,yes,9,,2026-01-01\n",
        accounts=ACCOUNTS + "A7,NOWHERE,dual,TX,2026-01-01\n",
        agreements=AGREEMENTS + "P9,A9,NONE,2026-01-01\n",
    ).findings
    assert [(one.code, one.what) for one in found] == [
        ("ACCOUNT_UNKNOWN", "P9"),
        ("AUTOMATED_WITHOUT_CYCLE", "NIGHT"),
        ("GROUP_UNKNOWN", "A7"),
        ("POINT_UNKNOWN", "P9"),
        ("TARIFF_UNKNOWN", "P9"),
    ]
    assert (
        found[2].sentence == "Account A7 is in the bill group NOWHERE, which is not loaded: it is billed by no batch."
    )
