"""A stored document line by line, and whether rating it again with the stored versions gives the same bytes."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.invoices.document_reports import Document, document
from billing_assets.invoicing.invoices.drafting import SERIES_KEYS, series_of
from billing_assets.invoicing.invoices.rating_case import Rate
from billing_assets.invoicing.rating.explain import explain
from billing_assets.invoicing.rating.rated_json import answer_bytes, from_json
from billing_assets.invoicing.tariffs import reports as tariffs


class NoDocumentError(BillingError):
    """There is no document with this number."""


class Explained(NamedTuple):
    """A document with a sentence a line and tax. `differences`: where rating it again gives something else than what is
    stored; none, and the bytes are the same. `again`: what it was compared with."""

    document: Document
    sentences: tuple[str, ...]
    again: str
    differences: tuple[str, ...]


def explained(connection: Connection, name: str, rate: Rate) -> Explained:
    """Explains a document by its number, or a draft by its id. Raises NoDocumentError."""
    found = document(connection, name)
    if found is None:
        raise NoDocumentError(f"There is no invoice {name}. A draft is named by its id in our database.")
    if found.cancels is not None:
        return _mirrored(connection, found, found.cancels)
    answer = found.rated["answer"]
    rated = from_json(answer)
    further = [
        *(f"{one.code}: {one.amount:f}, {one.bill_text}; not of rating." for one in found.lines[len(rated.lines) :]),
        *(f"{one.code}: {one.amount:f}, tax of the lines above." for one in found.taxes[len(rated.taxes) :]),
    ]
    return Explained(
        found,
        (*explain(rated), *further),
        "the stored usage, rated again by the stored versions of its tariff and series",
        tuple(_differences(connection, found, answer, rate)),
    )


def _differences(connection: Connection, found: Document, answer: Mapping[str, Any], rate: Rate) -> Iterator[str]:
    case = found.rated["case"]
    tariff = case["tariff"]
    if found.tariff_version is not None:
        tariff = _with_charges_by_hand(tariffs.content(connection, found.tariff_version), tariff)
    context = case["context"]
    versions = {
        (key, name): int(one["version"]) for key in SERIES_KEYS.values() for name, one in context.get(key, {}).items()
    }
    series = series_of(connection, tariff, (found.period_start, found.period_end), versions)
    again = rate(case | {"tariff": tariff, "context": context | series})
    if answer_bytes(again) != answer_bytes(answer):
        yield from _unlike(answer, again)
    for place, kept in enumerate(answer["lines"]):
        line = found.lines[place] if place < len(found.lines) else None
        if line is None or line.detail != kept or line.amount != Decimal(kept["amount"]):
            yield f"Line {place + 1} ({kept['code']}) is not stored as it was rated."
    for place, kept in enumerate(answer["taxes"]):
        tax = found.taxes[place] if place < len(found.taxes) else None
        if tax is None or (tax.code, tax.amount) != (kept["code"], Decimal(kept["amount"])):
            yield f"Tax {place + 1} ({kept['code']}) is not stored as it was rated."


def _with_charges_by_hand(version: dict[str, Any], rated: Mapping[str, Any]) -> dict[str, Any]:
    """A version of a tariff with the charges that were added for one bill. One without usage has only some of it."""
    named = {one["code"]: one for one in version["charges"]}
    added = [one for one in rated["charges"] if one["code"] not in named]
    has_usage = any(one["kind"] != "tax" and one["code"] in named for one in rated["charges"])
    kept = version["charges"] if has_usage else [named[one["code"]] for one in rated["charges"] if one["code"] in named]
    return {**version, "charges": [*kept, *added]}


def _unlike(stored: Mapping[str, Any], again: Mapping[str, Any]) -> Iterator[str]:
    """What is different, by its name; the first place of each list."""
    for name, before in stored.items():
        now = again.get(name)
        if now == before:
            continue
        if isinstance(before, list) and isinstance(now, list):
            places = range(max(len(before), len(now)))
            place = next(one for one in places if before[one : one + 1] != now[one : one + 1])
            yield f"{name}, place {place + 1}: {_at(before, place)} is stored, {_at(now, place)} comes out."
        else:
            yield f"{name}: {before} is stored, {now} comes out."
    if {**stored} == {**again}:
        yield "The order of its fields is another one."


def _at(found: list[Any], place: int) -> str:
    return str(found[place]) if place < len(found) else "nothing"


def _mirrored(connection: Connection, found: Document, number: str) -> Explained:
    original = document(connection, number)
    if original is None:
        raise NoDocumentError(f"There is no invoice {number}, which {found.number or found.id} cancels.")
    pairs = [
        *((one.code, line.amount, one.amount) for line, one in zip(original.lines, found.lines, strict=True)),
        *((one.code, tax.amount, one.amount) for tax, one in zip(original.taxes, found.taxes, strict=True)),
    ]
    sentences = tuple(f"{code}: the opposite of {was:f} on {number} is {now:f}." for code, was, now in pairs)
    wrong = tuple(f"{code} is {now:f}, and not the opposite of {was:f}." for code, was, now in pairs if was + now)
    return Explained(found, sentences, f"the lines and taxes of {number}, with the opposite sign", wrong)
