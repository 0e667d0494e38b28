"""From X12 files in a folder to usage and charges that may be billed."""

import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.x12.partners import Partner
from billing_assets.metering.import_engine import engine
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets.metering.importing import import_connection, loader_of
from billing_assets.metering.usage import decision_store, decisions, store
from billing_assets.metering.usage.intake import settle_all, take_sets
from billing_assets.work_queue.working import WorkPolicy
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.inboxes import fill, run, source
from billing_assets_tests.unit.metering.usage.messages import JULY
from billing_assets_tests.unit.metering.usage.x12 import charges_set, interchange, usage_set

CORPUS = Path(__file__).parents[3] / "data/x12_corpus"
NOW = datetime(2026, 8, 20, tzinfo=UTC)

FIRST = [
    charges_set("I1", names="U1"),
    usage_set("U1"),
    usage_set("U2", period=JULY),
    charges_set("I2", names="U2", period=JULY, total=9999),
]
SECOND = [
    usage_set("X1", "01", of="U1", issued="20260709"),
    charges_set("Y1", "01", of="I1", issued="20260709"),
    charges_set("I3", "05", of="I1", names="U3", issued="20260709"),
    usage_set("U3", "05", of="U1", kwh=1200, issued="20260709"),
]


def said(state: Connection) -> dict[str, str]:
    """State and codes of each message by its id; the set in raw_messages says the same."""
    rows = state.execute(
        """
        select u.id, u.state, u.codes, m.state as raw_state, m.code, m.sentence
        from billing.usage_messages as u join billing.raw_messages as m on m.id = u.message"""
    ).fetchall()
    for row in rows:
        assert (row["raw_state"], row["code"]) == (row["state"], next(iter(row["codes"]), None))
    return {row["id"]: " ".join((row["state"], *row["codes"])) for row in rows}


def test_an_esi_that_is_not_ours_is_held_and_its_824_says_so(state: Connection, state_url: str, tmp_path: Path) -> None:
    """Case 153 of the made corpus: what no file says is known to the import."""
    case = json.loads((CORPUS / "153-esi-not-ours.json").read_text(encoding="utf-8"))
    state.execute("update billing.service_points set replaced_at = clock_timestamp()")
    supply(state, *case["given"]["points"])
    content = (CORPUS / "153-esi-not-ours.x12").read_bytes()
    partner = Partner(
        name="WIRES",
        qualifier="01",
        identifier="900000026",
        our_qualifier="01",
        our_identifier="829000001",
        group_identifier="900000026",
        our_group_identifier="8290000010000",
    )
    run(state_url, source(fill(tmp_path / "in", {"a.x12": content})), partners=(partner,))
    assert list(said(state).values()) == [f"{case['verdict']} NO_SERVICE_POINT".replace("hold", "held")]
    (acknowledged,) = state.execute("select acknowledgement from billing.raw_files").fetchall()
    assert acknowledged["acknowledgement"] == case["ack"]
    (message,) = state.execute("select message from billing.usage_messages").fetchall()
    decisions.reject(state, message["message"], "Ann", "It is another retailer's.", now=NOW)
    assert [one.answer for one in decision_store.rejections(state)] == [case["824"]]


def test_files_become_usage_and_charges_that_are_ready_together(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    run(state_url, source(fill(tmp_path / "in", {"a.x12": interchange(FIRST)})))
    settle_all(state, now=NOW)
    assert said(state) == {
        "U1": "ready",
        "I1": "ready",
        "U2": "waiting WAIT_CHARGES",
        "I2": "held CHARGES_NOT_TOTAL",
    }
    (held,) = state.execute("select sentence from billing.raw_messages where state = 'held'").fetchall()
    assert "43.21" in held["sentence"] or "4321" in held["sentence"], "the reader's own sentence"
    run(state_url, source(fill(tmp_path / "in", {"b.x12": interchange(SECOND, 4800)})))
    settle_all(state, now=NOW)
    assert said(state) | {"U2": "", "I2": ""} == {
        "U1": "superseded",
        "I1": "superseded",
        "X1": "ready",
        "Y1": "ready",
        "U3": "ready",
        "I3": "ready",
        "U2": "",
        "I2": "",
    }
    row = state.execute("select sum(kwh) as kwh from billing.billable_usage where is_ready").fetchone()
    assert row == {"kwh": 1200}
    assert settle_all(state, now=NOW) == []


def test_an_867_with_reads_only_waits_for_nothing(state: Connection, state_url: str, tmp_path: Path) -> None:
    reads = [part.replace("BPT*00*", "BPT*SU*").replace("PTD*PL", "PTD*BJ") for part in usage_set("R1")]
    run(state_url, source(fill(tmp_path / "in", {"a.x12": interchange([reads, usage_set("U1")])})))
    settle_all(state, now=NOW)
    assert said(state) == {"U1": "waiting WAIT_CHARGES"}
    row = state.execute("select state from billing.raw_messages where key = 'R1'").fetchone()
    assert row == {"state": "ready"}


def test_half_an_interchange_first_ends_the_same(state: Connection, state_url: str, tmp_path: Path) -> None:
    halves = [SECOND[2:], FIRST[2:], SECOND[:1], FIRST[:2], SECOND[1:2]]
    for number, half in enumerate(halves):
        inbox = fill(tmp_path / "in", {f"{number}.x12": interchange(half, 100 + 10 * number)})
        run(state_url, source(inbox))
        settle_all(state, now=NOW)
    assert said(state) == {
        "U1": "superseded",
        "I1": "superseded",
        "X1": "ready",
        "Y1": "ready",
        "U3": "ready",
        "I3": "ready",
        "U2": "waiting WAIT_CHARGES",
        "I2": "held CHARGES_NOT_TOTAL",
    }


def read_only(url: str, inbox: Path) -> None:
    """Files are read, and the run ends before usage and charges are settled."""
    with import_connection(url) as connection:
        engine.run(url, connection, [source(inbox)], loader_of(MeteringSettings()), "worker", WorkPolicy(60))


def take_in_settle_and_die(url: str) -> None:
    """A process that takes sets in, and is killed before it has settled them."""
    child = os.fork()
    if child == 0:
        with connect(url) as connection:
            take_sets(connection, 3)
            connection.execute("begin")
            store.settle(connection, store.unsettled(connection, NOW), now=NOW)
            os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_while_it_settles_the_next_run_ends_the_same(state: Connection, state_url: str, tmp_path: Path) -> None:
    read_only(state_url, fill(tmp_path / "in", {"a.x12": interchange(FIRST + SECOND)}))
    take_in_settle_and_die(state_url)
    assert set(said_states(state)) == {"accepted"}
    settle_all(state, now=NOW)
    assert said(state)["U3"] == "ready"
    assert len(said(state)) == len(FIRST + SECOND)


def said_states(state: Connection) -> list[str]:
    return [row["state"] for row in state.execute("select state from billing.usage_messages")]
