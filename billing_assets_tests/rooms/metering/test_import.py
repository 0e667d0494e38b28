"""Files from their folders into the tables: raw first, all or nothing, each once, whatever is in them."""

import hashlib
import io
import os
import random
import threading
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection, connect
from billing_assets.metering.import_engine.raw_bytes import RawBytes, opened, pieces
from billing_assets.metering.import_engine.store import CHUNK_BYTES, Origin, file_of, store_raw
from billing_assets_tests.rooms.metering.blocks import supply
from billing_assets_tests.rooms.metering.inboxes import fill, run, source, sums, tables, there
from billing_assets_tests.rooms.metering.market_files import nem12
from proving.world.sshd import Sshd
from proving.world.sshd_fixtures import needs_sshd, sshd, sshd_of_module
from proving.world.waiting import until

__all__ = ["sshd", "sshd_of_module"]

DATA = Path(__file__).parents[2] / "data"
POINTS = ("4001000001", "4001000002", "4001000003")


def zipped(content: bytes, name: str = "a.csv") -> bytes:
    """In a zip."""
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return found.getvalue()


def states(state: Connection) -> dict[str, tuple[str, str | None]]:
    """Of each file by name: its state, and where it went."""
    rows = state.execute("select name, state, moved_to from billing.raw_files order by id")
    return {row["name"]: (row["state"], row["moved_to"]) for row in rows}


def messages(state: Connection) -> Counter[tuple[str, str | None]]:
    """Messages by state and code."""
    rows = state.execute("select state, code, count(*) as many from billing.raw_messages group by 1, 2")
    return Counter({(row["state"], row["code"]): row["many"] for row in rows})


def test_what_is_complete_is_stored_read_and_moved(state: Connection, state_url: str, tmp_path: Path) -> None:
    supply(state, *POINTS)
    good, bad = nem12(*POINTS, days=2), nem12(*POINTS)[:-5]
    inbox = fill(tmp_path / "in", {"good.csv": good, "bad.csv": bad, "growing.csv.part": b"100,NEM12"})
    assert run(state_url, source(inbox)).states == {"accepted": 1, "refused": 1}
    assert there(inbox) == {".": {"growing.csv.part"}, "archive": {"good.csv"}, "error": {"bad.csv"}}
    assert states(state) == {"bad.csv": ("refused", "error/bad.csv"), "good.csv": ("accepted", "archive/good.csv")}
    assert messages(state) == {("ready", None): 6}
    for row in state.execute("select id, name from billing.raw_files"):
        assert b"".join(pieces(state, row["id"])) == {"good.csv": good, "bad.csv": bad}[row["name"]]
    (found,) = state.execute("select * from billing.raw_findings where severity = 'refuse'").fetchall()
    assert (found["code"], found["line"], bool(found["sentence"])) == ("R-NO-900", bad.count(b"\n"), True)


def test_a_file_that_grows_is_left_until_two_looks_find_the_same(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    whole = nem12()
    inbox = fill(tmp_path / "in", {"a.csv": whole[:-20]})
    looked = source(inbox, stable_seconds=0.000_001)
    assert (run(state_url, looked).waiting, states(state)) == (1, {})
    (inbox / "a.csv").write_bytes(whole)
    assert (run(state_url, looked).waiting, states(state)) == (1, {})
    assert run(state_url, looked).states == {"accepted": 1}
    os.utime(fill(inbox, {"b.csv": whole}) / "b.csv", (0, 0))  # as old as may be: it is its staying so that counts
    assert run(state_url, looked).waiting == 1
    assert run(state_url, looked).states == {"duplicate": 1}


def test_the_same_content_has_one_effect_under_any_name_zipped_or_not(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, *POINTS)
    content = nem12(*POINTS)
    inbox = fill(tmp_path / "in", {"a.csv": content, "b.csv": content, "c.zip": zipped(content, "other.v01")})
    assert run(state_url, source(inbox)).states == {"accepted": 1, "duplicate": 2}
    fill(inbox, {"a.csv": content, "d.zip": zipped(content)})
    assert run(state_url, source(inbox)).states == {"duplicate": 2}
    assert messages(state) == {("ready", None): 3}
    assert len(there(inbox)["archive"]) == 5, "the second a.csv has a name of its own there"
    assert {row["duplicate_of"] for row in state.execute("select duplicate_of from billing.raw_files")} == {None, 1}


def test_of_a_refused_file_nothing_counts_and_the_same_file_again_is_a_duplicate(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, *POINTS)
    bad = nem12(*POINTS, days=700).replace(b"\r\n900", b"\r\n300,x\r\n900")  # thousands of good blocks before
    inbox = fill(tmp_path / "in", {"bad.csv": bad})
    assert run(state_url, source(inbox)).states == {"refused": 1}
    assert tables(state)["messages"] == tables(state)["intervals"] == []
    assert state.execute("select from billing.raw_streams").fetchall() == []
    fill(inbox, {"bad.csv": bad})
    assert run(state_url, source(inbox)).states == {"duplicate": 1}


JUNK = {
    "empty": b"",
    "blank": b" \r\n" * 10,
    "binary": bytes(random.Random(1).randbytes(100_000)),
    "nul.csv": nem12().replace(b"METER0", b"MET\0R0"),
    "utf16.csv": nem12().decode().encode("utf-16"),
    "latin.csv": nem12().replace(b"MDP1", "MÜP1".encode("latin-1")),
    "half.zip": zipped(nem12())[:200],
    "two.zip": zipped(zipped(nem12())),
    "path.zip": zipped(nem12(), "../../etc/x"),
    "bomb.zip": zipped(bytes(50_000_000)),
    "doctype.xml": b'<!DOCTYPE x [<!ENTITY a "b">]><feed xmlns="http://www.w3.org/2005/Atom">&a;</feed>',
}


def test_of_a_file_above_the_size_limit_the_facts_and_the_verdict_are_kept_and_only_its_beginning(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    supply(state, *POINTS)
    content = nem12(*POINTS, days=30)
    inbox = fill(tmp_path / "in", {"large.csv": content, "larger.csv": content + content})
    small = replace(source(inbox), max_bytes=len(content) // 2)
    assert run(state_url, small).states == {"refused": 2}
    for row in state.execute("select * from billing.raw_files").fetchall():
        stored = b"".join(pieces(state, row["id"]))
        assert stored == content[: len(content) // 2]
        assert (row["kept"], row["size"]) == (len(stored), len(content) * (1 + (row["name"] == "larger.csv")))
        assert row["sha256"] == hashlib.sha256(stored).digest()
        (said,) = state.execute("select code from billing.raw_findings where file = %s", [row["id"]]).fetchall()
        assert said["code"] == "R-SIZE"
    assert there(inbox) == {"error": {"large.csv", "larger.csv"}}
    (inbox / "error" / "large.csv").rename(inbox / "large.csv")
    assert run(state_url, replace(small, max_bytes=len(content))).states == {"accepted": 1}, "once the limit is raised"


def test_a_bad_file_never_ends_a_run(state: Connection, state_url: str, tmp_path: Path) -> None:
    supply(state, *POINTS)
    inbox = fill(tmp_path / "in", JUNK | {"zz good.csv": nem12(*POINTS)})
    found = run(state_url, source(inbox))
    assert found.states["accepted"] >= 1
    assert len(found.read) == len(JUNK) + 1
    assert states(state)["zz good.csv"][0] == "accepted"
    unsaid = state.execute(
        """
        select name from billing.raw_files as f where state in ('received', 'refused') and queue_why is null
        and not exists (select from billing.raw_findings as n where n.file = f.id)"""
    )
    assert unsaid.fetchall() == [], "each that was not read says why"
    assert there(inbox).keys() == {"archive", "error"}


def test_a_fault_of_a_reader_costs_one_file_and_a_person_sees_it(
    state: Connection, state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing_assets.metering.import_engine import loading  # noqa: PLC0415  # patched below

    written = loading._write_batch

    def fails(connection: Connection, file: int, *more: object) -> None:
        if file == 1:
            raise KeyError("x")
        written(connection, file, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(loading, "_write_batch", fails)
    inbox = fill(tmp_path / "in", {"a.csv": nem12(value=1), "b.csv": nem12(value=2)})
    assert run(state_url, source(inbox)).states == {"received": 1, "accepted": 1}
    (row,) = state.execute("select queue_state, queue_why from billing.raw_files where id = 1").fetchall()
    assert row["queue_state"] == "parked"
    assert "a.csv" in row["queue_why"]
    assert there(inbox) == {"archive": {"b.csv"}, "error": {"a.csv"}}


def test_what_came_before_master_data_is_freed_by_the_next_run(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    inbox = fill(tmp_path / "in", {"a.csv": nem12(*POINTS)})
    run(state_url, source(inbox))
    assert messages(state) == {("held", "NO_SERVICE_POINT"): 3}
    supply(state, *POINTS[:2])
    run(state_url, source(inbox))
    assert messages(state) == {("held", "NO_SERVICE_POINT"): 1, ("ready", None): 2}
    was = state.execute("select state, code from billing.message_states").fetchall()
    assert [tuple(row.values()) for row in was] == [("held", "NO_SERVICE_POINT")] * 2


def inbox_of_a_market() -> dict[str, bytes]:
    """Files that speak of the same days: estimates, actuals, revisions, doubles, conflicts."""
    made = "2026070{}0100".format
    return {
        "1.csv": nem12(*POINTS, days=3, quality="E52", created=made(2), stamp="20260702010000"),
        "2.csv": nem12(*POINTS[:2], days=2, created=made(4), stamp="20260704010000", value=100),
        "3.csv": nem12(POINTS[0], days=3, quality="S14", created=made(5), stamp="20260705010000", value=200),
        "4.csv": nem12(POINTS[0], days=1, quality="S53", created=made(6), stamp="20260706010000", value=300),
        "5.csv": nem12(POINTS[1], days=1, created=made(7), stamp="20260704010000", value=400),
        "6.csv": nem12(*POINTS, days=3, quality="E52", created=made(8), stamp="20260702010000"),
        "7.csv": nem12("4001000009", days=2, created=made(2)),
        "8.csv": nem12(POINTS[2])[:-9],
        "9.zip": zipped(nem12(*POINTS[:2], days=2, created=made(4), stamp="20260704010000", value=100)),
    }


def peace(url: str, folder: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the tables are after a run over all of it."""
    with connect(url) as other:
        supply(other, *POINTS)
        run(url, source(fill(folder, inbox_of_a_market())))
        return tables(other)


def test_the_same_inbox_twice_in_another_order_and_one_by_one_is_the_same(
    state: Connection, state_url: str, another_state_url: str, tmp_path: Path
) -> None:
    supply(state, *POINTS)
    files = list(inbox_of_a_market().items())
    for number in (1, 2, 3):
        random.Random(number).shuffle(files)
        for name, content in files:
            run(state_url, source(fill(tmp_path / "in", {name: content})))
    found = peace(another_state_url, tmp_path / "other")
    assert tables(state) == found
    codes = {row[-3] for row in found["intervals"]} | {row[-2] for row in found["intervals"]}
    assert {"current", "superseded", "held", "QUALITY_DOWNGRADE", "VERSION_CONFLICT", "NO_SERVICE_POINT"} <= codes


def test_workers_side_by_side_read_each_file_once_and_the_tables_are_the_same(
    state: Connection, state_url: str, another_state_url: str, tmp_path: Path
) -> None:
    supply(state, *POINTS)
    inbox = fill(tmp_path / "in", inbox_of_a_market() | {f"more {n}.csv": nem12(days=n + 2) for n in range(8)})
    ready = threading.Barrier(4)

    def work(number: int) -> int:
        ready.wait()
        return len(run(state_url, source(inbox), worker=f"worker {number}").read)

    with ThreadPoolExecutor(4) as pool:
        read = sum(pool.map(work, range(4)))
    until(lambda: run(state_url, source(inbox)).read == {} and not there(inbox).get("."), "all files are read")
    assert read >= 17
    assert [row["many"] for row in state.execute("select count(*) as many from billing.raw_files")] == [17]
    with connect(another_state_url) as other:
        supply(other, *POINTS)
        again = fill(tmp_path / "other", inbox_of_a_market() | {f"more {n}.csv": nem12(days=n + 2) for n in range(8)})
        run(another_state_url, source(again))
        assert tables(state) == tables(other)


def test_the_sum_of_a_file_is_the_sum_of_its_messages_and_of_the_tables(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    paths = [
        path
        for folder in ("nem-mdff", "green-button")
        for path in (DATA / folder).rglob("*")
        if path.is_file() and path.stat().st_size < 40_000
    ]
    inbox = fill(tmp_path / "in", {f"{n} {path.name}": path.read_bytes() for n, path in enumerate(paths)})
    run(state_url, source(inbox))
    of_files, of_messages, of_tables = sums(state)
    assert len(of_files) > 30
    assert of_messages == of_files
    different = {file for file in of_files if of_tables.get(file) != of_files[file]}
    twice = state.execute("select distinct file from billing.raw_messages where state = 'duplicate'").fetchall()
    assert different <= {row["file"] for row in twice}, "only a message that came before is in no table"
    unsaid = state.execute("select from billing.raw_files where state in ('refused', 'received') and counts = '{}'")
    assert unsaid.fetchall() == []


def test_a_file_of_many_pieces_is_read_as_it_was(state: Connection) -> None:
    content = random.Random(2).randbytes(3 * CHUNK_BYTES + 17)
    file = store_raw(state, Origin("a", "api"), (content[at : at + 70_001] for at in range(0, len(content), 70_001)))
    assert file is not None
    stored = file_of(state, file)
    assert stored is not None
    assert stored.size == len(content)
    with opened(state, stored) as read:
        assert read.read() == content
        read.seek(-20, io.SEEK_END)
        assert read.read(10) == content[-20:-10]
        read.seek(CHUNK_BYTES - 5)
        assert read.read(10) == content[CHUNK_BYTES - 5 : CHUNK_BYTES + 5]
    assert RawBytes(state, stored).read(2 * CHUNK_BYTES) == content[:CHUNK_BYTES], "a piece at a time"


def test_a_file_that_took_the_name_of_one_that_was_read_is_taken_too(
    state: Connection, state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing_assets.metering.import_engine import taking  # noqa: PLC0415  # patched below

    inbox = fill(tmp_path / "in", {"a.csv": nem12(value=1)})
    with monkeypatch.context() as patched:
        patched.setattr(taking, "move_read", lambda *_: fill(inbox, {"a.csv": nem12(value=2, days=2)}) and 0)
        run(state_url, source(inbox))
    assert run(state_url, source(inbox)).states == {"accepted": 1}
    assert [row["moved_to"] for row in state.execute("select moved_to from billing.raw_files order by id")] == [
        None,
        "archive/a.csv",
    ]
    assert there(inbox) == {"archive": {"a.csv"}}


@needs_sshd
def test_files_on_a_server_are_taken_and_moved_there(state: Connection, state_url: str, sshd: Sshd) -> None:
    supply(state, *POINTS)
    fill(sshd.inbox, {"nem12#1#a#b.csv": nem12(*POINTS), "bad.csv": b"100,NEM99\r\n900\r\n"})
    on_server = source(sshd.inbox, open_folder=sshd.opened)
    assert run(state_url, on_server).states == {"accepted": 1, "refused": 1}
    assert there(sshd.inbox) == {"archive": {"nem12#1#a#b.csv"}, "error": {"bad.csv"}}
    fill(sshd.inbox, {"nem12#1#a#b.csv": nem12(*POINTS, value=5)})
    assert run(state_url, on_server).states == {"accepted": 1}
    assert "3 nem12#1#a#b.csv" in there(sshd.inbox)["archive"]


@needs_sshd
def test_a_server_that_is_down_costs_its_own_folder_only(
    state: Connection, state_url: str, sshd: Sshd, tmp_path: Path
) -> None:
    inbox = fill(tmp_path / "in", {"a.csv": nem12(*POINTS)})
    elsewhere = source(sshd.inbox, open_folder=sshd.opened)
    sshd.stop()
    found = run(state_url, elsewhere, source(inbox))
    assert [fault.where for fault in found.faults] == [sshd.opened().address]
    assert found.states == {"accepted": 1}
