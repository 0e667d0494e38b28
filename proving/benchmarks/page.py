"""docs/performance.md and the JSON beside it: what was measured, where and when. No figure there is typed by hand."""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from proving import measured

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"

_MOST_COUNTS = 3

Results = dict[str, dict[str, Any]]
"""What is kept of the measures, or of the profiles, by name."""


def kept(page: Path = PAGE) -> Results:
    """The measures played so far."""
    return _read(page)["measures"]


def kept_profiles(page: Path = PAGE) -> Results:
    """The profiles taken so far."""
    return _read(page)["profiles"]


def keep(name: str, result: Mapping[str, Any], began: datetime, page: Path = PAGE) -> Results:
    """Puts one measure into the JSON, with where and when; the others stay. Returns all."""
    return _keep("measures", name, result, began, page)


def keep_profile(name: str, profile: Mapping[str, Any], began: datetime, page: Path = PAGE) -> Results:
    """The same for a profile."""
    return _keep("profiles", name, profile, began, page)


def _read(page: Path) -> dict[str, Results]:
    path = page.with_suffix(".json")
    found: dict[str, Results] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {"measures": {}, "profiles": {}} | found


def _keep(kind: str, name: str, found: Mapping[str, Any], began: datetime, page: Path) -> Results:
    everything = _read(page)
    where = {"measured": f"{began:%Y-%m-%d %H:%M} UTC", "machine": measured.machine(), "versions": versions()}
    everything[kind][name] = {**found, **where}
    text = json.dumps(everything, indent=2, ensure_ascii=False)
    page.with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return everything[kind]


def table(results: Results, names: Iterable[str]) -> str:
    """The measures that have been played, in the order of `names`, and below it where they were."""
    columns = ["measure", "against", "documents", "ours", "against it", "ratio: min · median · max", "to reach", "mark"]
    shown = [results[name] for name in names if name in results]
    return f"{measured.table(columns, (_row(one) for one in shown))}\n\n{_where(shown)}"


def profile_table(profile: Mapping[str, Any]) -> str:
    """What a document's time went into."""
    whole = profile["milliseconds"]
    rows = [[name, f"{part:.3f} ms", f"{100 * part / whole:.0f} %"] for name, part in profile["parts"].items()]
    table = measured.table(["what", "per document", "share"], [*rows, ["all", f"{whole:.3f} ms", ""]])
    return f"{table}\n\n{profile['documents']:,} documents. {_where([profile])}"


def _row(result: Mapping[str, Any]) -> Sequence[str]:
    ratio, unit = result["ratio"], result["unit"]
    details = [f"{name} {_number(values['median'])}" for name, values in result["detail"].items()]
    return [
        "; ".join([result["what"], *details]),
        result["against"],
        _documents(result["rounds"]),
        f"{_number(result['ours']['median'])} {unit}",
        f"{_number(result['held_against']['median'])} {unit}",
        " · ".join(f"{ratio[name]:.2f}" for name in ("min", "median", "max")),
        result["mark"],
        "reached" if result["reached"] else "**not reached**",
    ]


def _documents(rounds: Sequence[Mapping[str, Any]]) -> str:
    counted = Counter(one["documents"] for one in rounds)
    if len(counted) > _MOST_COUNTS:
        return f"{len(rounds)} × {min(counted):,} to {max(counted):,}"
    return ", ".join(f"{times} × {documents:,}" for documents, times in counted.items())


def _number(value: float) -> str:
    """Three digits are enough; more only where they stand before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _where(shown: Sequence[Mapping[str, Any]]) -> str:
    """Machines and versions: one line for all measures that share them, with the times of the first and the last."""
    places: dict[str, list[str]] = {}
    for one in shown:
        where = f"{one['machine']}; {', '.join(f'{name} {number}' for name, number in one['versions'].items())}."
        places.setdefault(where, []).append(one["measured"])
    return "\n\n".join(f"{_times(times)}, {where}" for where, times in places.items())


def _times(times: Sequence[str]) -> str:
    first, last = min(times), max(times)
    return first if first == last else f"{first} to {last}"


def versions() -> dict[str, str]:
    """Versions of all that takes part."""
    packages = {
        "Dagster": "dagster",
        "psycopg": "psycopg",
        "requests": "requests",
        "netsuite": "netsuite",
        "dlt": "dlt",
    }
    return {
        "Python": platform.python_version(),
        "PostgreSQL": measured.postgresql_version(),
        **{name: version(package) for name, package in packages.items()},
    }
