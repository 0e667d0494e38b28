"""The close as a statement of a few pages to be read and signed (PDF, set by Typst). The same data, the same bytes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import typst

from billing_assets.erp.close.causes import CAUSES, Sort
from billing_assets.erp.close.lettering import FONTS, LONGEST_CURRENCY, is_whole, names, sentences
from billing_assets.erp.close.reconciliation import CauseTotal, MonthClose, Row
from billing_assets.erp.close.sums import NOTHING, Sum, add
from billing_assets.erp.close.workbook import label
from billing_assets.erp.documents.validation_rules import RULES
from billing_assets.foundation.money import amount
from billing_assets.foundation.periods import first_day

_TEMPLATE = Path(__file__).with_name("statement.typ")
_BRANCHES = 40
_EXCEPTIONS = 25
_CAUSES = 20

_NONE = "(none)"
_ALL = "All"
_MORE = re.compile("[0-9]+ more")

_LONGEST_BRANCH = 80
_LONGEST_NUMBER = 40
_LONGEST_SENTENCE = 600
_NOTE = (
    "[U+…] gives the Unicode numbers of characters that cannot be printed here; # marks what was cut or looks like "
    "another. The workbook has every text in full, a branch in the given row of its sheet “By branch”."
)


def statement(close: MonthClose, fonts: typst.Fonts = FONTS) -> bytes:
    """The PDF's bytes."""
    content = orjson.dumps(_content(*_legible(close, fonts))).decode()
    made: bytes = typst.compile(
        _TEMPLATE.read_bytes(),
        format="pdf",
        sys_inputs={"content": content},
        font_paths=fonts,
        timestamp=close.compared_at.replace(microsecond=0),
    )
    return made


def _legible(close: MonthClose, fonts: typst.Fonts) -> tuple[MonthClose, dict[tuple[str, str], int], bool]:
    """The close with every text of it as it can be set; the rows of the workbook's sheet “By branch” for the branches
    that are shown by another name than theirs; and whether anything is shown otherwise than it is."""
    differences, causes = close.differences, close.causes
    sums = [_ALL, *{row.branch for row in close.rows if _MORE.fullmatch(row.branch)}]
    branches = names((row.branch for row in close.rows), _LONGEST_BRANCH, fonts, empty=_NONE, beside=sums)
    of_sums = [*(row.currency for row in close.rows), *(step.currency for step in close.steps)]
    of_documents = [*(one.currency for one in differences), *(one.currency for one in causes)]
    currencies = names(of_sums + of_documents, LONGEST_CURRENCY, fonts)
    numbers = names((one.number for one in differences), _LONGEST_NUMBER, fonts)
    said = sentences(
        [*(one.what for one in differences), *(one.reason or "" for one in causes)], _LONGEST_SENTENCE, fonts
    )
    rows: dict[tuple[str, str], int] = {}
    for place, row in enumerate(close.rows, start=2):
        if not is_whole(row.branch or _NONE, branches[row.branch]):
            rows.setdefault((branches[row.branch], currencies[row.currency]), place)
    legible = replace(
        close,
        rows=(*(replace(one, branch=branches[one.branch], currency=currencies[one.currency]) for one in close.rows),),
        steps=(*(one._replace(currency=currencies[one.currency]) for one in close.steps),),
        causes=(
            *(
                one._replace(currency=currencies[one.currency], reason=one.reason and said[one.reason])
                for one in causes
            ),
        ),
        differences=(
            *(
                one._replace(number=numbers[one.number], currency=currencies[one.currency], what=said[one.what])
                for one in differences
            ),
        ),
    )
    other = any(not is_whole(text, shown) for found in (currencies, numbers, said) for text, shown in found.items())
    return legible, rows, other or bool(rows)


def _content(close: MonthClose, in_workbook: dict[tuple[str, str], int], noted: bool) -> dict[str, Any]:
    """What the template sets: all of it text, but for the shares by which bars are drawn."""
    held, decided = close.count(Sort.KEPT_BACK), close.count(Sort.DECIDED)
    but = ", but for what somebody answers for" if decided else ""
    checks = [
        (f"Billing equals NetSuite, to the cent{but}", close.count(Sort.DIFFERS, Sort.DRIFT)),
        ("No document of unknown outcome", close.count(Sort.UNKNOWN)),
        ("Nothing on its way or refused", close.count(Sort.UNPOSTED, Sort.UNKNOWN)),
        (f"Nothing changed after it was posted{but}", close.count(Sort.DRIFT)),
    ]
    worst = [one for one in close.differences if one.sort not in {Sort.KEPT_BACK, Sort.EXPLAINED}]
    kept = [one for one in close.differences if one.sort == Sort.KEPT_BACK]
    shown = (worst + sorted(kept, key=lambda one: -abs(one.billing or NOTHING.total)))[:_EXCEPTIONS]
    of_exceptions = close.count(*(set(Sort) - {Sort.EXPLAINED}))
    return {
        "period": close.period,
        "month": f"{first_day(close.period):%B %Y}",
        "compared_at": f"{close.compared_at:%Y-%m-%d %H:%M} UTC",
        "reconciled": close.reconciled,
        "complete": close.complete,
        "checks": [{"what": what, "count": f"{count:,}", "passed": not count} for what, count in checks],
        "held": f"{held:,}" if held else "",
        "decided": f"{decided:,}" if decided else "",
        "currencies": [*_currencies(close)],
        "branches": [*_branches(close, in_workbook)],
        "causes": [
            {
                "what": label(one.cause),
                "currency": one.currency,
                "documents": f"{one.documents:,}",
                "total": amount(one.total),
                "meaning": _meaning(one),
                "to_do": CAUSES[one.cause].to_do.replace("`", ""),
            }
            for one in close.causes[:_CAUSES]
        ],
        "more_causes": [*_more_causes(close.causes[_CAUSES:])],
        "exceptions": [
            {
                "cause": label(one.cause),
                "number": one.number,
                "currency": one.currency,
                "billing": "-" if one.billing is None else amount(one.billing),
                "netsuite": "-" if one.netsuite is None else amount(one.netsuite),
                "what": one.what,
            }
            for one in shown
        ],
        "more_exceptions": of_exceptions - len(shown),
        "note": _NOTE if noted else "",
        "figures": close.figures.hex(),
    }


def _more_causes(left_out: Sequence[CauseTotal]) -> Iterator[str]:
    """What there is no room for, added up by currency: nothing that is signed is left unsaid."""
    for currency in sorted({one.currency for one in left_out}):
        of_currency = [one for one in left_out if one.currency == currency]
        whole = add(Sum(one.documents, one.total) for one in of_currency)
        documents = f"{whole.documents:,} documents, {currency} {amount(whole.total)}"
        yield f"And {len(of_currency)} more: {documents}. The workbook's summary has them all."


def _meaning(one: CauseTotal) -> str:
    """What a cause means; where a rule or NetSuite gave a reason, that."""
    if not one.reason:
        return CAUSES[one.cause].meaning
    codes = one.reason.split(", ")
    return " ".join([f"{one.reason}:", *(RULES[code].meaning for code in codes if code in RULES)])


def _currencies(close: MonthClose) -> Iterator[dict[str, Any]]:
    """The waterfall of every currency; a bar's `start` and `end` are shares of the longest way."""
    for currency, group in groupby(close.steps, key=lambda step: step.currency):
        steps = [*group]
        levels: list[tuple[Decimal, Decimal]] = []
        level = Decimal(0)
        for step in steps:
            start = Decimal(0) if step.what in {"billing", "netsuite"} else level
            level = start + step.total
            levels.append((start, level))
        low = min(Decimal(0), *(min(pair) for pair in levels))
        span = max(Decimal(0), *(max(pair) for pair in levels)) - low or Decimal(1)
        yield {
            "currency": currency,
            "steps": [
                {
                    "what": label(step.what),
                    "documents": f"{step.documents:,}",
                    "total": amount(step.total),
                    "whole": step.what in {"billing", "netsuite"},
                    "start": float((min(pair) - low) / span),
                    "end": float((max(pair) - low) / span),
                }
                for step, pair in zip(steps, levels, strict=True)
            ],
        }


def _branches(close: MonthClose, in_workbook: dict[tuple[str, str], int]) -> Iterator[dict[str, Any]]:
    """A line for every branch and currency, the largest first; what is too much for a page is added up."""
    by_branch: dict[tuple[str, str], list[Row]] = {}
    for row in close.rows:
        by_branch.setdefault((row.branch, row.currency), []).append(row)
    ordered = sorted(by_branch.items(), key=lambda item: (-abs(add(row.billing for row in item[1]).total), item[0]))
    for (branch, currency), rows in ordered[:_BRANCHES]:
        yield _branch(branch, currency, rows) | {"row": in_workbook.get((branch, currency))}
    rest: dict[str, list[Row]] = {}
    for (_, currency), rows in ordered[_BRANCHES:]:
        rest.setdefault(currency, []).extend(rows)
    for currency, rows in sorted(rest.items()):
        yield _branch(f"{len({row.branch for row in rows})} more", currency, rows)
    for currency in sorted({currency for _, currency in by_branch}):
        rows = [row for row in close.rows if row.currency == currency]
        yield _branch(_ALL, currency, rows) | {"whole": True}


def _branch(name: str, currency: str, rows: list[Row]) -> dict[str, Any]:
    def cell(found: Sum) -> str:
        return amount(found.total) if found.documents else ""

    columns = {column: add(getattr(row, column) for row in rows) for column in ("billing", "posted", "netsuite")}
    kept = add(one for row in rows for one in (row.held, row.excluded, row.in_flight))
    return {
        "branch": name,
        "currency": currency,
        "documents": f"{columns['billing'].documents:,}",
        "kept": cell(kept),
        "agrees": all(row.agrees for row in rows),
        "whole": False,
        "row": None,
        **{column: cell(found) for column, found in columns.items()},
    }
