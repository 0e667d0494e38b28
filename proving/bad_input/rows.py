"""Rows as an integrator's query might give them, as Hypothesis strategies: two queries over literal values.

A case is what `documents.sql` and `lines.sql` would say, so it goes through everything that a real source goes through.
Cases of one sort spoil single cells and keep a good document beside them; those of the other give whole columns a
type that nobody expects.
"""

import hashlib
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import strategies as st
from psycopg import sql

from proving.world.builders import BRANCH, CUSTOMER, ITEM

TEXT_COLUMNS = ("kind", "number", "status", "customer", "branch", "currency", "terms", "purchase_order", "memo")
HEADER_TYPES = {
    "document_id": "text",
    **dict.fromkeys(TEXT_COLUMNS, "text"),
    "applies_to": "text",
    "created_at": "timestamptz",
    "document_date": "date",
    "due_date": "date",
    "total": "numeric",
}
LINE_TYPES = {
    "document_id": "text",
    "line_no": "numeric",
    "item": "text",
    "description": "text",
    "quantity": "numeric",
    "unit_price": "numeric",
    "amount": "numeric",
    "tax_code": "text",
    "tax_rate": "numeric",
    "tax_amount": "numeric",
}
GOOD_HEADER = {
    "kind": "invoice",
    "status": "closed",
    "customer": CUSTOMER,
    "branch": BRANCH,
    "currency": "GBP",
    "terms": "NET30",
    "purchase_order": None,
    "memo": None,
    "applies_to": None,
    "created_at": "2010-11-05 08:26:00+00",
    "document_date": "2010-11-05",
    "due_date": "2010-12-05",
    "total": "10.00",
}
GOOD_LINE = {
    "line_no": "1",
    "item": ITEM,
    "description": "Inflatable globe",
    "quantity": "1",
    "unit_price": "10.00",
    "amount": "10.00",
    "tax_code": None,
    "tax_rate": None,
    "tax_amount": None,
}

_NUMBERS = {f"G{number}" for number in range(8)}

Row = dict[str, Any]


class Case(NamedTuple):
    """What the source says. `documents` is how many it has, `good` the numbers of those that nothing is wrong with."""

    documents_sql: str
    lines_sql: str
    documents: int
    good: frozenset[str]


def noise(length: int) -> str:
    """Text that does not compress, so that it is as long in an index as it looks."""
    digest = "".join(hashlib.sha512(str(n).encode()).hexdigest() for n in range(length // 128 + 1))
    return digest[:length]


_ODD_TEXTS = [
    "", " ", "\t", " \u00a0\u3000", "\n\n", "-", "0", "NULL", "null", "NaN", "%s", "%(x)s", "%", ":x", "::text", "\\:x",
    "\\", "'", '"', "{}", '{"a","b"}', "'; drop table invoices; --", "$1", "\x01\x02\x7f\x1b[31m", "\ufeff", "\ufffe",
    "\u202ereversed", "e\u0301", "\U0001f600" * 45, "\U0010ffff", "\u00df" * 45, "\uff21\uff22", "gbp", " GBP", "GBP ",
    "G\u0412P", "XXX", "BTC", "Invoice", "INVOICE", "credit_memo", "adjustment", "Closed", "CLOSED", "closed ", "open",
    "void", "posted", "a" * 45, "a" * 46, "a" * 81, "a" * 1000, noise(3_000), noise(100_000), "\u4e2d" * 999,
]  # fmt: skip
_ODD_NUMBERS = [
    "NaN", "Infinity", "-Infinity", "0", "-0.00", "-10.00", "10.000", "10.001", "10.004999999999999999999999999999",
    "9999999999.99", "10000000000", "1e20", "1e100", "-1e100", "1e-15", "1e-16", "1e-30", "1e-1000", "9" * 30, "7e4000",
    "1" + "0" * 20_000, "0." + "3" * 16_000, "12345678901234567890.12", "0.1", "2147483648", "9223372036854775808",
    "-9223372036854775809", "1.5",
]  # fmt: skip
_ODD_DATES = [
    "infinity", "-infinity", "0001-01-01", "0044-03-15 BC", "0999-12-31", "1582-10-10", "1899-12-30", "1900-01-01",
    "2010-02-28", "2010-11-30", "9999-12-31", "10000-01-01", "294276-01-01",
]  # fmt: skip
_WRONG_TYPES = [
    "text", "numeric", "float8", "float4", "int2", "int8", "boolean", "date", "timestamp", "timestamptz", "jsonb",
    "bytea", "uuid", "interval", "text[]", "char(40)", "money",
]  # fmt: skip
_SAMPLE_OF = {
    "text": "x", "numeric": "10.00", "float8": "10.1", "float4": "10.1", "int2": "10", "int8": "10", "boolean": "true",
    "date": "2010-11-05", "timestamp": "2010-11-05 01:02:03.4", "timestamptz": "2010-11-05 01:02:03+05",
    "jsonb": '{"a": [1, null]}', "bytea": "\\x00ff", "uuid": "9f1c0b9e-5ad1-4a0e-8f36-0d8dbdcf6a11",
    "interval": "1 mon 2 days", "text[]": '{a,NULL,"b c"}', "char(40)": "x", "money": "10.00",
}  # fmt: skip

_texts = st.one_of(
    st.none(),
    st.sampled_from(_ODD_TEXTS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60),
)
_numbers = st.one_of(
    st.none(),
    st.sampled_from(_ODD_NUMBERS),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(-1000, 1000, places=4).map(str),
)
_dates = st.one_of(st.none(), st.sampled_from(_ODD_DATES), st.dates().map(lambda day: f"{day.year:04d}-{day:%m-%d}"))
_CELLS = {"text": _texts, "numeric": _numbers, "date": _dates, "timestamptz": _dates}


def _values(rows: list[Row], types: dict[str, str]) -> str:
    """A query that gives these rows."""
    names = sql.SQL(", ").join(map(sql.Identifier, types))
    if not rows:
        empty = [sql.SQL("null::" + kind) for kind in types.values()]
        return (
            sql.SQL("select * from (values ({})) as v ({}) where false")
            .format(sql.SQL(", ").join(empty), names)
            .as_string()
        )
    tuples = [
        sql.SQL("({})").format(
            sql.SQL(", ").join(sql.Literal(row[name]) + sql.SQL("::" + kind) for name, kind in types.items())
        )
        for row in rows
    ]
    return sql.SQL("select * from (values {}) as v ({})").format(sql.SQL(", ").join(tuples), names).as_string()


def _header(number: int) -> Row:
    return GOOD_HEADER | {"document_id": f"id-{number}", "number": f"G{number}"}


def _line(document_id: str | None) -> Row:
    return GOOD_LINE | {"document_id": document_id}


@st.composite
def spoiled_cells(draw: st.DrawFn) -> Case:
    """Up to eight documents with odd values here and there, and some that are as they should be."""
    extra = draw(st.sampled_from([(), ("further",), ("Further One", "x%y:z")]))
    types = HEADER_TYPES | {"+" + name: "text" for name in extra}
    headers: list[Row] = []
    lines: list[Row] = []
    for number in range(draw(st.integers(2, 8))):
        header, own = _document(number, draw(st.sampled_from([1, 1, 2, 0])))
        header |= {"+" + name: "further" for name in extra}
        if number > 0 and draw(st.integers(0, 3)) > 0:
            for name in draw(st.lists(st.sampled_from(sorted(types)), max_size=3, unique=True)):
                header[name] = draw(_CELLS[types[name]])
            for line in own:
                for name in draw(st.lists(st.sampled_from(sorted(LINE_TYPES)), max_size=2, unique=True)):
                    line[name] = draw(_CELLS[LINE_TYPES[name]])
            headers += [dict(header)] * (draw(st.integers(0, 9)) == 0)  # a join that repeats it
        headers.append(header)
        lines += own
    if draw(st.booleans()):
        lines += [_line(draw(st.sampled_from(["nobody", "", None])))]  # lines of no document
    if draw(st.booleans()):
        lines = draw(st.permutations(lines))
    ids = [row["document_id"] for row in headers]
    documents = len({one for one in ids if one is not None}) + ids.count(None)
    headers_sql = _values(headers, types).replace('"+', '"')
    return Case(headers_sql, _values(lines, LINE_TYPES), documents, _good(headers, lines))


def _document(number: int, lines: int) -> tuple[Row, list[Row]]:
    header = _header(number)
    own = [_line(header["document_id"]) | {"line_no": str(place + 1)} for place in range(lines)]
    return header | ({"total": "20.00"} if lines == 2 else {}), own


def _good(headers: list[Row], lines: list[Row]) -> frozenset[str]:
    """The numbers of the documents that are as they should be, in themselves and beside the others."""
    ids, numbers = [row["document_id"] for row in headers], [row["number"] for row in headers]
    good = set()
    for row in headers:
        own = [line for line in lines if line["document_id"] == row["document_id"]]
        wanted, wanted_lines = _document(int(number[1:]) if (number := str(row["number"])) in _NUMBERS else 0, len(own))
        if (
            ids.count(row["document_id"]) == 1
            and numbers.count(row["number"]) == 1
            and 1 <= len(own) <= 2
            and {name: value for name, value in row.items() if not name.startswith("+")} == wanted
            and sorted(own, key=repr) == sorted(wanted_lines, key=repr)
        ):
            good.add(number)
    return frozenset(good)


@st.composite
def wrong_columns(draw: st.DrawFn) -> Case:
    """Three documents in which up to three columns have another type than the contract asks for."""
    header_types, line_types = dict(HEADER_TYPES), dict(LINE_TYPES)
    headers = [_header(number) for number in range(3)]
    lines = [_line(header["document_id"]) for header in headers]
    for types, rows in ((header_types, headers), (line_types, lines)):
        columns = sorted(set(types) - {"document_id"})
        for name in draw(st.lists(st.sampled_from(columns), max_size=2, unique=True)):
            # PostgreSQL itself refuses to compare anything else with the watermark: no query at all, not an odd value.
            kind = draw(st.sampled_from(["date", "timestamp"] if name == "created_at" else _WRONG_TYPES))
            types[name] = kind
            for row in rows:
                row[name] = draw(st.sampled_from([_SAMPLE_OF[kind], _SAMPLE_OF[kind], None]))
    return Case(_values(headers, header_types), _values(lines, line_types), 3, frozenset())


cases = st.one_of(spoiled_cells(), spoiled_cells(), wrong_columns())


# ruff: noqa: S608 - our own words and numbers only


def large_document(lines: int, **changes: Any) -> Case:
    """One document of many lines, a penny each."""
    total = str(Decimal(lines) / 100)
    header = _header(1) | {"total": total} | changes
    rows = (
        "select 'id-1' as document_id, n::numeric as line_no, '10002' as item, 'A thing' as description,"
        " 1::numeric as quantity, 0.01 as unit_price, 0.01 as amount, null::text as tax_code,"
        f" null::numeric as tax_rate, null::numeric as tax_amount from generate_series(1, {int(lines)}) as n"
    )
    return Case(_values([header], HEADER_TYPES), rows, 1, frozenset({"G1"}))


def one_odd(header: Row, line: Row) -> Case:
    """A good document G0 and beside it G1, of which some values are odd."""
    headers = [_header(0), _header(1) | header]
    lines = [_line("id-0"), _line(headers[1]["document_id"]) | line]
    return Case(_values(headers, HEADER_TYPES), _values(lines, LINE_TYPES), 2, frozenset({"G0"}))


def repeated_headers(documents: int) -> Case:
    """A join that gives every header twice, the copies far apart."""
    header = _values([_header(1)], HEADER_TYPES)
    columns = ", ".join(name for name in HEADER_TYPES if name not in {"document_id", "number"})
    # `n` once through all documents, then through all again.
    headers = (
        f"select 'id-' || n as document_id, 'G' || n as number, {columns} from ({header}) as h,"
        f" (select generate_series(1, {int(documents)}) as n union all"
        f" select generate_series(1, {int(documents)})) as twice"
    )
    columns = ", ".join(name for name in LINE_TYPES if name != "document_id")
    lines = (
        f"select 'id-' || n as document_id, {columns} from ({_values([_line('x')], LINE_TYPES)}) as l,"
        f" generate_series(1, {int(documents)}) as n"
    )
    return Case(headers, lines, documents, frozenset())
