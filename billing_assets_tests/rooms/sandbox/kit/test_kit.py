"""What a sandbox gets from the kit, on one that is not NetSuite's."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from billing_assets.sandbox.kit.errors import SandboxError, SwitchError
from billing_assets.sandbox.kit.home import ADDRESS_FILE
from billing_assets.sandbox.kit.process import Running, attach, start
from billing_assets.sandbox.kit.switches import parse_switches
from billing_assets_tests.rooms.sandbox.kit.toy import TOY, Switches


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running[bytes]]:
    with start(TOY, tmp_path_factory.mktemp("a toy"), switches={"longest_note": 5}) as running:
        yield running


@pytest.fixture
def toy(started: Running[bytes]) -> Running[bytes]:
    started.control.reset()
    started.control.switch(**Switches(longest_note=5).model_dump())
    return started


def keep(toy: Running[bytes], text: str) -> int:
    return requests.post(f"{toy.base_url}/notes", data=text, timeout=10).status_code


def test_it_keeps_what_it_is_sent_as_its_switches_say(toy: Running[bytes]) -> None:
    assert (keep(toy, "short"), keep(toy, "longer")) == (201, 413)
    toy.control.switch(longest_note=6)
    assert keep(toy, "longer") == 201
    assert toy.control.get("notes") == ["short", "longer"]


def test_a_lost_answer_leaves_the_note_and_cuts_the_connection(toy: Running[bytes]) -> None:
    toy.control.switch(faults=[{"fault": "lost", "next": 1}])
    with pytest.raises(requests.ConnectionError):
        keep(toy, "first")
    assert keep(toy, "again") == 201
    assert toy.control.get("notes") == ["first", "again"]
    assert toy.control.get("switches")["faults"][0]["next"] == 0


def test_requests_are_counted_and_a_reset_forgets(toy: Running[bytes]) -> None:
    toy.control.switch(latency_tail=[1, 300])
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda _: keep(toy, "note"), range(2))) == [201, 503]
    counts = {"in_flight": 0, "most_in_flight": 1, "statuses": {"201": 1, "503": 1}, "operations": {"POST keep": 2}}
    assert toy.control.get("requests") == counts
    toy.control.reset()
    assert toy.control.get("notes") == []
    assert toy.control.get("requests") == {"in_flight": 0, "most_in_flight": 0, "statuses": {}, "operations": {}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"longest_nte": 5}, "there is no switch longest_nte: did you mean longest_note?"),
        ({"latency_ms": 5}, "there is no switch latency_ms: did you mean latency_sigma or latency_median_ms?"),
        ({"colour": 5}, "there is no switch colour: there are faults, latency_median_ms, "),
        ({"longest_note": "many"}, "longest_note: Input should be a valid integer"),
    ],
)
def test_a_wrong_switch_is_refused_with_the_nearest_name(
    toy: Running[bytes], values: dict[str, object], said: str
) -> None:
    with pytest.raises(SandboxError) as refused:
        toy.control.switch(**values)
    assert said in str(refused.value)
    with pytest.raises(SwitchError) as here:
        Switches.of(values)
    assert str(here.value).startswith(said)


def test_a_switch_on_a_command_line_is_json_or_text() -> None:
    assert parse_switches(["longest_note=5", "how=slow", 'faults=[{"fault": "lost"}]', "empty="]) == {
        "longest_note": 5,
        "how": "slow",
        "faults": [{"fault": "lost"}],
        "empty": "",
    }
    with pytest.raises(SwitchError, match="longest_note has no value: give name=value"):
        parse_switches(["longest_note"])


def test_what_it_answered_survives_a_kill(tmp_path: Path) -> None:
    with start(TOY, tmp_path) as toy:
        assert keep(toy, "note") == 201
        toy.kill()
    with start(TOY, tmp_path, port=toy.port) as again:
        assert again.base_url == toy.base_url
        assert again.control.get("notes") == ["note"]


def test_another_process_finds_it_in_its_folder_and_ends_it(tmp_path: Path) -> None:
    assert attach(TOY, tmp_path) is None
    with start(TOY, tmp_path) as toy:
        found = attach(TOY, tmp_path)
        assert found is not None
        assert (found.base_url, found.pid, found.credentials) == (toy.base_url, toy.pid, b"open")
        assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600
        found.stop()
        found.stop()
        with pytest.raises(requests.ConnectionError):
            keep(toy, "late")
        assert attach(TOY, tmp_path) is None
    left = {"base_url": toy.base_url, "pid": os.getpid()}  # by now another process has its id
    (tmp_path / ADDRESS_FILE).write_text(json.dumps(left), encoding="utf-8")
    assert attach(TOY, tmp_path) is None


def test_it_says_why_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"the toy sandbox ended with code 2:[^$]*did you mean longest_note\?"):
        start(TOY, tmp_path, switches={"longest_nte": 1})
    with pytest.raises(SandboxError, match="refused POST references: 404"):
        start(TOY, tmp_path, references={"customer": []})
    assert attach(TOY, tmp_path) is None, "what refuses its references does not stay"


def test_the_kit_loads_nothing_of_the_product() -> None:
    code = (
        "import sys, billing_assets.sandbox.kit.command, billing_assets.sandbox.kit.process;"
        "print([m for m in sys.modules if m.startswith('billing_assets.')"
        " and m != 'billing_assets.sandbox' and not f'{m}.'.startswith('billing_assets.sandbox.kit.')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert out.stdout.strip() == "[]"
