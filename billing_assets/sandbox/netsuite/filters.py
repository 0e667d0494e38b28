"""GET /record/v1/invoice?q=…: the collection of a type of transaction, filtered as NetSuite's record collections are.

Source: "Record Collection Filtering" in NetSuite's help. Conditions `field OPERATOR value` with AND, OR and
parentheses; values with blanks in double quotes, several in brackets. That text is compared without regard to case is
a guess.
"""

import re
import sqlite3
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from billing_assets.sandbox.netsuite.store import Store
from billing_assets.sandbox.netsuite.suiteql import query_error
from billing_assets.sandbox.netsuite.suiteql_tables import tables

_TOKEN = re.compile(r'\s*(\(|\)|\[[^\]]*\]|"[^"]*"|[^\s()\[\]"]+)')
_FIELDS = {
    **dict.fromkeys(("externalid", "tranid", "memo", "otherrefnum"), "text"),
    **dict.fromkeys(("id", "entity", "currency", "subsidiary", "postingperiod", "total"), "number"),
    **dict.fromkeys(("trandate", "duedate"), "date"),
}
_COLUMNS = {
    "total": "abs(foreigntotal)",
    **{name: f"CAST({name} AS INTEGER)" for name in ("entity", "currency", "subsidiary", "postingperiod")},
}
_COMPARED = {
    ("text", "IS"): "lower({0}) = lower({1})",
    ("text", "CONTAIN"): "instr(lower({0}), lower({1})) > 0",
    ("text", "START_WITH"): "substr(lower({0}), 1, length({1})) = lower({1})",
    ("text", "END_WITH"): "substr(lower({0}), -length({1})) = lower({1})",
    ("number", "EQUAL"): "{0} = {1}",
    ("number", "GREATER"): "{0} > {1}",
    ("number", "GREATER_OR_EQUAL"): "{0} >= {1}",
    ("number", "LESS"): "{0} < {1}",
    ("number", "LESS_OR_EQUAL"): "{0} <= {1}",
    ("number", "BETWEEN"): "{0} BETWEEN {1} AND {2}",
    ("number", "ANY_OF"): "{0} IN ({all})",
    ("date", "ON"): "{0} = {1}",
    ("date", "AFTER"): "{0} > {1}",
    ("date", "ON_OR_AFTER"): "{0} >= {1}",
    ("date", "BEFORE"): "{0} < {1}",
    ("date", "ON_OR_BEFORE"): "{0} <= {1}",
}
_TYPES = {"invoice": "CustInvc", "creditMemo": "CustCred", "customerPayment": "CustPymt"}
_SIGNS = {"cutoff": None, "credit_sign": 1, "line_sign": 1, "credit_line_sign": 1}


def ids(store: Store, record_type: str, q: str | None, limit: int, offset: int) -> tuple[list[str], int]:
    """Internal ids of one page, and how many there are. In a worker thread. Raises NetSuiteError."""
    values: dict[str, Any] = {**_SIGNS, "type": _TYPES[record_type]}
    where = f" AND ({_condition(q, values)})" if q and q.strip() else ""
    found = f"SELECT id FROM ({tables(subsidiary=True)['transaction'].query}) WHERE type = :type{where}"  # noqa: S608
    page = {**values, "limit": limit, "offset": offset}
    try:
        _, rows = store.read(f"{found} ORDER BY id LIMIT :limit OFFSET :offset", page)
        total = store.read(f"SELECT count(*) FROM ({found})", values)[1][0][0]  # noqa: S608
    except sqlite3.Error as error:
        raise query_error(f"{error}.") from error
    return [str(row[0]) for row in rows], int(total)


def _condition(q: str, values: dict[str, Any]) -> str:
    """The filter in SQL; what it compares with goes to `values`."""
    words = _TOKEN.findall(q)
    if _TOKEN.sub("", q).strip():
        raise query_error("the filter cannot be read: a quotation mark or a bracket has no end.")
    out: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word in {"(", ")"} or word.upper() in {"AND", "OR"}:
            out.append(word)
            at += 1
            continue
        name, operator = word.lower(), words[at + 1].upper() if at + 1 < len(words) else ""
        if name not in _FIELDS:
            raise query_error(f"Field '{word}' was not found.")
        if operator in {"EMPTY", "EMPTY_NOT"}:
            out.append(f"{_COLUMNS.get(name, name)} IS {'NOT ' if operator == 'EMPTY_NOT' else ''}NULL")
            at += 2
            continue
        plain = operator.removesuffix("_NOT")
        compared = _COMPARED.get((_FIELDS[name], plain))
        if compared is None or at + 2 >= len(words):
            raise query_error(f"Operator '{operator}' does not fit field '{word}', or has no value.")
        places = [_place(one, _FIELDS[name], values) for one in _values(words[at + 2])]
        if plain == "BETWEEN" and len(places) != 2:
            raise query_error("BETWEEN needs two values in brackets.")
        said = compared.format(_COLUMNS.get(name, name), *places, all=", ".join(places))
        out.append(f"NOT ({said})" if operator.endswith("_NOT") else said)
        at += 3
    return " ".join(out)


def _values(word: str) -> list[str]:
    parts = word[1:-1].split(",") if word.startswith("[") else [word]
    return [part.strip().strip('"') for part in parts]


def _place(text: str, kind: str, values: dict[str, Any]) -> str:
    name = f"f{len(values)}"
    try:
        values[name] = _READ[kind](text)
    except (ValueError, InvalidOperation) as error:
        raise query_error(f"'{text}' is no {kind}.") from error
    return f":{name}"


def _number(text: str) -> float:
    return float(Decimal(text))


def _date(text: str) -> str:
    """NetSuite takes the user's own form of dates: here month/day/year, or ISO."""
    day = datetime.strptime(text, "%m/%d/%Y").date() if "/" in text else date.fromisoformat(text)  # noqa: DTZ007
    return day.isoformat()


_READ: dict[str, Callable[[str], Any]] = {"text": str, "number": _number, "date": _date}
