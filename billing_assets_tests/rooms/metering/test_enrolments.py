"""An 814 that accepts tells which point is ours from when, and what waited for it is freed."""

from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.inboxes import fill, run, source
from billing_assets_tests.unit.metering.x12_sets.written import HEAD, POINT, USAGE, a_group, a_set, an_interchange

ACCOUNT = "0977777777"
ANSWER = f"""BGN*11*R1*20260520***Q1~ {HEAD} LIN*2*SH*EL*SH*CE~ ASI*WQ*021~ REF*11*{ACCOUNT}~ DTM*150*20260601~"""


def take(url: str, tmp_path: Path, kind: str, body: str, control: int = 4711) -> None:
    """A run over a file with one set."""
    group = a_group({"814": "GE", "867": "PT"}[kind], [a_set(kind, body)], control)
    content = an_interchange(group, control=f"{control:09}")
    run(url, source(fill(tmp_path / "in", {f"{control}.x12": content})))


def rows(state: Connection, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Master data that counts."""
    found = state.execute(
        f"select {', '.join(columns)} from billing.{table} where replaced_at is null order by valid_from"  # noqa: S608
    )
    return [tuple(str(value) if value is not None else None for value in row.values()) for row in found]


def supplied(state: Connection) -> list[tuple[Any, ...]]:
    """The supply periods: account, from, until, by what."""
    return rows(state, "supply_periods", "account", "valid_from", "valid_until", "source")


def last(state: Connection) -> tuple[str, str | None, str | None]:
    """State, code and sentence of the last 814."""
    row = state.execute("select * from billing.raw_messages where type = '814' order by id desc limit 1").fetchone()
    assert row is not None
    return row["state"], row["code"], row["sentence"]


def test_an_accepted_enrolment_is_master_data_and_frees_what_waited_for_its_point(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    take(state_url, tmp_path, "867", USAGE)
    (waits,) = state.execute("select state, code from billing.raw_messages").fetchall()
    assert (waits["state"], waits["code"]) == ("held", "NO_SERVICE_POINT")
    take(state_url, tmp_path, "814", ANSWER, 4712)
    columns = ("point", "valid_from", "valid_until", "zone", "utility")
    assert rows(state, "service_points", *columns) == [(POINT, "2026-06-01", None, "America/Chicago", "900000026")]
    assert supplied(state) == [(ACCOUNT, "2026-06-01", None, "814")]
    (said,) = state.execute("select message from billing.supply_periods").fetchall()
    (message,) = state.execute("select id, state from billing.raw_messages where type = '814'").fetchall()
    assert (said["message"], message["state"]) == (message["id"], "ready")
    (freed,) = state.execute("select state, code from billing.raw_messages where type = '867'").fetchall()
    assert (freed["state"], freed["code"]) == ("waiting", "WAIT_CHARGES")


def test_the_same_again_and_what_master_data_knows_changes_nothing(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, POINT)
    take(state_url, tmp_path, "814", ANSWER)
    take(state_url, tmp_path, "814", ANSWER.replace("*R1*", "*R2*"), 4712)
    assert len(rows(state, "service_points", "point")) == 1
    assert supplied(state) == [(ACCOUNT, "2026-06-01", None, "814")]
    assert last(state) == ("ready", None, None)


def test_a_supply_that_begins_before_another_ends_where_that_begins(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    take(state_url, tmp_path, "814", ANSWER.replace("20260601", "20260801").replace(ACCOUNT, "LATER"))
    take(state_url, tmp_path, "814", ANSWER, 4712)
    assert supplied(state) == [(ACCOUNT, "2026-06-01", "2026-08-01", "814"), ("LATER", "2026-08-01", None, "814")]


def test_an_814_that_master_data_contradicts_is_held_until_one_of_them_is_corrected(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    state.execute(
        "insert into billing.supply_periods (point, account, valid_from) values (%s, 'BEFORE', '2020-01-01')", [POINT]
    )
    take(state_url, tmp_path, "814", ANSWER)
    held, code, sentence = last(state)
    assert (held, code) == ("held", "ENROLMENT_CONFLICT")
    assert "account BEFORE from 2020-01-01 until open" in (sentence or "")
    assert supplied(state) == [("BEFORE", "2020-01-01", None, "master data")]
    state.execute("update billing.supply_periods set replaced_at = clock_timestamp()")
    state.execute(
        """
        insert into billing.supply_periods (point, account, valid_from, valid_until)
        values (%s, 'BEFORE', '2020-01-01', '2026-06-01')""",
        [POINT],
    )
    run(state_url)
    assert last(state) == ("ready", None, None)
    assert supplied(state)[-1] == (ACCOUNT, "2026-06-01", None, "814")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("BGN*11*", "BGN*13*", "ready"),  # a request
        ("ASI*WQ*", "ASI*7*", "ready"),
        ("*WQ*021", "*WQ*024", "ready"),  # what it means is not known
        (" DTM*150*20260601~", "", "held"),
    ],
)
def test_what_accepts_nothing_or_names_no_day_loads_nothing(
    state: Connection, state_url: str, tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in ANSWER
    take(state_url, tmp_path, "814", ANSWER.replace(old, new))
    assert last(state)[0] == said
    assert rows(state, "service_points", "point") == []
    assert supplied(state) == []


def test_without_an_account_the_point_alone_is_known(state: Connection, state_url: str, tmp_path: Path) -> None:
    take(state_url, tmp_path, "814", ANSWER.replace(f" REF*11*{ACCOUNT}~", ""))
    assert len(rows(state, "service_points", "point")) == 1
    assert supplied(state) == []
