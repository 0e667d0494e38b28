"""The SQL of what validations see of intervals and prices: counts and sums of all members of a batch at once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches.facts import MemberFacts

_Period = tuple[date, date, str]


def measured(connection: Connection, batch: int, facts: Sequence[MemberFacts]) -> list[MemberFacts]:
    """The same facts, with the intervals of interval meters and the prices that are missing."""
    if not facts:
        return []
    intervals = _intervals(connection, batch, facts)
    prices = _prices_missing(connection, facts)
    return [
        replace(one, **intervals.get(one.member, {}), prices_missing=prices.get(_tariff_of(one), ())) for one in facts
    ]


def _intervals(connection: Connection, batch: int, facts: Sequence[MemberFacts]) -> dict[int, dict[str, Any]]:
    """Intervals of kWh by member that came with usage messages and count: how many there are, how many there should
    be, their sum. A replacement leaves days that it repeats as its predecessor's."""
    rows = connection.execute(
        """
        select r.member, sum(r.intervals)::int as intervals_found, sum(r.intervals_due)::int as intervals_due,
            sum(r.kwh) as interval_kwh
        from (
            select m.id as member, s.id as stream, sum(t.intervals) as intervals,
                sum(t.total * power(10::numeric, -i.decimals)) as kwh,
                extract(epoch from m.period_end::timestamp at time zone z.zone
                    - m.period_start::timestamp at time zone z.zone) / min(i.length_seconds) as intervals_due
            from billing.batch_members as m
            cross join lateral (
                select coalesce((
                    select p.zone from billing.service_points as p
                    where p.point = m.point and p.replaced_at is null and p.valid_from < m.period_end
                    order by p.valid_from desc limit 1), 'UTC') as zone) as z
            join billing.streams as s on s.point = m.point
            join billing.interval_readings as i on i.stream = s.id and i.day >= m.period_start and i.day < m.period_end
                and i.day >= %(begin)s and i.day < %(end)s
            join billing.usage_messages as o on o.message = i.message and o.point = m.point
            cross join lateral (
                select count(*) as intervals, sum(v) as total from unnest(i.values) with ordinality as e (v, n)
                where i.parts is null or n::integer <@ i.parts) as t
            where m.batch = %(batch)s and m.state in ('selected', 'clear', 'held') and m.usage is not null
              and i.unit = 'kWh' and i.length_seconds > 0 and i.state = 'current'
            group by m.id, s.id, m.period_start, m.period_end, z.zone) as r
        group by r.member""",
        {
            "batch": batch,
            "begin": min(one.period_start for one in facts),
            "end": max(one.period_end for one in facts),
        },
    )
    return {row.pop("member"): row for row in rows}


def _tariff_of(one: MemberFacts) -> tuple[int | None, _Period]:
    return one.tariff_version, (one.period_start, one.period_end, one.zone)


def _prices_missing(
    connection: Connection, facts: Sequence[MemberFacts]
) -> dict[tuple[int | None, _Period], tuple[tuple[str, str], ...]]:
    """Series with prices missing, by version of the tariff and period."""
    wanted = {_tariff_of(one) for one in facts if one.tariff_version is not None}
    charges = connection.execute(
        """
        select id, content->'charges' as charges from billing.tariff_versions
        where id = any(%s) and content::text like '%%"series"%%'""",
        [sorted({version for version, _ in wanted if version is not None})],
    )
    named = {row["id"]: row["charges"] for row in charges}
    series = {one: _series_in(named[one[0]], one[1]) for one in wanted if one[0] in named}
    each = sorted({(name, *period) for (_, period), names in series.items() for name in names})
    rows = connection.execute(
        """
        select w.name, w.begins, w.ends, w.zone, s.id is not null as is_known,
            (extract(epoch from t.until - t.since) / 60 / s.minutes)::int - coalesce(v.there, 0) as missing
        from unnest(%s::text[], %s::date[], %s::date[], %s::text[]) as w (name, begins, ends, zone)
        cross join lateral (
            select w.begins::timestamp at time zone w.zone as since,
                w.ends::timestamp at time zone w.zone as until) as t
        left join billing.rating_series as s on (s.kind, s.name) = ('price', w.name)
        left join lateral (
            select count(distinct v.starts_at)::int as there from billing.rating_series_values as v
            where v.series = s.id and v.starts_at >= t.since and v.starts_at < t.until) as v on true""",
        [[one[place] for one in each] for place in range(4)],
    )
    missing = {
        (row["name"], (row["begins"], row["ends"], row["zone"])): str(row["missing"]) if row["is_known"] else "All"
        for row in rows
        if not row["is_known"] or row["missing"] > 0
    }
    return {
        one: tuple((name, missing[name, one[1]]) for name in sorted(names) if (name, one[1]) in missing)
        for one, names in series.items()
    }


def _series_in(charges: Sequence[Mapping[str, Any]], period: _Period) -> set[str]:
    """The series of prices that charges take within a period."""
    begin, end, _ = (str(one) for one in period)
    return {
        version["series"]
        for charge in charges
        for version in charge.get("versions", ())
        if version.get("series")
        and version["valid_from"] < end
        and (version.get("valid_to") is None or version["valid_to"] > begin)
    }
