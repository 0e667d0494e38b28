"""What a partner refused is seen, and sent again by a person's decision: the same bytes under the same number."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from billing_assets.decisions.store import Subject, history
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import Runtime
from billing_assets.metering.import_engine.reports import refused_interchanges, sent_counts
from billing_assets.metering.outbound import causes
from billing_assets.metering.outbound.automation import resend_outbound_interchange
from billing_assets.metering.outbound.resending import NotResendableError, resend
from billing_assets_tests.rooms.metering.outbound.test_advices import reject, send, settings
from billing_assets_tests.rooms.metering.test_exchange import interchange, outbound, take
from proving.world.command import call, complete

Answer = Callable[[str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the partner."""
    return tmp_path / "out"


@pytest.fixture
def answer(state: Connection, state_url: str, tmp_path: Path, folder: Path) -> Answer:
    """An 824 was delivered; its partner answers it by a 997, each under a number of its own."""
    reject(state, state_url, tmp_path)
    assert len(send(state_url, state, folder)) == 1
    number = outbound(state)[1]["groups"][0]["control"]
    controls = iter(range(4712, 4800))

    def say(said: str) -> None:
        code = "*5" if said == "R" else ""
        accepted = int(said != "R")
        text = f"ST*997*0001~AK1*AG*{number}~AK2*824*0001~AK5*{said}{code}~AK9*{said}*1*1*{accepted}~SE*6*0001~"
        control = next(controls)
        assert take(state_url, tmp_path, **{f"answer{control}": interchange(("FA", text), control=control)}) == [
            "accepted"
        ]

    return say


def said(state: Connection) -> dict[str, str]:
    """What the partner said, by type."""
    return {one.type: one.said for one in sent_counts(state)}


def told(state: Connection, url: str, folder: Path, hours: float = 0) -> set[str]:
    """The alerts so many hours from now."""
    return {
        one.cause for one in causes.alerts(state, settings(url, folder), datetime.now(UTC) + timedelta(hours=hours))
    }


def test_a_refused_824_leaves_again_by_a_decision_and_waits_for_its_997_again(
    state: Connection, state_url: str, folder: Path, answer: Answer
) -> None:
    assert said(state) == {"997": "none", "824": "waits"}
    answer("R")
    assert said(state) == {"997": "none", "824": "R"}
    (refused,) = refused_interchanges(state)
    assert (refused.partner, refused.type) == ("wires", "824")
    assert told(state, state_url, folder) == {"outbound_refused"}
    name = resend(state, refused.id, "Ann", "Their map was wrong.")
    assert name == refused.name.replace(".x12", "-again-1.x12")
    assert said(state) == {"997": "none", "824": "waits"}
    assert told(state, state_url, folder) == set()
    with pytest.raises(NotResendableError, match="is not delivered yet"):
        resend(state, refused.id, "Ann", "Once more.")
    send(state_url, state, folder)
    assert (folder / name).read_bytes() == (folder / refused.name).read_bytes()
    assert told(state, state_url, folder, hours=25) == {"no_functional_acknowledgement"}
    (decision,) = [one for one in history(state, Subject.USAGE) if one.decision == "send again"]
    assert (decision.decided_by, decision.why) == ("Ann", "Their map was wrong.")
    answer("A")
    assert said(state) == {"997": "none", "824": "A"}
    assert told(state, state_url, folder, hours=25) == set()
    answer("R")
    assert said(state) == {"997": "none", "824": "A"}, "the first word after it was sent again counts"
    send(state_url, state, folder)
    assert len(list(folder.glob("*824*"))) == 2


def test_the_first_word_of_a_partner_stays_where_nothing_was_sent_again(state: Connection, answer: Answer) -> None:
    answer("R")
    answer("A")
    assert said(state)["824"] == "R"
    with pytest.raises(psycopg.errors.CheckViolation, match="never changes"):
        state.execute("update billing.outbound_interchanges set acknowledged_at = now() where acknowledgement = 'R'")


def test_a_clerk_sees_and_sends_again_at_the_command_line(
    state: Connection, state_url: str, tmp_path: Path, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("R")
    (refused,) = refused_interchanges(state)
    state.commit()
    where = {"BILLING_DATABASE_URL": state_url, "BILLING_HOME": str(tmp_path / "home"), "BILLING_AREAS": "metering"}
    shown = f"billing metering resend {refused.id}"
    complete(call(capsys, where, "metering", "status"), 0, ["Interchanges for partners", "Refused on", shown])
    listed = json.loads(call(capsys, where, "metering", "status", "--json").out)
    assert {"partner": "wires", "type": "824", "said": "R", "interchanges": 1} in listed["interchanges"]
    assert [one["id"] for one in listed["refused_interchanges"]] == [refused.id]
    again = ("metering", "resend", str(refused.id), "--why", "x", "--by")
    complete(call(capsys, where, *again, " "), 2, ["--by and --why must say something"])
    complete(call(capsys, where, *again, "Ann"), 0, ["-again-1.x12 leaves with the next delivery"])
    complete(call(capsys, where, *again, "Ann"), 2, ["is not delivered yet"])
    complete(
        call(capsys, where, "metering", "resend", "99", "--why", "x", "--by", "Ann"), 2, ["There is no interchange 99"]
    )
    assert json.loads(call(capsys, where, "metering", "status", "--json").out)["refused_interchanges"] == []


def test_a_clerk_sends_again_by_a_job_with_name_and_reason(
    state: Connection, state_url: str, folder: Path, answer: Answer
) -> None:
    answer("R")
    (refused,) = refused_interchanges(state)
    state.commit()

    def launch(**who: str) -> dg.ExecuteInProcessResult:
        config = {"ops": {"resend_interchange": {"config": {"interchange": refused.id, **who}}}}
        resources = {"billing": Runtime(settings(state_url, folder))}
        return resend_outbound_interchange.execute_in_process(config, resources=resources, raise_on_error=False)

    assert not launch(by="Ann").success, "without a reason"
    assert launch(by="Ann", why="Their map was wrong.").success
    assert refused_interchanges(state) == []


def test_what_is_sent_again_leaves_with_what_is_new_in_one_batch(
    state: Connection, state_url: str, tmp_path: Path, folder: Path, answer: Answer
) -> None:
    answer("R")
    (refused,) = refused_interchanges(state)
    resend(state, refused.id, "Ann", "x")
    send(state_url, state, folder)
    resend(state, refused.id, "Ann", "y")
    assert take(state_url, tmp_path, more=interchange(("PT", "ST*867*0001~SE*2*0001~"), control=4900)) == ["refused"]
    send(state_url, state, folder)
    names = sorted(path.name for path in folder.glob("*824*"))
    stem = refused.name.removesuffix(".x12")
    assert names == [f"{stem}-again-1.x12", f"{stem}-again-2.x12", f"{stem}.x12"]
    assert len({(folder / name).read_bytes() for name in names}) == 1
    assert len(list(folder.glob("*-997.x12"))) == 2
