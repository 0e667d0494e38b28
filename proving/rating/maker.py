"""The choices that the charges and the usage of one random case share."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

from proving.rating import clock
from proving.rating.bill import Json

ALL = list(clock.WEEK)
WORKING, WEEKEND = ALL[:5], ALL[5:]
ZONES = ("Australia/Sydney", "Europe/Berlin", "America/Chicago", "UTC", "UTC+10", "UTC-6")
ANCHORS = [
    "2026-04-05",
    "2026-10-04",
    "2026-03-29",
    "2026-10-25",
    "2026-03-08",
    "2026-11-01",
    "2024-02-29",
    "2028-02-29",
    "2025-12-31",
    "2026-12-31",
    "2026-06-15",
    "2025-07-01",
]


class Maker:
    """The choices that the parts of one case share."""

    def __init__(self, seed: int, n: int) -> None:
        self.r = r = Random(seed * 1_000_003 + n)
        self.zone = r.choice(ZONES)
        self.by_interval = r.random() < 0.5
        anchor = clock.day(r.choice(ANCHORS))
        length = (
            r.choice((1, 2, 3, 5, 7))
            if self.by_interval and r.random() < 0.93
            else r.choice((1, 12, 28, 30, 31, 33, 61, 90))
        )
        if self.by_interval:
            length = min(length, 31)
        self.first = anchor - timedelta(days=r.randrange(length))
        if r.random() < 0.3:
            self.first = date(anchor.year, anchor.month, 1)
            length = clock.month_days(self.first) if not self.by_interval or r.random() < 0.15 else length
        self.end = self.first + timedelta(days=length)
        self.days = clock.days(self.first, self.end)
        self.minutes = r.choice((5, 15, 15, 30, 30, 60) if length < 4 else (15, 30, 30, 60))
        self.holidays = sorted(r.sample(self.days, min(len(self.days), r.choice((0, 0, 1, 2)))))
        self.charges: list[Json] = []
        self.usage: Json = {"registers": [], "intervals": []}
        self.context: Json = {"holidays": [day.isoformat() for day in self.holidays]}
        fixed = self.zone.startswith("UTC") and self.zone != "UTC"
        self.context["time_zone"] = "Australia/Sydney" if fixed else self.zone
        self.own_zone = {"time_zone": self.zone} if fixed else {}

    @property
    def dates(self) -> Json:
        return {"from": self.first.isoformat(), "to": self.end.isoformat()}

    def price(self, low: int = 100, high: int = 6000) -> str:
        return f"{self.r.randrange(low, high) / 10000:.4f}"

    def amount(self, high: int = 5000) -> str:
        return f"{self.r.randrange(1, high) / 100:.2f}"

    def cut(self) -> str | None:
        """A day inside the bill on which a version changes."""
        if len(self.days) < 2 or self.r.random() < 0.6:
            return None
        return self.r.choice(self.days[1:]).isoformat()

    def versions(self, part: Callable[[], Json], changes: bool = True) -> list[Json]:
        cut = self.cut() if changes else None
        if cut is None:
            return [{"valid_from": "2020-01-01", **part()}]
        return [{"valid_from": "2020-01-01", "valid_to": cut, **part()}, {"valid_from": cut, **part()}]

    def add(self, code: str, kind: str, versions: list[Json], **more: Any) -> Json:
        charge = {"code": code, "kind": kind, **more, "versions": versions}
        if self.r.random() < 0.8 and "tax_category" not in charge and kind != "tax":
            charge["tax_category"] = "T"
        self.charges.append(charge)
        return charge

    def blocks(self, top: int = 400) -> list[Json]:
        edges = sorted(self.r.sample(range(1, top), self.r.choice((1, 1, 2, 3))))
        return [{"up_to": str(edge), "price": self.price()} for edge in edges] + [{"price": self.price()}]

    def windows(self, priced: Callable[[], Json]) -> list[Json]:
        """A week in which each minute has one window; with or without a type for holidays."""
        r = self.r
        groups = r.choice(
            (
                [ALL],
                [WORKING, WEEKEND],
                [WORKING, [*WEEKEND, "holiday"]],
                [[*ALL, "holiday"]],
                [WORKING, WEEKEND, ["holiday"]],
            )
        )
        step = max(self.minutes, 30)
        by_name: dict[str, Json] = {name: priced() for name in ("peak", "shoulder", "off")}
        found = []
        for days in groups:
            cuts = sorted(r.sample(range(0, 1440, step), r.choice((0, 2, 2, 3, 4))))
            pairs = [*zip(cuts, [*cuts[1:], *cuts[:1]], strict=True)] or [(0, 1440)]
            for start, end in pairs:
                name = r.choice(list(by_name))
                edges = {"from": f"{start // 60:02}:{start % 60:02}", "to": f"{end // 60:02}:{end % 60:02}"}
                found.append({"name": name, "days": list(days), **edges, **by_name[name]})
        return found

    def seasons(self, part: Callable[[], Json]) -> list[Json]:
        """Two seasons; often one begins within the bill."""
        r = self.r
        at = r.choice(self.days) if r.random() < 0.6 else date(2025, r.randrange(1, 13), 1)
        first = date(2025, at.month, min(at.day, 28))
        second = first + timedelta(days=r.randrange(130, 230))
        edges = [
            (first.strftime("%m-%d"), (second - timedelta(days=1)).strftime("%m-%d")),
            (second.strftime("%m-%d"), (first - timedelta(days=1)).strftime("%m-%d")),
        ]
        names = ("one", "two")
        return [{"name": names[n], "from": edges[n][0], "to": edges[n][1], **part()} for n in range(2)]

    def register(self, channel: str, name: str = "", whole: bool = False, negative: bool = False) -> None:
        """One register for the period, or two where the meter was changed."""
        edges = [self.first, self.end]
        if not whole and len(self.days) > 3 and self.r.random() < 0.2:
            edges.insert(1, self.r.choice(self.days[1:-1]))
        for n in range(len(edges) - 1):
            quantity = f"{self.r.randrange(1, 900_000) / 1000:.3f}"
            row = {
                "channel": channel,
                "quantity": quantity,
                "from": edges[n].isoformat(),
                "to": edges[n + 1].isoformat(),
            }
            row["quality"] = self.r.choice("AAAAESF")
            row.update({"meter": f"M{n}"} if n else {}, **({"register": name} if name else {}))
            self.usage["registers"].append(row)

    def intervals(self, channel: str, low: int = 1, high: int = 900, **more: Any) -> Json:
        start, end = clock.midnight(self.zone, self.first), clock.midnight(self.zone, self.end)
        count = (end - start) // self.minutes
        values = [f"{self.r.randrange(low, high) / 1000:.3f}" for _ in range(count)]
        row: Json = {
            "channel": channel,
            "start": clock.written(start),
            "minutes": self.minutes,
            "values": values,
            **more,
        }
        if self.r.random() < 0.25:
            some = self.r.randrange(1, count + 1)
            row["quality"] = [[some, "A"], [count - some, self.r.choice("ESF")]] if some < count else "E"
        self.usage["intervals"].append(row)
        return row
