"""The account's lists (customers, items, subsidiaries, …) that a record's references are checked against."""

import calendar
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from billing_assets.sandbox.netsuite.store import Store

# The name of each list, and what else it is called in a path, in SuiteQL or in a body.
TYPES = (
    "customer",
    "item",
    "subsidiary",
    "department",
    "classification",
    "location",
    "currency",
    "term",
    "accountingPeriod",
    "taxCode",
    "taxType",
    "customField",
)
ALIASES = {
    **{name.lower(): name for name in TYPES},
    "class": "classification",
    "terms": "term",
    "entity": "customer",
    "inventoryitem": "item",
    "noninventorysaleitem": "item",
    "noninventoryresaleitem": "item",
    "serviceitem": "item",
    "servicesaleitem": "item",
    "serviceresaleitem": "item",
    "otherchargesaleitem": "item",
    "assemblyitem": "item",
    "kititem": "item",
    "salestaxitem": "taxCode",
}


class ReferenceConflictError(Exception):
    """An entry cannot be taken: a period without dates, or two entries that share an external id in any case."""


class ReferenceRow(BaseModel):
    """One entry of a list, as the admin call takes it. An accounting period needs start and end."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    id: str
    external_id: str | None = Field(None, alias="externalId")
    name: str = ""
    start: date | None = None
    end: date | None = None
    closed: bool = False
    precision: int = Field(2, ge=0, le=4, description="currency: decimals of the minor unit")
    currency: str | None = Field(None, description="customer: id of the primary currency")
    country: str | None = Field(None, description="subsidiary: two letters")


class Period(NamedTuple):
    """An accounting period; `month` as YYYY-MM, which the switch `closed_periods` names."""

    id: str
    start: str
    end: str
    closed: bool

    @property
    def month(self) -> str:
        return self.start[:7]


class References:
    """All lists: in memory to check against, in SQLite to survive and for SuiteQL."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids: dict[str, dict[str, str]] = {name: {} for name in TYPES}
        self._external: dict[str, dict[str, str]] = {name: {} for name in TYPES}
        self._rows: dict[str, dict[str, ReferenceRow]] = {name: {} for name in TYPES}
        self._periods: list[Period] = []
        for type_, content in store.connection.execute("SELECT type, content FROM reference"):
            self._keep(type_, ReferenceRow.model_validate_json(content))
        if not self._rows["currency"]:
            self.upsert("currency", _default_currencies())
        if not self._rows["accountingPeriod"]:
            self.upsert("accountingPeriod", _default_periods())
        self._sort_periods()

    def upsert(self, type_: str, rows: Iterable[ReferenceRow]) -> None:
        """Add or replace entries by id, which `check` has passed; the caller commits."""
        rows = list(rows)
        if not rows:
            return
        self._store.write(
            "INSERT OR REPLACE INTO reference (type, id, external_id, name, content) VALUES (?, ?, ?, ?, ?)",
            *((type_, r.id, r.external_id, r.name, r.model_dump_json(by_alias=True)) for r in rows),
        )
        for row in rows:
            self._keep(type_, row)
        if type_ == "accountingPeriod":
            self._sort_periods()

    def check(self, lists: Mapping[str, Iterable[ReferenceRow]]) -> None:
        """Raise ReferenceConflictError for entries that cannot be taken."""
        for type_, rows in lists.items():
            claimed = dict(self._external[type_])
            for row in rows:
                if type_ == "accountingPeriod":
                    _period(row)
                key = (row.external_id or "").lower()
                if key and claimed.setdefault(key, row.id).lower() != row.id.lower():
                    raise ReferenceConflictError(
                        f"{type_} {row.id}: external id {row.external_id} belongs to {claimed[key]} already "
                        "(upper and lower case count as equal)"
                    )

    def find(self, type_: str, value: str) -> str | None:
        """The internal id for an internal id, in any case of letters."""
        return self._ids[type_].get(value.lower())

    def find_external(self, type_: str, value: str) -> str | None:
        """The internal id for an external id, in any case of letters."""
        return self._external[type_].get(value.lower())

    def row(self, type_: str, internal_id: str) -> ReferenceRow:
        """The entry of an id that `find` or `find_external` gave."""
        return self._rows[type_][internal_id]

    def ids(self, type_: str) -> list[str]:
        """All internal ids of a list."""
        return list(self._rows[type_])

    def counts(self) -> dict[str, int]:
        """How many entries each list has."""
        return {name: len(rows) for name, rows in self._rows.items()}

    def period_of(self, day: str) -> Period | None:
        """The period that holds a date (YYYY-MM-DD)."""
        for periods in (self._by_month.get(day[:7], []), self._periods):
            for period in periods:
                if period.start <= day <= period.end:
                    return period
        return None

    def period(self, internal_id: str) -> Period:
        """The period with this id."""
        return _period(self._rows["accountingPeriod"][internal_id])

    def _keep(self, type_: str, row: ReferenceRow) -> None:
        old = self._rows[type_].get(row.id)
        if old is not None and old.external_id:
            self._external[type_].pop(old.external_id.lower(), None)
        self._rows[type_][row.id] = row
        self._ids[type_][row.id.lower()] = row.id
        if row.external_id:
            self._external[type_][row.external_id.lower()] = row.id

    def _sort_periods(self) -> None:
        self._periods = sorted(map(_period, self._rows["accountingPeriod"].values()), key=lambda p: p.start)
        self._by_month: dict[str, list[Period]] = {}
        for period in self._periods:
            self._by_month.setdefault(period.month, []).append(period)


def parse_rows(content: dict[str, list[object]]) -> dict[str, list[ReferenceRow]]:
    """Validate the admin call's body. Raises KeyError for an unknown list, ValidationError for a bad row."""
    return {ALIASES[name.lower()]: [ReferenceRow.model_validate(row) for row in rows] for name, rows in content.items()}


def _period(row: ReferenceRow) -> Period:
    if row.start is None or row.end is None:
        raise ReferenceConflictError(f"accountingPeriod {row.id} needs start and end")
    return Period(row.id, row.start.isoformat(), row.end.isoformat(), row.closed)


def _default_currencies() -> list[ReferenceRow]:
    """Ids as in a British account; name and external id are the ISO code."""
    codes = ("GBP", "USD", "CAD", "EUR", "AUD", "NZD", "CHF", "SEK", "NOK", "DKK", "PLN", "JPY", "KWD")
    digits = {"JPY": 0, "KWD": 3}
    return [
        ReferenceRow(id=str(n), external_id=code, name=code, precision=digits.get(code, 2))
        for n, code in enumerate(codes, 1)
    ]


def _default_periods() -> list[ReferenceRow]:
    """All months 2009-01 … 2030-12, open; external id YYYY-MM."""
    months = [(year, month) for year in range(2009, 2031) for month in range(1, 13)]
    return [
        ReferenceRow(
            id=str(n),
            external_id=f"{year}-{month:02}",
            name=f"{calendar.month_abbr[month]} {year}",
            start=date(year, month, 1),
            end=date(year, month, calendar.monthrange(year, month)[1]),
        )
        for n, (year, month) in enumerate(months, 1)
    ]
