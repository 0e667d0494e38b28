"""Usage and charges for people and checks: counts by state, an account's months, what waits too long. Queries only."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.usage.facts import Options


class Count(NamedTuple):
    """Messages of one kind, purpose, state and main code. `amount`: kWh of usage, money of charges."""

    kind: str
    purpose: str
    state: str
    code: str | None
    messages: int
    amount: Decimal


def counts(connection: Connection) -> list[Count]:
    """Usage and charges by state and code. The sum is what was received."""
    rows = connection.execute(
        """
        select kind, purpose, state, codes[1] as code, count(*) as messages, sum(amount) as amount
        from billing.usage_messages group by 1, 2, 3, 4 order by 1 desc, 2, 3, 4 nulls first"""
    )
    return [Count(**row) for row in rows]


class MessageCount(NamedTuple):
    """Messages of any type by type, state and code."""

    type: str
    state: str
    code: str | None
    messages: int


def message_counts(connection: Connection) -> list[MessageCount]:
    """All messages that were received, by state and code."""
    rows = connection.execute(
        """
        select type, state, code, count(*) as messages from billing.raw_messages
        group by 1, 2, 3 order by 1, 2, 3 nulls first"""
    )
    return [MessageCount(**row) for row in rows]


class Month(NamedTuple):
    """A period of an account with its 867 and its 810, as far as they came. `state`: of both as one."""

    month: str
    period_start: date | None
    period_end: date | None
    usage: int | None
    usage_id: str | None
    kwh: Decimal | None
    is_estimated: bool | None
    usage_state: str | None
    charges: int | None
    charges_id: str | None
    total: Decimal | None
    charges_state: str | None
    waits_for: str | None
    since: datetime | None

    @property
    def state(self) -> str:
        """Ready where both are; else what the one that lacks something says."""
        said = [one for one in (self.usage_state, self.charges_state) if one is not None]
        return next((one for one in said if one not in ("ready", "billed")), said[0])


def account_months(connection: Connection, point: str) -> list[Month]:
    """What came for a service point, period by period; cancelled and replaced messages have rows of their own."""
    rows = connection.execute(
        """
        with explained as (
            select * from billing.usage_explained where point = %(point)s and purpose <> '01'
        ), paired as (
            select u.message as usage, coalesce(p.charges, a.message) as charges
            from (select * from explained where kind = 'usage') as u
            left join billing.usage_pairs as p on p.usage = u.message and p.state = 'paired'
            full join (select * from explained where kind = 'charges') as a on a.message = p.charges)
        select to_char(coalesce(u.period_start, i.period_start), 'YYYY-MM') as month,
            coalesce(u.period_start, i.period_start) as period_start,
            coalesce(u.period_end, i.period_end) as period_end,
            u.message as usage, u.id as usage_id, u.amount as kwh, u.is_estimated,
            u.state || coalesce(' ' || u.codes[1], '') as usage_state,
            i.message as charges, i.id as charges_id, i.amount as total,
            i.state || coalesce(' ' || i.codes[1], '') as charges_state,
            coalesce(u.waits_for, i.waits_for) as waits_for,
            case when u.waits_for is not null then u.since else i.since end as since
        from paired as p
        left join explained as u on u.message = p.usage
        left join explained as i on i.message = p.charges
        order by period_start, coalesce(u.sent_at, i.sent_at), coalesce(u.message, i.message)""",
        {"point": point},
    )
    return [Month(**row | {"month": row["month"] or ""}) for row in rows]


class Aged(NamedTuple):
    """Messages that wait with one code, by how long: `ages` counts those at or over each of the days asked for."""

    kind: str
    code: str
    messages: int
    ages: tuple[int, ...]
    oldest: datetime


def aged(connection: Connection, now: datetime, options: Options | None = None) -> list[Aged]:
    """What waits or is held, by code and age in days: 3, 5 and 10 by default."""
    days = list((options or Options()).ageing_days)
    rows = connection.execute(
        """
        select kind, codes[1] as code, count(*) as messages, min(since) as oldest,
            array(select count(*) filter (where since <= %(now)s - make_interval(days => d))
                  from unnest(%(days)s::integer[]) with ordinality as a (d, place), unnest(array_agg(m.since)) as since
                  group by place order by place) as ages
        from billing.usage_messages as m
        where state in ('held', 'waiting') group by 1, 2 order by 1 desc, 3 desc, 2""",
        {"now": now, "days": days},
    )
    return [Aged(**row | {"ages": tuple(row["ages"])}) for row in rows]


class Waiting(NamedTuple):
    """A message that waits or is held, with the sentence for a clerk."""

    message: int
    kind: str
    id: str
    purpose: str
    point: str
    period_start: date | None
    period_end: date | None
    amount: Decimal
    state: str
    codes: list[str]
    since: datetime
    days: int
    waits_for: str
    to_do: str


def waiting(connection: Connection, now: datetime, at_least_days: int = 0, limit: int = 1000) -> list[Waiting]:
    """What waits or is held for so many days, the oldest first."""
    rows = connection.execute(
        f"""
        select {", ".join(name for name in Waiting._fields if name != "days")},
            floor(extract(epoch from %(now)s - since) / 86400)::integer as days
        from billing.usage_explained
        where state in ('held', 'waiting') and since <= %(now)s - make_interval(days => %(days)s)
        order by since, message limit %(limit)s""",  # noqa: S608  names of ours
        {"now": now, "days": at_least_days, "limit": limit},
    )
    return [Waiting(**row) for row in rows]


class Orphans(NamedTuple):
    """Usage without charges and charges without usage of an age. `oldest`: the ids of a few."""

    code: str
    at_least_days: int
    messages: int
    amount: Decimal
    oldest: list[str]


def orphans_by_age(connection: Connection, now: datetime, options: Options | None = None) -> list[Orphans]:
    """For the check: each orphan counts once, at the highest age that it has reached."""
    days: Sequence[int] = sorted((options or Options()).ageing_days)
    rows = connection.execute(
        """
        select codes[1] as code, d.days as at_least_days, count(*) as messages, sum(amount) as amount,
            (array_agg(id order by since, message))[:5] as oldest
        from billing.usage_messages
        cross join lateral (
            select max(day) as days from unnest(%(days)s::integer[]) as day
            where since <= %(now)s - make_interval(days => day)) as d
        where state = 'waiting' and codes[1] in ('WAIT_CHARGES', 'ORPHAN_CHARGES') and d.days is not null
        group by 1, 2 order by 2 desc, 1""",
        {"now": now, "days": list(days)},
    )
    return [Orphans(**row) for row in rows]


class CandidateCount(NamedTuple):
    """Proposals to invoicing by kind and state. `next_at`: when the next one that waits is due."""

    kind: str
    state: str
    proposals: int
    next_at: datetime | None


def candidate_counts(connection: Connection) -> list[CandidateCount]:
    """Credits, rebills and restatements that are not taken or withdrawn."""
    rows = connection.execute(
        """
        select kind, state, count(*) as proposals, min(due_at) filter (where state = 'waiting') as next_at
        from billing.usage_candidates where state not in ('taken', 'withdrawn') group by 1, 2 order by 1, 2"""
    )
    return [CandidateCount(**row) for row in rows]


class UnsettledSet(NamedTuple):
    """An 867 or 810 that is not settled, or whose set shows another state than its usage or charges have."""

    message: int
    type: str
    key: str
    set_state: str
    state: str | None


def unsettled_sets(connection: Connection, limit: int = 200) -> list[UnsettledSet]:
    """Sets that were accepted or held and are not settled, and those that differ."""
    rows = connection.execute(
        """
        select m.id as message, m.type, m.key, m.state as set_state, u.state
        from billing.raw_messages as m left join billing.usage_messages as u on u.message = m.id
        where m.type in ('867', '810') and m.content is not null
          and (u.message is null and m.state in ('accepted', 'held') or u.state = 'accepted' or u.state <> m.state)
        order by m.id limit %s""",
        [limit],
    )
    return [UnsettledSet(**row) for row in rows]


class Gap(NamedTuple):
    """Days for which nothing came, to be asked for."""

    point: str
    kind: str
    gap_from: date
    gap_to: date


def gaps(connection: Connection) -> list[Gap]:
    """All gaps between the periods of usage and of charges."""
    rows = connection.execute(
        """
        select point, kind, gap_from, period_start as gap_to from billing.usage_messages
        where gap_from is not null order by point, kind desc, gap_from"""
    )
    return [Gap(**row) for row in rows]


class Suggestion(NamedTuple):
    """Usage and charges that may belong together: a person confirms or declines."""

    point: str
    usage: int
    usage_id: str
    usage_start: date
    usage_end: date
    charges: int
    charges_id: str
    charges_start: date
    charges_end: date
    since: datetime


def suggestions(connection: Connection, point: str | None = None) -> list[Suggestion]:
    """Suggested pairs, of one point or of all."""
    rows = connection.execute(
        """
        select u.point, u.message as usage, u.id as usage_id, u.period_start as usage_start, u.period_end as usage_end,
            i.message as charges, i.id as charges_id, i.period_start as charges_start, i.period_end as charges_end,
            p.since
        from billing.usage_pairs as p
        join billing.usage_messages as u on u.message = p.usage
        join billing.usage_messages as i on i.message = p.charges
        where p.state = 'suggested' and u.point = coalesce(%s, u.point) order by p.since, u.message""",
        [point],
    )
    return [Suggestion(**row) for row in rows]


def related(connection: Connection, message: int) -> dict[str, Any] | None:
    """A message with its pair, predecessors, successors and history: for the view of a raw transaction."""
    row = connection.execute(
        """
        select e.*, o.message as other,
            (select jsonb_agg(jsonb_build_object(
                    'message', case when p.usage = e.message then p.charges else p.usage end,
                    'found_by', p.found_by, 'state', p.state) order by p.since)
                from billing.usage_pairs as p where e.message in (p.usage, p.charges)) as pairs,
            (select jsonb_agg(jsonb_build_object('message', r.message, 'id', r.id, 'purpose', r.purpose,
                    'state', r.state) order by r.sent_at, r.message)
                from billing.usage_messages as r
                where r.point = e.point and r.kind = e.kind and r.message <> e.message
                  and (r.refers_to = e.id or m.refers_to <> '' and m.refers_to in (r.id, r.refers_to))) as relatives,
            (select jsonb_agg(jsonb_build_object('state', h.state, 'codes', h.codes, 'at', h.at) order by h.id)
                from billing.usage_history as h where h.message = e.message and h.subject = 'message') as history
        from billing.usage_explained as e
        join billing.usage_messages as m using (message)
        left join billing.usage_messages as o on o.message = m.other
        where e.message = %s""",
        [message],
    ).fetchone()
    return dict(row) if row else None
