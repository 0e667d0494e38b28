"""The journal's files: what is on disk after a crash, beside others, and on a disk that is full."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from billing_assets.foundation.journal.errors import JournalUnusable
from billing_assets.foundation.journal.files import Journal, Writer
from proving.world.journals import new_journal

WRITES = """
import os, signal, sys
from pathlib import Path
from billing_assets.foundation.journal.files import Journal
journal = Journal(Path(sys.argv[1]))
journal.identify()
with journal.writer("closes") as writer:
    for number in range(int(sys.argv[2])):
        writer.append({"who": sys.argv[3], "number": number})
    if sys.argv[3] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def writes(folder: Path, lines: int, who: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITES, str(folder), str(lines), who])


def numbers(journal: Journal, who: str) -> list[int]:
    return sorted(line["number"] for line in journal.read("closes", {}).lines if line["who"] == who)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As if the disk were full: what would make a file larger is taken in part, then refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_processes_that_write_at_once_lose_and_double_nothing_and_a_killed_one_loses_nothing_of_what_it_wrote(
    tmp_path: Path,
) -> None:
    journal = new_journal(tmp_path / "journal")
    processes = [writes(journal.folder, 200, who) for who in ("one", "two", "dies")]
    assert [process.wait(60) for process in processes] == [0, 0, -signal.SIGKILL]
    for who in ("one", "two", "dies"):
        assert numbers(journal, who) == list(range(200))
    assert journal.read("closes", {}).damaged == []


def test_a_file_that_is_torn_foreign_or_unreadable_is_named_and_kept_and_the_others_are_read(tmp_path: Path) -> None:
    journal, other = new_journal(tmp_path / "journal"), new_journal(tmp_path / "other")
    paths: dict[str, Path] = {}
    for name in ("good", "torn", "garbage", "newer", "late"):
        with journal.writer("closes") as writer:
            writer.append({"who": name, "number": 1})
        paths[name] = writer.path
    with other.writer("closes") as writer:
        writer.append({"who": "other", "number": 1})
    paths["foreign"] = paths["good"].with_name(writer.path.name)
    paths["foreign"].write_bytes(writer.path.read_bytes())
    paths["torn"].write_bytes(paths["torn"].read_bytes() + b'{"who":"torn","num')
    paths["garbage"].write_bytes(paths["garbage"].read_bytes().replace(b'{"who', b"\x00\xff{who"))
    paths["newer"].write_bytes(paths["newer"].read_bytes().replace(b'"format":1', b'"format":2'))
    paths["notes"] = paths["good"].with_name("notes.txt")
    paths["notes"].write_text("please keep")
    paths["folder"] = paths["good"].with_name("20101101T000000Z.jsonl")
    paths["folder"].mkdir()
    before = {path: path.read_bytes() for path in paths.values() if path.is_file()}
    ends = {paths["late"].relative_to(journal.folder).as_posix(): 10_000}
    found = journal.read("closes", ends)
    assert sorted(line["who"] for line in found.lines) == ["good", "torn"]
    assert found.torn == [paths["torn"].relative_to(journal.folder).as_posix()]
    said = {Path(one.name).name: one.problem for one in found.damaged}
    assert said == {
        paths["foreign"].name: "it belongs to another journal",
        paths["garbage"].name: "a line in it cannot be read",
        paths["newer"].name: "a newer version wrote it",
        paths["notes"].name: "it is no file of the journal",
        paths["folder"].name: "is a directory",
        paths["late"].name: f"it has become shorter: {paths['late'].stat().st_size:,} bytes instead of 10,000",
    }
    assert {path: path.read_bytes() for path in before} == before


def test_what_a_full_disk_did_not_take_whole_counts_as_not_written_and_the_path_is_named(tmp_path: Path) -> None:
    journal = new_journal(tmp_path / "journal")
    with journal.writer("closes") as writer:
        writer.append({"who": "one", "number": 1})
        size = writer.path.stat().st_size
        with largest_file(size + 10), pytest.raises(JournalUnusable) as refused:
            writer.append({"who": "one", "number": 2})
        assert str(writer.path) in str(refused.value)
        assert writer.path.stat().st_size == size, "no half a line stays"
        writer.append({"who": "one", "number": 3})
    assert numbers(journal, "one") == [1, 3]
    with largest_file(10), pytest.raises(JournalUnusable):
        journal.writer("closes")
    assert [path.name for path in writer.path.parent.iterdir()] == [writer.path.name], "no empty file stays"


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(JournalUnusable, match=str(tmp_path / "journal")):
        Journal(tmp_path / "journal").identify()
    broken = new_journal(tmp_path / "broken")
    (broken.folder / "journal.json").write_text("{")
    with pytest.raises(JournalUnusable, match=r"journal\.json"):
        Journal(broken.folder).identify()


def test_only_the_owner_may_read_the_journal_and_a_writer_without_lines_leaves_no_file(tmp_path: Path) -> None:
    journal = new_journal(tmp_path / "journal")
    with journal.writer("closes") as unused:
        pass
    with Writer(journal.folder, "closes", "id") as writer:
        writer.append({"number": 1})
    assert not unused.path.exists()
    assert [json.loads(line) for line in writer.path.read_text().splitlines()][1:] == [{"number": 1}]
    for path in (journal.folder, *journal.folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path
