"""The part of SuiteQL that this domain needs: tokens are checked against lists, then SQLite runs the query.

String comparison is case-sensitive, every value comes back as a string, nulls are left out, keys are lower-case.
"""

import re
import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.sandbox.netsuite.errors import NetSuiteError
from billing_assets.sandbox.netsuite.store import Store
from billing_assets.sandbox.netsuite.suiteql_functions import to_date
from billing_assets.sandbox.netsuite.suiteql_tables import TABLES, tables

MOST_ROWS = 100_000
_MOST_IN = 1000
_KEYWORDS = frozenset(
    {
        *("select", "distinct", "from", "where", "and", "or", "not", "in", "between", "like"),
        *("is", "null", "group", "by", "having", "order", "asc", "desc", "as", "on"),
        *("join", "inner", "left", "outer", "escape", "case", "when", "then", "else", "end"),
        *("union", "all"),
    }
)
_FUNCTIONS = frozenset(
    {
        *("count", "sum", "min", "max", "avg", "abs", "round", "upper", "lower", "nvl"),
        *("coalesce", "to_date", "to_char"),
    }
)
_END_OF_FROM = frozenset({"where", "group", "order", "having", "union", ")"})
_TOKEN = re.compile(
    r"\s+|(?P<string>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<mark><>|!=|<=|>=|\|\||[=<>(),.*+\-/?])"
)
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


class Token(NamedTuple):
    """One token; names are lower-case."""

    kind: str
    text: str


class Page(NamedTuple):
    """One page of a result, in NetSuite's shape of items, and the number of rows of the whole."""

    items: list[dict[str, Any]]
    total: int


def query_error(detail: str) -> NetSuiteError:
    """400 for a query that NetSuite would refuse."""
    text = f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {detail}"
    return NetSuiteError(400, "INVALID_PARAMETER", text)


def run(
    store: Store,
    query: str,
    bound: Sequence[Any],
    signs: dict[str, Any],
    limit: int,
    offset: int,
    hidden: Sequence[str] = (),
    *,
    subsidiary: bool = False,
) -> Page:
    """Run a query on committed data, in a worker thread. Raises NetSuiteError.

    `signs` holds the tables' parameters `cutoff`, `credit_sign`, `line_sign`, `credit_line_sign`; `hidden` names tables
    that the role may not see; `subsidiary`: the account shows that of a transaction.
    """
    sql, expected = translate(query, hidden, subsidiary=subsidiary)
    if expected != len(bound):
        raise query_error(f"the query binds {expected} parameters, {len(bound)} were given.")
    parameters = {**signs, **{f"p{n}": value for n, value in enumerate(bound, 1)}, "limit": limit, "offset": offset}
    try:
        columns, rows = store.read(f"{sql} LIMIT :limit OFFSET :offset", parameters)
        total = offset + len(rows)
        if len(rows) == limit or (offset and not rows):
            total = store.read(f"SELECT count(*) FROM ({sql})", parameters)[1][0][0]  # noqa: S608
    except (sqlite3.Error, ValueError, OverflowError) as error:
        raise query_error(f"{error}.") from error
    return Page([_item(names, row) for names in [_names(columns)] for row in rows], total)


def translate(query: str, hidden: Sequence[str] = (), *, subsidiary: bool = False) -> tuple[str, int]:
    """The query for SQLite and how many parameters it binds (named :p1, :p2, …). Raises NetSuiteError."""
    shows = tables(subsidiary=subsidiary)
    tokens = _with_dates(_tokens(query))
    if not tokens or tokens[0].text != "select":
        raise query_error("only SELECT is supported.")
    _check_in_lists(tokens)
    _check_numbers(tokens)
    tokens = _with_display_values(tokens)
    used, aliases, names = _survey(tokens)
    for table in sorted(used & {name.lower() for name in hidden}):
        raise query_error(f"Record '{table}' was not found.")
    known = {column for table in used for column in shows[table].columns} | names
    out: list[str] = []
    bound = 0
    for i, (kind, text) in enumerate(tokens):
        before = tokens[i - 1].text if i else ""
        after = tokens[i + 1].text if i + 1 < len(tokens) else ""
        if text == "?":
            bound += 1
            out.append(f":p{bound}")
        elif kind != "name" or text in _KEYWORDS:
            out.append(text)
        elif after == "(" and text in _FUNCTIONS:
            out.append("coalesce" if text == "nvl" else text)
        elif before == "." or text in known or text in aliases or text in used:
            if before == "." and text not in known:
                raise query_error(f"Field '{text}' was not found.")
            out.append(f"[{text}]")
        elif after == "(":
            raise query_error(f"Unknown function '{text}'.")
        else:
            raise query_error(f"Unknown identifier '{text}'.")
    shown = ", ".join(f"[{table}] AS ({shows[table].query})" for table in sorted(used))
    return f"WITH {shown} {' '.join(out)}" if shown else " ".join(out), bound


def _tokens(query: str) -> list[Token]:
    tokens = []
    at = 0
    query = query.strip()
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None:
            raise query_error(f"Invalid or unsupported search near '{query[at : at + 20]}'.")
        at = match.end()
        if match.lastgroup is not None:
            text = match.group()
            tokens.append(Token(match.lastgroup, text.lower() if match.lastgroup == "name" else text))
    return tokens


def _with_dates(tokens: Sequence[Token]) -> list[Token]:
    """TO_DATE of literals becomes the date itself, so that a wrong one is refused whatever rows there are."""
    out: list[Token] = []
    i = 0
    while i < len(tokens):
        call = tokens[i : i + 6]
        if [t.text if t.kind != "string" else "?" for t in call] == ["to_date", "(", "?", ",", "?", ")"]:
            try:
                value = to_date(call[2].text[1:-1], call[4].text[1:-1])
            except (KeyError, ValueError) as error:
                raise query_error(f"Invalid date or format in TO_DATE: {error}.") from error
            out.append(Token("string", f"'{value}'"))
            i += len(call)
        else:
            out.append(tokens[i])
            i += 1
    return out


def _check_in_lists(tokens: Sequence[Token]) -> None:
    for i, token in enumerate(tokens):
        if token.text == "in" and i + 1 < len(tokens) and tokens[i + 1].text == "(":
            depth, values = 0, 1
            for _, text in tokens[i + 1 :]:
                depth += (text == "(") - (text == ")")
                values += text == "," and depth == 1
                if depth == 0:
                    break
            if values > _MOST_IN:
                raise query_error(f"an IN list may hold at most {_MOST_IN} values.")


_NUMBERS = frozenset(
    {
        *("id", "transaction", "entity", "item", "currency", "subsidiary", "postingperiod", "linesequencenumber"),
        *("previousdoc", "nextdoc", "quantity", "rate", "foreignamount", "netamount", "foreigntotal"),
    }
)
_COMPARISONS = frozenset({"=", "<>", "!=", "<", ">", "<=", ">="})


def _check_numbers(tokens: Sequence[Token]) -> None:
    """A column of numbers is compared with numbers, also where they are written as text: `id = 'abc'` is refused."""
    for i, token in enumerate(tokens):
        if token.kind != "name" or token.text not in _NUMBERS or i + 2 >= len(tokens):
            continue
        compared: list[Token] = []
        negated = 1 if tokens[i + 1].text == "not" else 0
        if tokens[i + 1].text in _COMPARISONS:
            compared = [tokens[i + 2]]
        elif tokens[i + 1 + negated].text == "in":
            end = next((n for n in range(i, len(tokens)) if tokens[n].text == ")"), len(tokens))
            compared = [*tokens[i + 2 + negated : end]]
            compared = [] if any(one.text == "select" for one in compared) else compared
        for one in compared:
            if one.kind == "string" and not _IS_NUMBER.fullmatch(one.text[1:-1].strip()):
                raise query_error(f"Invalid number {one.text} for field '{token.text}'.")


_IS_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_LISTS = {
    **{name: name for name in ("currency", "item", "subsidiary", "department", "location")},
    "entity": "customer",
    "postingperiod": "accountingPeriod",
    "class": "classification",
    "terms": "term",
}
_TYPES = "CASE {0}type WHEN 'CustInvc' THEN 'Invoice' WHEN 'CustCred' THEN 'Credit Memo' ELSE 'Payment' END"
_STATUSES = (
    "CASE {0}status WHEN 'V' THEN 'Voided' WHEN 'A' THEN 'Open' WHEN 'C' THEN 'Deposited' ELSE "
    "CASE {0}type WHEN 'CustInvc' THEN 'Paid In Full' WHEN 'CustCred' THEN 'Fully Applied' ELSE 'Not Deposited' END END"
)


def _with_display_values(tokens: Sequence[Token]) -> list[Token]:
    """BUILTIN.DF(column) becomes the name of what the column refers to; of any other column its value."""
    out: list[Token] = []
    i = 0
    while i < len(tokens):
        if [one.text for one in tokens[i : i + 4]] != ["builtin", ".", "df", "("]:
            out.append(tokens[i])
            i += 1
            continue
        end = next((n for n in range(i, len(tokens)) if tokens[n].text == ")"), None)
        inner = tokens[i + 4 : end]
        if end is None or [one.kind for one in inner] not in (["name"], ["name", "mark", "name"]):
            raise query_error("BUILTIN.DF takes one field.")
        of = "".join(f"[{one.text}]" if one.kind == "name" else one.text for one in inner[:-1])
        column = inner[-1].text
        if column in _LISTS:
            name = f"SELECT name FROM reference WHERE type = '{_LISTS[column]}' AND id ="  # noqa: S608  constants
            out += [Token("sql", f"coalesce(({name}"), *inner, Token("sql", "),"), *inner, Token("sql", ")")]
        elif column == "type":
            out.append(Token("sql", _TYPES.format(of)))
        elif column == "status":
            out.append(Token("sql", f"{_TYPES.format(of)} || ' : ' || {_STATUSES.format(of)}"))
        else:
            out += inner
        i = end + 1
    return out


def _survey(tokens: Sequence[Token]) -> tuple[set[str], set[str], set[str]]:
    """Tables, their aliases, and the names that the select list gives to expressions."""
    used: set[str] = set()
    aliases: set[str] = set()
    names: set[str] = set()
    in_from = False
    for i, (kind, text) in enumerate(tokens):
        before = tokens[i - 1] if i else Token("", "")
        if text in {"from", "join"}:
            in_from = True
        elif text in _END_OF_FROM:
            in_from = False
        if kind != "name" or text in _KEYWORDS:
            continue
        if in_from and before.text in {"from", "join", ","}:
            if text not in TABLES:
                raise query_error(f"Record '{text}' was not found.")
            used.add(text)
        elif before.text in {"as", ")"} or (before.kind == "name" and before.text not in _KEYWORDS):
            (aliases if in_from else names).add(text)
    return used, aliases, names


def _names(columns: Sequence[str]) -> list[str]:
    """Keys of an item: the column's name, or exprN for an expression without one."""
    names: list[str] = []
    for column in columns:
        plain = column.strip("[]").lower()
        names.append(plain if _PLAIN_NAME.fullmatch(plain) else f"expr{len(names) + 1}")
    return names


def _item(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    item: dict[str, Any] = {"links": []}
    item.update({name: _text(value) for name, value in zip(names, row, strict=True) if value is not None})
    return item


def _text(value: Any) -> str:
    if isinstance(value, float):
        # 15 digits are what a double keeps of a decimal: sums carry noise behind them
        shown = format(Decimal(f"{value:.15g}"), "f")
        return shown.rstrip("0").rstrip(".") if "." in shown else shown
    return str(value)
