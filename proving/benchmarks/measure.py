"""What a measure is, what comes of one, and what of it is kept.

A measure sets two things side by side, run alternately in the same invocation and in the same unit: ours, and what it
is compared with. What counts is their ratio; its median is compared with the mark.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Round(NamedTuple):
    """One playing of both sides over so many documents, in the unit of the measure.

    `detail`: further numbers about ours, by what they are ("lanes idle (%)"). `measure`: the name of the measure that
    it is of, where several share one play.
    """

    ours: float
    against: float
    documents: int
    detail: Mapping[str, float] = {}
    measure: str = ""


@dataclass(frozen=True)
class Mark:
    """What is to be reached. `at_most`: ours ÷ against; or `faster`: against ÷ ours, at least.

    `most`: ours itself may not be above it, in the measure's unit.
    """

    at_most: float | None = None
    faster: float | None = None
    most: float | None = None

    def ratio(self, one: Round) -> float:
        """The ratio that the mark speaks of."""
        return one.ours / one.against if self.faster is None else one.against / one.ours

    def reached(self, rounds: list[Round]) -> bool:
        """Whether the median of the rounds is at the mark."""
        ratio = statistics.median(self.ratio(one) for one in rounds)
        ours = statistics.median(one.ours for one in rounds)
        return (
            (self.at_most is None or ratio <= self.at_most)
            and (self.faster is None or ratio >= self.faster)
            and (self.most is None or ours <= self.most)
        )

    def said(self, unit: str) -> str:
        """The mark in a few characters, e.g. "≤ 1.1, ≤ 300 MB"."""
        parts = [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        parts += [f"≥ {self.faster:g} × as fast"] if self.faster is not None else []
        parts += [f"≤ {self.most:g} {unit}"] if self.most is not None else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Place:
    """Where a measure works: a PostgreSQL server on which it makes its databases (URL of one, as a superuser), and an
    empty folder. What it makes there, it removes."""

    server_url: str
    folder: Path


Play = Callable[[Place, bool], Iterator[Round]]
"""Plays the rounds of a measure at a place; small (a second or two, to see that it works) or at full size."""


@dataclass(frozen=True)
class Measure:
    """`name` on the command line, `what` is measured `against` what, in which `unit`, to reach which `mark`.

    `minutes`: about how long it takes at full size. Measures with the same `play` are played together.
    """

    name: str
    what: str
    against: str
    unit: str
    mark: Mark
    minutes: float
    play: Play = field(repr=False)


def result(measure: Measure, rounds: list[Round]) -> dict[str, Any]:
    """What is kept of a measure in docs/performance.json. Raises ValueError where there is no round."""
    if not rounds:
        raise ValueError(f"{measure.name} played no round")
    ratios = [measure.mark.ratio(one) for one in rounds]
    details = {name for one in rounds for name in one.detail}
    return {
        "what": measure.what,
        "against": measure.against,
        "unit": measure.unit,
        "mark": measure.mark.said(measure.unit),
        "reached": measure.mark.reached(rounds),
        "ratio": _spread(ratios),
        "ours": _spread([one.ours for one in rounds]),
        "held_against": _spread([one.against for one in rounds]),
        "detail": {
            name: _spread([one.detail[name] for one in rounds if name in one.detail]) for name in sorted(details)
        },
        "rounds": [
            {"ours": one.ours, "against": one.against, "documents": one.documents, "detail": dict(one.detail)}
            for one in rounds
        ],
    }


def _spread(values: list[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}
