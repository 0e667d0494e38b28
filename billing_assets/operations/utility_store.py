"""The SQL of the utility sample's run: what our database has of its files. Queries only."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class FileState(NamedTuple):
    """A file by its name. `kwh`, `kvarh`: of its readings, as its reader says."""

    name: str
    state: str
    codes: list[str]
    readings: int
    kwh: Decimal
    kvarh: Decimal


class Sum(NamedTuple):
    """Messages of a market and unit in a state. `is_cancel`: sets that take others away."""

    market: str
    unit: str
    state: str
    is_cancel: bool
    messages: int
    quantity: Decimal


class StreamPeriod(NamedTuple):
    """A validated period of a stream. `rules`: those whose open findings hold it."""

    point: str
    suffix: str
    begins: date
    ends: date
    state: str
    quantity: Decimal | None
    estimates: int
    rules: list[str]


class HeldMessage(NamedTuple):
    """Messages of a stream that are held, by the code and their first day."""

    point: str
    suffix: str
    day: date
    code: str


class UsagePeriod(NamedTuple):
    """Usage or charges of a point that are not cancelled. `amount`: kWh, or money of charges."""

    kind: str
    point: str
    begins: date
    ends: date
    state: str
    codes: list[str]
    amount: Decimal
    is_estimated: bool
    charges: Decimal | None


def taken(connection: Connection, folders: Sequence[str]) -> set[str]:
    """Names of the files that came in these folders."""
    rows = connection.execute("select name from billing.raw_files where folder = any(%s)", [list(folders)])
    return {row["name"] for row in rows}


def unread(connection: Connection, folders: Sequence[str]) -> int:
    """How many files of these folders wait to be read."""
    (row,) = connection.execute(
        "select count(*) as n from billing.raw_files where folder = any(%s) and queue_state in ('waiting', 'claimed')",
        [list(folders)],
    )
    number: int = row["n"]
    return number


def files(connection: Connection, folders: Sequence[str]) -> list[FileState]:
    """What became of each file of these folders."""
    rows = connection.execute(
        """
        select f.name, f.state, array(select jsonb_object_keys(f.counts)) as codes, f.readings,
            coalesce(s.kwh, 0) as kwh, coalesce(s.kvarh, 0) as kvarh
        from billing.raw_files as f
        left join (
            select file, sum(quantity) filter (where suffix not like 'Q%%') as kwh,
                sum(quantity) filter (where suffix like 'Q%%') as kvarh
            from billing.raw_streams group by file) as s on s.file = f.id
        where f.folder = any(%s) order by f.id""",
        [list(folders)],
    )
    return [FileState(**row) for row in rows]


def sums(connection: Connection, folders: Sequence[str]) -> list[Sum]:
    """Quantities of the messages of these folders by state: of readings, and of usage."""
    rows = connection.execute(
        """
        select 'Australia' as market, case when m.suffix like 'Q%%' then 'kVArh' else 'kWh' end as unit, m.state,
            false as is_cancel, count(*) as messages, sum(m.quantity) as quantity
        from billing.raw_messages as m join billing.raw_files as f on f.id = m.file
        where f.folder = any(%(folders)s) and m.type in ('interval', 'register') group by 1, 2, 3
        union all
        select 'Texas', 'kWh', u.state, u.purpose = '01', count(*), sum(u.amount)
        from billing.usage_messages as u
        join billing.raw_messages as m on m.id = u.message join billing.raw_files as f on f.id = m.file
        where f.folder = any(%(folders)s) and u.kind = 'usage' group by 1, 2, 3, 4
        order by 1, 2, 3, 4""",
        {"folders": list(folders)},
    )
    return [Sum(**row) for row in rows]


def counted(connection: Connection) -> dict[str, Decimal]:
    """Quantity of the versions of Australian readings that count, by unit: the sum of the tables themselves."""
    rows = connection.execute(
        """
        select case when lower(unit) like 'kva%%' then 'kVArh' else 'kWh' end as unit, sum(quantity) as quantity
        from (
            select r.unit, (
                select sum(v) * power(10::numeric, -r.decimals)
                from unnest(r.values) with ordinality as i (v, n)
                where r.parts is null or n::integer <@ r.parts) as quantity
            from billing.interval_readings as r join billing.streams as s on s.id = r.stream
            where r.state = 'current' and s.suffix <> 'KH'
            union all
            select unit, quantity from billing.register_readings where state = 'current') as r
        group by 1"""
    )
    return {row["unit"]: row["quantity"] for row in rows}


def stream_periods(connection: Connection) -> list[StreamPeriod]:
    """The validated periods of all streams."""
    rows = connection.execute(
        """
        select s.point, s.suffix, v.begins, v.ends, v.state, v.quantity, v.estimates, array(
            select distinct f.rule from billing.validation_findings as f
            where f.id = any (v.findings) and f.severity <> 'info') as rules
        from billing.validated_periods as v join billing.streams as s on s.id = v.stream
        order by s.point, s.suffix, v.begins"""
    )
    return [StreamPeriod(**row) for row in rows]


def held_messages(connection: Connection) -> list[HeldMessage]:
    """Readings that are held, by stream, first day (on the clock of Australia's market) and code."""
    rows = connection.execute(
        """
        select distinct point, suffix, coalesce(day, (begins_at at time zone interval '10:00')::date) as day, code
        from billing.raw_messages where state = 'held' and type in ('interval', 'register')"""
    )
    return [HeldMessage(**row) for row in rows]


def usage_periods(connection: Connection) -> list[UsagePeriod]:
    """Usage and charges as they are billable or wait; what is on a bill already is ready, too."""
    rows = connection.execute(
        """
        select 'usage' as kind, point, period_start as begins, period_end as ends, state, codes, kwh as amount,
            is_estimated, charges_total as charges
        from billing.billable_usage
        union all
        select 'charges', point, period_start, period_end, state, codes, total, false, null
        from billing.utility_charges
        union all
        select 'usage', u.point, u.period_start, u.period_end, 'ready', u.codes, u.amount, u.is_estimated, i.amount
        from billing.usage_messages as u
        left join billing.usage_pairs as p on p.usage = u.message and p.state = 'paired'
        left join billing.usage_messages as i on i.message = p.charges
        where u.kind = 'usage' and u.state = 'billed'
        order by 2, 3, 1"""
    )
    return [UsagePeriod(**row) for row in rows]
