"""The picture of docs/performance.md, drawn from docs/performance.json: `python -m benchmarks.picture`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import page

_COLOURS = ["#1f5a92", "#4f8fc4", "#92bfe0", "#e08a3c", "#f0b97d", "#5f9e6e", "#a3cfae", "#8d7aa8", "#c9bfd8"]
_PEER = "#b5b5b5"
_TEXT = "#222222"


class Bar(NamedTuple):
    """One bar: its name, its parts in milliseconds, and whether it is a peer's."""

    name: str
    parts: Mapping[str, float]
    peer: bool = False


def main(target: Path = page.PAGE) -> Path:
    """Draws what the JSON has, into `images/performance.png` beside the page."""
    charts = _charts(page.kept(target), page.kept_profiles(target))
    height = [len(bars) for _, bars in charts]
    figure = Figure(figsize=(9, 1.0 + 1.15 * sum(height)), layout="constrained")
    axes = figure.subplots(len(charts), 1, height_ratios=height, squeeze=False)
    for axis, (title, bars) in zip(axes[:, 0], charts, strict=True):
        _draw(axis, title, bars)
    path = target.parent / "images" / "performance.png"
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=130)
    return path


def _charts(results: Mapping[str, Any], profiles: Mapping[str, Any]) -> list[tuple[str, Sequence[Bar]]]:
    charts: list[tuple[str, Sequence[Bar]]] = []
    if "posting_15" in results:
        charts.append(("A lane's time for a posted document, 15 lanes (ms)", [_lane_time(results["posting_15"])]))
    if "posting_cpu" in results and "posting" in profiles:
        bare = results["posting_cpu"]["held_against"]["median"]
        bars = [Bar("ours", profiles["posting"]["parts"]), Bar("bare loop", {"HTTP": bare}, peer=True)]
        charts.append(("CPU time of a posted document (ms)", bars))
    if "staging_first" in results and "staging" in profiles:
        first = results["staging_first"]
        copy = 1000 * first["held_against"]["median"] / first["rounds"][0]["documents"]
        bars = [Bar("ours", profiles["staging"]["parts"]), Bar("COPY", {"COPY by psql": copy}, peer=True)]
        charts.append(("Wall time of a document staged for the first time (ms)", bars))
    return charts


def _lane_time(result: Mapping[str, Any]) -> Bar:
    """Of the largest round: lanes × wall ÷ documents, and NetSuite's share of it."""
    largest = max(result["rounds"], key=lambda one: one["documents"])
    netsuite = 1000 * largest["detail"]["mean latency (s)"]
    whole = netsuite * largest["ours"] / largest["against"]
    return Bar("ours", {"NetSuite works": netsuite, "all else": whole - netsuite})


def _draw(axis: Axes, title: str, bars: Sequence[Bar]) -> None:
    longest = max(sum(bar.parts.values()) for bar in bars)
    for row, bar in enumerate(bars):
        left = 0.0
        for place, (name, size) in enumerate(sorted(bar.parts.items(), key=lambda part: -part[1])):
            colour = _PEER if bar.peer else _COLOURS[place % len(_COLOURS)]
            axis.barh(row, size, left=left, height=0.5, color=colour, edgecolor="white", linewidth=1)
            _label(axis, row, left, size, name, longest, place)
            left += size
        axis.text(left + 0.008 * longest, row, f"{left:.3g}", va="center", ha="left", color=_TEXT, fontsize=9)
    axis.set_yticks(range(len(bars)), [bar.name for bar in bars])
    axis.set_ylim(len(bars) - 0.4, -0.75)
    axis.set_xlim(0, 1.08 * longest)
    axis.set_title(title, loc="left", fontsize=10.5, color=_TEXT)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(left=False, labelsize=9)


def _label(axis: Axes, row: int, left: float, size: float, name: str, longest: float, place: int) -> None:
    """The name in its part where there is room, else above it; what is too small for either is in the page's table."""
    if size > 0.013 * longest * len(name):
        axis.text(left + size / 2, row, f"{name}\n{size:.3g}", va="center", ha="center", color="white", fontsize=8)
    elif size > 0.02 * longest:
        axis.text(left + size / 2, row - 0.3, name, va="bottom", ha="left", color=_TEXT, fontsize=7, rotation=18)


if __name__ == "__main__":
    print(main())
