"""Interchanges of a partner: read, paired, answered by a 997 once, and what its 997s mean for what we sent."""

from pathlib import Path
from typing import Any

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.x12.partners import Partner, Partners
from billing_assets.foundation.x12.writer import SetToWrite
from billing_assets.metering.import_engine.exchange import store_sets
from billing_assets.metering.import_engine.settings import MeteringSettings
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.inboxes import fill, run, source

WIRES = Partner(
    name="wires",
    qualifier="01",
    identifier="900000026",
    our_qualifier="01",
    our_identifier="829000001",
    group_identifier="900000026",
    our_group_identifier="8290000010000",
)
USAGE = """ST*867*0001~BPT*00*U77001*20260704*DD~REF*Q5**10032780000000042~N1*8S*WIRES CO*1*900000026~
N1*AY*ERCOT*1*183529049**41~N1*SJ*RETAIL CO*9*8290000010000**40~PTD*SU~DTM*150*20260603~DTM*151*20260702~QTY*QD*1150~
MEA*AA*PRQ*1150*KH***51~PTD*PL***MG*A1234~DTM*150*20260603~DTM*151*20260702~REF*MT*KHMON~REF*JH*A~QTY*QD*1150~
MEA*AA*PRQ*1150*KH*99950*00065*51~MEA**MU*10~SE*20*0001~"""
CHARGES = """ST*810*0001~BIG*20260705*I88001***U77001**ME*00~REF*Q5**10032780000000042~N1*8S*WIRES CO*1*900000026~
N1*SJ*RETAIL CO*9*8290000010000~ITD*01*3****20260725~IT1*1*****SV*ELECTRIC*C3*METER~DTM*150*20260603~
DTM*151*20260702~SLN*1**A~SAC*C**EU*BAS001*450~SLN*2**A~SAC*C**EU*DIS001*3871~TDS*4321~CTT*1~SE*16*0001~"""


def interchange(*groups: tuple[str, str], control: int = 4711, sender: str = "900000026") -> bytes:
    """An interchange of the wires company for us, with groups of one set each: GS01 and the set."""
    text = f"ISA*00*          *00*          *01*{sender:<15}*01*829000001      *260706*0732*U*00401*{control:09}*0*P*>~"
    for number, (kind, one) in enumerate(groups, control):
        text += f"GS*{kind}*900000026*8290000010000*20260706*0732*{number}*X*004010~{one}GE*1*{number}~"
    return (text.replace("\n", "") + f"IEA*{len(groups)}*{control:09}~").encode()


BOTH = (("PT", USAGE), ("IN", CHARGES))


def outbound(state: Connection) -> list[dict[str, Any]]:
    """What is to be sent."""
    return state.execute("select * from billing.outbound_interchanges order by id").fetchall()


def take(url: str, tmp_path: Path, **files: bytes) -> list[str]:
    """A run over these files; their states."""
    found = run(url, source(fill(tmp_path / "in", files)), partners=(WIRES,))
    return [found.read[number] for number in sorted(found.read)]


def test_usage_and_charges_are_ready_and_each_group_is_answered_once(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, "10032780000000042")
    assert take(state_url, tmp_path, one=interchange(*BOTH)) == ["accepted"]
    rows = state.execute("select type, point, key, state, stamp from billing.raw_messages order by id").fetchall()
    assert [(row["type"], row["point"], row["key"], row["state"]) for row in rows] == [
        ("867", "10032780000000042", "U77001", "ready"),
        ("810", "10032780000000042", "I88001", "ready"),
    ]
    assert rows[0]["stamp"].isoformat() == "2026-07-06T07:32:00+00:00"
    (answer,) = outbound(state)
    assert (answer["partner"], answer["type"], answer["control"], answer["awaits_997"]) == ("wires", "997", 1, False)
    text = answer["content"].decode()
    assert "AK1*PT*4711~AK2*867*0001~AK5*A~AK9*A*1*1*1~" in text
    assert "AK1*IN*4712~AK2*810*0001~AK5*A~AK9*A*1*1*1~" in text
    assert take(state_url, tmp_path, two=interchange(*BOTH)) == ["duplicate"]
    assert take(state_url, tmp_path, three=interchange(*BOTH) + b"\r\n") == ["accepted"], "other bytes around it"
    assert len(outbound(state)) == 1
    assert len(state.execute("select from billing.raw_messages").fetchall()) == 2


def test_a_control_number_that_was_used_for_something_else_is_refused(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    take(state_url, tmp_path, one=interchange(*BOTH))
    assert take(state_url, tmp_path, two=interchange(BOTH[0])) == ["refused"]
    codes = state.execute("select code from billing.raw_findings where file = 2").fetchall()
    assert "CONTROL_REUSED" in " ".join(row["code"] for row in codes)
    assert len(outbound(state)) == 1


def test_a_set_with_a_wrong_count_is_rejected_and_its_charges_wait(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, "10032780000000042")
    broken = USAGE.replace("SE*20*0001", "SE*19*0001")
    assert take(state_url, tmp_path, one=interchange(("PT", broken), BOTH[1])) == ["accepted"]
    rows = state.execute("select type, state, code from billing.raw_messages order by id").fetchall()
    assert [(row["type"], row["state"]) for row in rows] == [("867", "refused"), ("810", "waiting")]
    assert rows[1]["code"] == "ORPHAN_CHARGES"
    assert "AK5*R*4~AK9*R*1*1*0~" in outbound(state)[0]["content"].decode()


def test_who_is_no_partner_is_refused_and_gets_nothing(state: Connection, state_url: str, tmp_path: Path) -> None:
    assert take(state_url, tmp_path, one=interchange(*BOTH, sender="111111111")) == ["refused"]
    assert outbound(state) == []
    assert state.execute("select from billing.received_interchanges").fetchall() == []


def test_a_997_settles_what_was_sent_and_one_that_fits_nothing_is_held(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    advice = SetToWrite("824", "0001", [("BGN", "11", "A1", "20260706"), ("OTI", "TR", "TN", "U77001")])
    with state.transaction():
        store_sets(state, WIRES, "824", {"AG": [advice]})
    (sent,) = outbound(state)
    assert sent["awaits_997"]
    good = "ST*997*0001~AK1*AG*1~AK2*824*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~"
    assert take(state_url, tmp_path, one=interchange(("FA", good))) == ["accepted"]
    (sent,) = outbound(state)
    assert (sent["acknowledgement"], sent["acknowledged_by"]) == ("A", 1)
    strange = good.replace("AG*1", "AG*77")
    assert take(state_url, tmp_path, two=interchange(("FA", strange), control=4800)) == ["accepted"]
    (row,) = state.execute("select state, code, sentence from billing.raw_messages where id = 2").fetchall()
    assert (row["state"], row["code"]) == ("held", "ANSWER_UNCLEAR")
    assert "was never sent" in row["sentence"]
    assert len(outbound(state)) == 1, "a 997 is never answered by a 997"


def test_partners_that_cannot_be_told_apart_are_refused_by_the_settings() -> None:
    with pytest.raises(ValueError, match="have the same addresses"):
        MeteringSettings(partners=(WIRES, WIRES.model_copy(update={"name": "again"})))
    assert list(Partners(MeteringSettings(partners=(WIRES,)).partners)) == [WIRES]
