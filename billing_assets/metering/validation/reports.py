"""Queries for people: what is open, by rule."""

from datetime import date, datetime
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class RuleCount(NamedTuple):
    """Open findings of a rule. `oldest`: when the first of them was found."""

    rule: str
    severity: str
    findings: int
    points: int
    oldest: datetime


def open_findings_by_rule(connection: Connection, begin: date, end: date) -> list[RuleCount]:
    """Findings that hold periods touching the days from `begin` (inclusive) to `end` (exclusive), most first."""
    rows = connection.execute(
        """
        select f.rule, f.severity, count(distinct f.id) as findings, count(distinct s.point) as points,
               min(f.noted_at) as oldest
        from billing.validated_periods as v join billing.streams as s on s.id = v.stream
        join billing.validation_findings as f on f.id = any (v.findings)
        where v.ends > %s and v.begins < %s and v.open > 0 and f.severity <> 'info'
          and not exists (select from billing.cleared_findings as c where c.finding = f.id)
        group by 1, 2 order by 3 desc, 1""",
        [begin, end],
    )
    return [RuleCount(**row) for row in rows]
