"""What a clerk rejects is told to its sender by one 824, and the sender's 997 settles it."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.foundation.sections import BatchSettings
from billing_assets.foundation.settings import Settings, make_settings
from billing_assets.foundation.x12.application_advice import Advice, read_advice
from billing_assets.foundation.x12.envelope import read
from billing_assets.foundation.x12.interchange import TransactionSet
from billing_assets.foundation.x12.partners import Partner
from billing_assets.metering.import_engine.raw_bytes import opened
from billing_assets.metering.outbound import advices, causes
from billing_assets.metering.outbound.advices import write_advices
from billing_assets.metering.outbound.delivery import deliver, deliver_each, due
from billing_assets.metering.usage import decisions
from billing_assets.posting.batch_lease import Patience
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.test_exchange import USAGE, WIRES, interchange, outbound, take
from proving.world.waiting import PATIENCE_SECONDS, until

_KILLED = """
import os, signal, sys
from billing_assets.foundation.database.connection import connect
from billing_assets.metering.outbound import advices
from billing_assets_tests.rooms.metering.test_exchange import WIRES
store = advices.store_sets
def die(*args, **more):
    store(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)
advices.store_sets = die
with connect(sys.argv[1]) as connection:
    advices.write_advices(connection, [WIRES])
"""

_KILLED_ON_ITS_WAY = """
import os, signal, sys
from pathlib import Path
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.files.local import LocalFolder
from billing_assets.metering.outbound.delivery import deliver_each
from billing_assets.posting.batch_lease import Patience
from billing_assets_tests.rooms.metering.outbound.test_advices import settings
url, folder, point = sys.argv[1:]
put = LocalFolder.put
def die(self, name, content):
    if not name.endswith("-824.x12"):
        return put(self, name, content)
    if point == "after_the_upload":
        put(self, name, content)
    os.kill(os.getpid(), signal.SIGKILL)
LocalFolder.put = die
with connect(url) as connection:
    list(deliver_each(url, connection, settings(url, Path(folder)), "victim", Patience.ENDLESS))
"""


def reject(state: Connection, url: str, tmp_path: Path, why: str = "Wrong meter") -> None:
    """A clerk rejects usage that waits for its charges."""
    supply(state, "10032780000000042")
    assert take(url, tmp_path, one=interchange(("PT", USAGE))) == ["accepted"]
    (row,) = state.execute("select message from billing.usage_messages").fetchall()
    decisions.reject(state, row["message"], "Ann", why)


def settings(url: str, folder: Path) -> Settings:
    folder.mkdir(exist_ok=True)
    return make_settings(
        database_url=SecretStr(url),
        outbound={"folders": {"wires": {"path": str(folder), "timeout_seconds": 1.0}}},
        metering={"partners": [WIRES.model_dump()]},
        batches=BatchSettings(lease_seconds=1.0),
    )


def send(url: str, state: Connection, folder: Path) -> list[Advice]:
    """Delivers; what the 824s in the folder say, with the control number of each."""
    done = list(deliver_each(url, state, settings(url, folder), "run", Patience.ENDLESS))
    assert all(one.is_done for one in done)
    found: list[Advice] = []
    for path in sorted(folder.glob("*-824.x12")):
        with path.open("rb") as file:
            for one in read(file, {}):
                if isinstance(one, TransactionSet):
                    assert one.group.type == "AG"
                    found += read_advice(one.segments).advices
    return found


def test_a_rejection_leaves_as_one_824_and_a_997_settles_it(state: Connection, state_url: str, tmp_path: Path) -> None:
    reject(state, state_url, tmp_path)
    (advice,) = send(state_url, state, tmp_path / "out")
    assert (advice.original, advice.original_type, advice.original_set, advice.original_group) == (
        "U77001",
        "867",
        "0001",
        "4711",
    )
    assert [(one.code, one.text) for one in advice.reasons] == [("A13", "Wrong meter")]
    assert (advice.request, advice.action, advice.references) == ("82", "TR", (("Q5", "10032780000000042"),))
    assert len(send(state_url, state, tmp_path / "out")) == 1, "once"
    acknowledged, sent = outbound(state)
    assert (acknowledged["type"], sent["type"], sent["control"], sent["awaits_997"]) == ("997", "824", 2, True)
    (group,) = sent["groups"]
    number = group["control"]
    good = f"ST*997*0001~AK1*AG*{number}~AK2*824*0001~AK5*A~AK9*A*1*1*1~SE*6*0001~"
    assert take(state_url, tmp_path, two=interchange(("FA", good), control=4712)) == ["accepted"]
    assert outbound(state)[1]["acknowledgement"] == "A"


def test_a_kill_before_the_commit_takes_no_number_and_loses_no_824(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    reject(state, state_url, tmp_path)
    victim = [sys.executable, "-c", _KILLED, state_url]
    killed = subprocess.run(victim, env=dict(os.environ), check=False, timeout=PATIENCE_SECONDS)
    assert killed.returncode == -signal.SIGKILL
    assert [one["type"] for one in outbound(state)] == ["997"]
    assert len(send(state_url, state, tmp_path / "out")) == 1
    assert [(one["type"], one["control"]) for one in outbound(state)] == [("997", 1), ("824", 2)]


@pytest.mark.parametrize("point", ["before_the_upload", "after_the_upload"])
def test_a_kill_between_the_commit_of_an_824_and_its_delivery_delivers_it_once(
    state: Connection, state_url: str, tmp_path: Path, point: str
) -> None:
    """Its intent is committed; whether its file is there is not known to the next process."""
    reject(state, state_url, tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    victim = [sys.executable, "-c", _KILLED_ON_ITS_WAY, state_url, str(folder), point]
    killed = subprocess.run(victim, env=dict(os.environ), check=False, timeout=PATIENCE_SECONDS)
    assert killed.returncode == -signal.SIGKILL
    assert [one["type"] for one in outbound(state)] == ["997", "824"], "both were committed"
    assert len(list(folder.glob("*-824.x12"))) == int(point == "after_the_upload")

    ours = settings(state_url, folder)

    def delivered() -> bool:
        for batch in due(state, ours, pause_seconds=0):
            deliver(state_url, state, ours, batch.partition_key, "next", Patience.ENDLESS)
        return not state.execute("select from billing.outbound_files where state <> 'posted'").fetchall()

    until(delivered, "both are delivered")
    (advice,) = send(state_url, state, folder)
    assert advice.original == "U77001"
    assert len(list(folder.glob("*.x12"))) == 2
    assert [(one["type"], one["control"]) for one in outbound(state)] == [("997", 1), ("824", 2)], "no number is lost"


def test_several_that_write_at_once_write_each_824_once(state: Connection, state_url: str, tmp_path: Path) -> None:
    reject(state, state_url, tmp_path, "Wrong*meter~ “x”\n" + "y" * 100)

    def write(_: int) -> int:
        with connect(state_url) as mine:
            return write_advices(mine, [WIRES])

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(write, range(4))) == [0, 0, 0, 1]
    (advice,) = send(state_url, state, tmp_path / "out")
    (reason,) = advice.reasons
    assert len(reason.text) == 80
    assert reason.text.startswith("Wrong meter  ?x? yyy")


def test_who_is_no_partner_any_more_gets_no_824_and_people_are_told_for_some_days(
    state: Connection, state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reject(state, state_url, tmp_path)
    other = WIRES.model_copy(update={"identifier": "900000027"})
    reads: list[int] = []

    def noted(connection: Connection, file: Any) -> Any:
        reads.append(file.id)
        return opened(connection, file)

    monkeypatch.setattr(advices, "opened", noted)

    def told(partner: Partner, days: float = 0) -> dict[str, str]:
        found = make_settings(database_url=SecretStr(state_url), metering={"partners": [partner.model_dump()]})
        now = datetime.now(UTC) + timedelta(days=days)
        return {one.cause: one.what_happened for one in causes.alerts(state, found, now)}

    assert write_advices(state, []) == 0
    assert write_advices(state, [other]) == 0
    assert reads == [], "its file is not read at each look"
    assert "U77001" in told(other)["rejection_without_partner"]
    assert "rejection_without_partner" not in told(other, days=4)
    assert "rejection_without_partner" not in told(WIRES)
    assert write_advices(state, [WIRES]) == 1
    assert len(reads) == 1
    assert "rejection_without_partner" not in told(other)
