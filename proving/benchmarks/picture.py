"""The picture of docs/performance.md, drawn from docs/performance.json: `python -m proving.benchmarks.picture`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proving.benchmarks import page

_OURS, _WHOLE, _NETSUITE, _PEER, _TEXT = "#5b93c7", "#1f5a92", "#e08a3c", "#a8a8a8", "#222222"
_INCHES_A_ROW = 0.27
_SEEN = 0.005  # a shorter bar, as a share of the whole, cannot be seen


class Row(NamedTuple):
    """One bar: its name, where it begins and how long it is (ms), and its colour."""

    name: str
    begin: float
    milliseconds: float
    colour: str


Chart = tuple[str, Sequence[Row]]


def main(target: Path = page.PAGE) -> Path:
    """Draws what the JSON has, into `images/performance.png` beside the page."""
    charts = _charts(page.kept(target), page.kept_profiles(target))
    rows = [len(chart[1]) + 2.2 for chart in charts]  # room for title and axis
    figure = Figure(figsize=(8.5, _INCHES_A_ROW * sum(rows)), layout="constrained")
    axes = figure.subplots(len(charts), 1, height_ratios=rows, squeeze=False)
    for axis, (title, bars) in zip(axes[:, 0], charts, strict=True):
        _draw(axis, title, bars)
    path = target.parent / "images" / "performance.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def _charts(results: Mapping[str, Any], profiles: Mapping[str, Any]) -> list[Chart]:
    charts: list[Chart] = []
    if "posting_15" in results:
        charts.append(("What a lane spends on a posted document, of 15 lanes", _lane_time(results["posting_15"])))
    if "posting_cpu" in results and "posting" in profiles:
        bare = Row("bare loop", 0, results["posting_cpu"]["held_against"]["median"], _PEER)
        charts.append(("CPU time of a posted document", [*_parts(profiles["posting"]), bare]))
    if "staging_first" in results and "staging" in profiles:
        first = results["staging_first"]
        copy = 1000 * first["held_against"]["median"] / first["rounds"][0]["documents"]
        bars = [*_parts(profiles["staging"]), Row("COPY", 0, copy, _PEER)]
        charts.append(("Wall time of a document that is staged for the first time", bars))
    return charts


def _lane_time(result: Mapping[str, Any]) -> list[Row]:
    """Of the largest round: lanes × wall ÷ documents, and NetSuite's share of it."""
    largest = max(result["rounds"], key=lambda one: one["documents"])
    netsuite = 1000 * largest["detail"]["mean latency (s)"]
    whole = netsuite * largest["ours"] / largest["against"]
    return [Row("NetSuite works", 0, netsuite, _NETSUITE), Row("everything else", netsuite, whole - netsuite, _OURS)]


def _parts(profile: Mapping[str, Any]) -> list[Row]:
    """One after the other, the longest first, so that the last ends where the whole does."""
    rows, begin = [], 0.0
    for name, milliseconds in profile["parts"].items():
        if milliseconds > _SEEN * profile["milliseconds"]:
            rows.append(Row(name, begin, milliseconds, _OURS))
        begin += milliseconds
    return [*rows, Row("all of it", 0, begin, _WHOLE)]


def _draw(axis: Axes, title: str, rows: Sequence[Row]) -> None:
    whole = max(row.begin + row.milliseconds for row in rows)
    for place, row in enumerate(rows):
        end = row.begin + row.milliseconds
        axis.barh(place, row.milliseconds, left=row.begin, height=0.72, color=row.colour)
        axis.text(
            end + 0.006 * whole,
            place,
            f"{row.milliseconds:.2g}" if row.milliseconds < 10 else f"{row.milliseconds:.0f}",
            va="center",
            color=_TEXT,
            fontsize=8,
        )
    axis.set_yticks(range(len(rows)), [row.name for row in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(0, 1.08 * whole)
    axis.set_title(f"{title} (ms)", loc="left", fontsize=10, color=_TEXT)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(left=False, labelsize=8, labelcolor=_TEXT)


if __name__ == "__main__":
    print(main())
