"""What the ids of the mapping mean in NetSuite: their records are read by SuiteQL and compared with the mapping's keys.

Posting and reading back by the same id prove nothing about the id itself. Only NetSuite's own words do: the symbol of a
currency, the number or name of a customer. What NetSuite does not let us read is *unchecked*: neither proven nor wrong.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import (
    NetSuiteAnswerUnreadable,
    NetSuiteForbidden,
    NetSuiteNotFound,
    NetSuiteQueryRefused,
    NetSuiteUnavailable,
    clean,
)
from billing_assets.erp.netsuite.mapping import Field, NetSuiteMapping
from billing_assets.erp.netsuite.suiteql import PAGE_ROWS, query

_ID = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_ISO_CODE = re.compile(r"[A-Za-z]{3}", re.ASCII)
_SHOWN = 3


class Record(NamedTuple):
    """A kind of record in SuiteQL: its table, the columns that name a record, and the permission that shows it."""

    table: str
    names: tuple[str, ...]
    permission: str


RECORDS = {
    "currency": Record("currency", ("symbol",), "Lists > Currency"),
    "entity": Record("customer", ("externalid", "entityid", "companyname"), "Lists > Customers"),
    "item": Record("item", ("itemid", "displayname", "externalid"), "Lists > Items"),
    "subsidiary": Record("subsidiary", ("name", "country"), "Lists > Subsidiaries"),
    "department": Record("department", ("name",), "Lists > Departments"),
    "class": Record("classification", ("name",), "Lists > Classes"),
    "location": Record("location", ("name",), "Lists > Locations"),
    "terms": Record("term", ("name",), "Lists > Accounting Lists"),
    "taxType": Record("taxtype", ("name",), "the permission to view taxes"),
    "taxCode": Record("salestaxitem", ("itemid",), "the permission to view taxes"),
}
"""By NetSuite's field. Custom fields may refer to any record, so they are not looked up."""

_BY_KEY = frozenset({"entity", "item"})
"""Records that carry the billing system's own number, unless the mapping says what they are called."""


class Reference(NamedTuple):
    """One id that the mapping can send. `key` is what the mapping knows it by, `called` what it should be called there.

    `assumed`: the mapping does not say what the record is called; we take it for the key.
    """

    field: str
    key: str
    id: str
    called: str | None
    country: str | None
    assumed: bool


class Mismatch(NamedTuple):
    """An id that means something else in NetSuite: `found` instead of `called`, which may be `assumed`."""

    field: str
    key: str
    id: str
    called: str
    found: str
    assumed: bool

    @property
    def sentence(self) -> str:
        """Both names."""
        of = f" of {self.key!r}" if self.key != self.called else ""
        return f"{self.field} {self.called!r}{of} has id {self.id}, which is {self.found!r} in NetSuite"


@dataclass(frozen=True)
class Examined:
    """What NetSuite says of the mapping's ids.

    `existing` counts the ids that have a record, `compared` those whose name is the right one, `asked` all ids of a
    field; `missing` are those without a record; `unchecked` says why a field could not be compared; `unnamed` are those
    of which the mapping does not say what their records are called.
    """

    compared: int = 0
    existing: int = 0
    mismatches: tuple[Mismatch, ...] = ()
    asked: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()


def references(mapping: NetSuiteMapping) -> list[Reference]:
    """Every reference by internal id that the mapping can send, each once."""
    found = [
        Reference("currency", code, currency.id, code, None, False)
        for code, currency in mapping.file.currencies.items()
    ]
    for one in (*chain(*mapping.body.values()), *chain(*mapping.line.values()), *mapping.tax):
        if one.source.reference == "id":
            found += _of_field(one)
    return list(dict.fromkeys(found))


def _of_field(of: Field) -> Iterator[Reference]:
    source, named = of.source, of.source.named
    if source.constant is not None:
        yield Reference(of.name, named or "", str(source.constant), named or None, source.country, False)
    assumed = named is None and of.name in _BY_KEY
    for row in of.table.values() if of.table else ():
        key, id_ = row[of.key], row[source.take or ""]
        if id_:
            called = key if assumed else row[named] if named else ""
            country = row[source.country] if source.country else ""
            yield Reference(of.name, key, id_, called or None, country or None, assumed)


def examine(client: NetSuiteClient, mapping: NetSuiteMapping) -> Examined:
    """Asks NetSuite what every id of the mapping means: one query for 1,000 ids.

    Raises NetSuiteUnavailable and the like where NetSuite answers nothing at all; a table that it refuses is unchecked.
    """
    by_field: dict[str, list[Reference]] = defaultdict(list)
    for one in references(mapping):
        if one.field in RECORDS:
            by_field[one.field].append(one)
    compared = existing = 0
    mismatches: list[Mismatch] = []
    missing: dict[str, tuple[str, ...]] = {}
    unchecked: dict[str, str] = {}
    unnamed = []
    for name, wanted in sorted(by_field.items()):
        record = RECORDS[name]
        try:
            rows = _read(client, record, {one.id for one in wanted})
        except _Refused as refused:
            unchecked[name] = f"NetSuite does not show {record.table} ({refused}). Give the role {record.permission}."
            continue
        if absent := sorted({one.id for one in wanted} - rows.keys()):
            missing[name] = tuple(absent)
        existing += len(rows)
        named = [one for one in wanted if one.id in rows and (one.called or one.country)]
        if not named:
            unnamed.append(name)
            continue
        wrong, right, why = _judge(name, named, rows)
        mismatches += wrong
        compared += right
        if why:
            unchecked[name] = why
    asked = {name: len({one.id for one in wanted}) for name, wanted in by_field.items()}
    return Examined(compared, existing, tuple(mismatches), asked, missing, unchecked, tuple(unnamed))


def currency_symbols(client: NetSuiteClient) -> dict[str, str]:
    """The ISO code of each of NetSuite's currencies, by internal id; empty where NetSuite does not show them."""
    record = RECORDS["currency"]
    try:
        rows = {row["id"]: row for row in _rows(client, record, "id IS NOT NULL") if row.get("id")}
    except _Refused:
        return {}
    return {id_: code for id_, row in rows.items() if (code := _symbol(row)) is not None}


def sentence(mismatches: Sequence[Mismatch]) -> str:
    """The first mismatches with both names, and how many more there are."""
    more = f", and {len(mismatches) - _SHOWN:,} more" if len(mismatches) > _SHOWN else ""
    hint = " (where NetSuite does not keep the billing system's numbers, say so in the mapping: `named`)"
    assumed = any(one.assumed for one in mismatches)
    return "; ".join(one.sentence for one in mismatches[:_SHOWN]) + more + (hint if assumed else "")


class _Refused(Exception):  # noqa: N818  it is a finding
    """NetSuite does not let the role read a table; the message says how it put it."""


def _read(client: NetSuiteClient, record: Record, ids: Iterable[str]) -> dict[str, dict[str, str]]:
    """The records with these ids, by id. What is no internal id has none."""
    wanted = sorted(filter(_ID.fullmatch, ids), key=int)
    found: dict[str, dict[str, str]] = {}
    for start in range(0, len(wanted), PAGE_ROWS):
        chunk = ", ".join(wanted[start : start + PAGE_ROWS])
        found |= {row["id"]: row for row in _rows(client, record, f"id IN ({chunk})") if row.get("id")}
    return found


def _rows(client: NetSuiteClient, record: Record, where: str) -> list[dict[str, str]]:
    columns = ", ".join(("id", *record.names))
    sql = f"SELECT {columns} FROM {record.table} WHERE {where} ORDER BY id"  # noqa: S608  our own names, digits
    try:
        return [*query(client, sql)]
    except (NetSuiteForbidden, NetSuiteNotFound, NetSuiteQueryRefused, NetSuiteAnswerUnreadable) as error:
        raise _Refused(clean(error.detail or str(error), 200).rstrip(".")) from None
    except NetSuiteUnavailable as error:
        client.ask_for_life()  # raises where it is not this table alone
        raise _Refused(clean(str(error), 200).rstrip(".")) from None


def _judge(
    of: str, wanted: Sequence[Reference], rows: Mapping[str, Mapping[str, str]]
) -> tuple[list[Mismatch], int, str | None]:
    """Mismatches, how many are right, and why the rest cannot be compared."""
    wrong: list[tuple[Reference, Mismatch]] = []
    right = nameless = 0
    for one in wanted:
        row = rows[one.id]
        names = _names(of, row)
        if one.called and not names:
            nameless += 1
        elif one.called and _plain(one.called) not in names:
            wrong.append((one, Mismatch(of, one.key, one.id, one.called, _shown(of, row), one.assumed)))
        elif one.country and row.get("country") and _plain(one.country) != _plain(row["country"]):
            found = f"{_shown(of, row)}, {row['country']}"
            wrong.append((one, Mismatch(of, one.key, one.id, one.country, found, False)))
        else:
            right += 1
    record = RECORDS[of]
    if wrong and not right and all(one.assumed for one, _ in wrong):
        # We were not told that NetSuite keeps our numbers. It surely does where a record carries another one of them.
        ours = {_plain(one.called or "") for one in wanted}
        if not any(ours & _names(of, rows[one.id]) for one, _ in wrong):
            unused = (
                f"none of {len(wrong):,} records of {record.table} carries its key as {' or '.join(record.names)}. Say "
                "in the mapping what they are called (`named`), or `named: false`."
            )
            return [], 0, unused
    why = f"{nameless:,} records of {record.table} show no {' or '.join(record.names)}" if nameless else None
    return [mismatch for _, mismatch in wrong], right, why


def _names(of: str, row: Mapping[str, str]) -> set[str]:
    """All that a record is called, as it is compared; of a name below another one (`Parent : Child`) also its own."""
    if of == "currency":
        return {_plain(code)} if (code := _symbol(row)) else set()
    given = [row[column] for column in RECORDS[of].names if column != "country" and row.get(column)]
    return {_plain(part) for name in given for part in (name, name.rsplit(":", 1)[-1])}


def _symbol(row: Mapping[str, str]) -> str | None:
    code = row.get("symbol", "").strip()
    return code.upper() if _ISO_CODE.fullmatch(code) else None


def _shown(of: str, row: Mapping[str, str]) -> str:
    """What the record is called, for a message. Of a customer only a number: no name of a person belongs into a log."""
    given = [row[column].strip() for column in RECORDS[of].names if row.get(column, "").strip()]
    if of == "entity":
        given = [name for name in given[:2] if any(map(str.isdigit, name))] or ["another customer"]
    return clean(given[0], 60) if given else "nothing"


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
