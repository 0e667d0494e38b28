"""What came of judging a period, and how it is noted: a result only where it differs from the last one."""

import hashlib
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.validation import store
from billing_assets.metering.validation.facts import PeriodFacts, Quality
from billing_assets.metering.validation.registers import unscaled
from billing_assets.metering.validation.rows import Judgement, NewFinding
from billing_assets.metering.validation.rules import RuleFinding, holds

Period = tuple[int, date, date]
"""A stream and its local days, begin (inclusive) and end (exclusive)."""


class Judged(NamedTuple):
    """A period with what was found in it. `of_day`: versions by local day."""

    stream: int
    facts: PeriodFacts
    versions: list[int]
    of_day: dict[date, list[int]]
    found: list[RuleFinding]


def counts(facts: PeriodFacts) -> tuple[int, int]:
    """How many values count, and how many of them are estimates."""
    if facts.intervals is not None:
        return facts.intervals.totals[2:]
    if not facts.registers:
        return 0, 0
    return 1, int(bool(facts.registers) and facts.registers[-1].end_quality is Quality.ESTIMATE)


def note(
    connection: Connection, judged: Sequence[Judged], known: dict[Period, list[dict[str, Any]]]
) -> tuple[int, int, int]:
    """Writes what is new: how many results differ from the last ones, how many periods are held, how many findings
    there are. `known`: earlier results, the last first."""
    rows = [(one, [_new_finding(one, its) for its in one.found]) for one in judged]
    fresh = []
    for one, found in rows:
        result = _judgement(one, [its.content_hash for its in found])
        before = known.get((one.stream, one.facts.begin, one.facts.end))
        if not before or bytes(before[0]["content_hash"]) != result.content_hash:
            fresh.append((result, found))
    ids = store.note_findings(connection, [one for _, found in fresh for one in found])
    store.note_judgements(
        connection, [result._replace(findings=[ids[one.content_hash] for one in found]) for result, found in fresh]
    )
    held = sum(holds(one.found) for one in judged)
    return len(fresh), held, sum(len(one.found) for one in judged)


def _new_finding(one: Judged, found: RuleFinding) -> NewFinding:
    facts = one.facts
    versions = one.versions if found.day is None else one.of_day.get(found.day, [])
    said = (
        one.stream,
        facts.begin,
        facts.end,
        found.day,
        found.rule,
        found.version,
        str(found.severity),
        found.parameters,
        found.observed,
        found.limit,
        found.sentence,
        sorted(versions),
    )
    return NewFinding(*said, _hash(said))


def _judgement(one: Judged, findings: list[bytes]) -> Judgement:
    facts = one.facts
    quantity, peak = _quantity(facts)
    counted, estimates = counts(facts)
    said = (
        one.stream,
        facts.begin,
        facts.end,
        str(facts.kind),
        sorted(one.versions),
        quantity,
        facts.stream.unit,
        counted,
        estimates,
        peak,
    )
    return Judgement(*said, [], _hash((said, findings)))


def _quantity(facts: PeriodFacts) -> tuple[Decimal | None, Decimal | None]:
    """What a period comes to, and its highest interval; exact."""
    if facts.intervals is None:
        return facts.quantity, None
    total, highest, counted, _ = facts.intervals.totals
    decimals = facts.intervals.decimals
    return (unscaled(total, decimals), unscaled(highest, decimals)) if counted and highest is not None else (None, None)


def _hash(said: object) -> bytes:
    return hashlib.blake2b(repr(said).encode(), digest_size=16).digest()
