"""The benchmarks work, small; how fast anything is, no test says."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proving import measured
from proving.benchmarks import page, passage, picture, profile
from proving.benchmarks.command import grouped, played
from proving.benchmarks.measure import Mark, Measure, Place, Round, result
from proving.benchmarks.registry import MEASURES
from proving.benchmarks.sandbox import Work, idle_share, mean_seconds

KINDS = {group[0].play.__code__: group for group in grouped(MEASURES)}.values()
"""Of measures that differ in their numbers only, one."""
EMPTY = "# Performance\n\n<!-- measured: table -->\n<!-- end -->\n\n<!-- measured: where_posting -->\n<!-- end -->\n"


def measure(mark: Mark) -> Measure:
    return Measure("walk", "walking", "running", "s", mark, 1, lambda here, small: iter(()))


@pytest.mark.parametrize("group", KINDS, ids=lambda group: group[0].name)
def test_a_measure_runs_and_stands_in_the_json_and_in_the_table(
    group: list[Measure], server_url: str, tmp_path: Path
) -> None:
    target = tmp_path / "performance.md"
    target.write_text(EMPTY, encoding="utf-8")
    for name, found in played(group, Place(server_url, tmp_path), small=True).items():
        measured.write("table", page.table(page.keep(name, found, datetime.now(UTC), target), MEASURES), target)
    kept = json.loads(target.with_suffix(".json").read_text(encoding="utf-8"))["measures"]
    assert kept.keys() == {one.name for one in group}
    for one in kept.values():
        assert 0 < one["ratio"]["min"] <= one["ratio"]["median"] <= one["ratio"]["max"]
        assert all(played["ours"] > 0 and played["against"] > 0 and played["documents"] > 0 for played in one["rounds"])
        assert one["versions"].keys() >= {"Python", "PostgreSQL", "Dagster", "dlt"}
        assert one["what"] in target.read_text(encoding="utf-8")


def test_what_grows_is_measured_and_told(server_url: str, tmp_path: Path) -> None:
    found = passage.passage(Place(server_url, tmp_path), small=True)
    tables = {row["name"]: row for row in found["tables"]}
    assert tables["staged_invoices"]["heap"] >= tables["staged_invoices"]["heap_rewritten"] > 0
    assert "`staged_invoices`" in passage.text(found | {"measured": "", "machine": ""})


def test_the_median_of_the_rounds_is_held_against_the_mark() -> None:
    rounds = [Round(1.0, 1.0, 10), Round(1.1, 1.0, 10), Round(9.0, 1.0, 10)]
    assert result(measure(Mark(at_most=1.1)), rounds)["reached"]
    assert not result(measure(Mark(at_most=1.05)), rounds)["reached"]
    assert result(measure(Mark(at_most=1.1)), rounds)["ratio"] == {"min": 1.0, "median": 1.1, "max": 9.0}


def test_a_peer_is_beaten_by_the_ratio_the_other_way_round() -> None:
    rounds = [Round(2.0, 7.0, 10)]
    assert result(measure(Mark(faster=3)), rounds)["ratio"]["median"] == 3.5
    assert not result(measure(Mark(faster=4)), rounds)["reached"]


def test_a_mark_may_also_limit_ours_itself() -> None:
    rounds = [Round(310.0, 300.0, 10)]
    assert result(measure(Mark(at_most=1.1)), rounds)["reached"]
    assert not result(measure(Mark(at_most=1.1, most=300)), rounds)["reached"]
    assert result(measure(Mark(at_most=1.1, most=300)), rounds)["mark"] == "≤ 1.1, ≤ 300 s"


def test_lanes_count_as_idle_while_netsuite_works_on_nothing() -> None:
    work = [Work(0.0, 2.0), Work(1.0, 1.0), Work(3.0, 5.0)]
    assert mean_seconds(work) == pytest.approx(8 / 3)
    assert idle_share(work, 2, 0.0, 4.0) == pytest.approx(1 - 4 / 8)


def test_a_table_is_written_only_where_the_page_has_a_place_for_it(tmp_path: Path) -> None:
    target = tmp_path / "performance.md"
    target.write_text(EMPTY, encoding="utf-8")
    measured.write("table", "| anew |", target)
    measured.write("table", "| anew again |", target)
    assert "| anew again |" in target.read_text(encoding="utf-8")
    assert "| anew |" not in target.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no place for elsewhere"):
        measured.write("elsewhere", "", target)


def test_the_figures_in_the_documentation_are_those_that_were_measured() -> None:
    said = page.PAGE.read_text(encoding="utf-8")
    if measures := page.kept():
        assert page.table(measures, MEASURES) in said
    for name, found in page.kept_profiles().items():
        assert page.profile_table(found) in said, name


def test_a_profiled_stack_belongs_to_the_innermost_function_of_ours() -> None:
    stack = ";".join(
        [
            "post (proving/benchmarks/backlog.py:120)",
            "create (billing_assets/erp/netsuite/client.py:84)",
            "exchange (billing_assets/erp/netsuite/wire.py:110)",
            "send (requests/adapters.py:600)",
        ]
    )
    assert profile.what(stack, {"erp/netsuite/wire.py": "HTTP", "erp/netsuite": "other"}) == "HTTP"
    assert (
        profile.what(stack, {"erp/netsuite/wire.py:exchange": "sending", "erp/netsuite/wire.py": "HTTP"}) == "sending"
    )
    assert profile.what(stack, {}) == "the rest"
    assert profile.what("run (threading.py:1)", {}) is None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere py-spy wants to be root")
def test_a_profile_tells_what_staging_spends_its_time_on(server_url: str, tmp_path: Path) -> None:
    found = profile.staging(Place(server_url, tmp_path), small=True)
    assert found.documents == 60
    assert "reading the billing system" in found.parts
    assert sum(found.parts.values()) == pytest.approx(found.milliseconds)


def test_the_picture_is_drawn_from_what_was_measured(tmp_path: Path) -> None:
    target, now = tmp_path / "performance.md", datetime.now(UTC)
    detail = {"mean latency (s)": 0.3}
    for name, one in [
        ("posting_15", Round(1.05, 1.0, 100, detail)),
        ("posting_cpu", Round(1.5, 1.0, 100)),
        ("staging_first", Round(4.0, 1.0, 100)),
    ]:
        page.keep(name, result(MEASURES[name], [one]), now, target)
    for name in ("posting", "staging"):
        found = profile.Profile(100, 3.0, {"HTTP": 2.0, "the rest": 1.0})
        page.keep_profile(name, found._asdict(), now, target)
    began = time.time()
    drawn = picture.main(target)
    assert drawn.stat().st_mtime >= began - 1
    assert drawn.read_bytes().startswith(b"\x89PNG")
