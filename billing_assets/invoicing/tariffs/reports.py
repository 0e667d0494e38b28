"""What the room is asked: versions of tariffs and their states, the one that is used, and values of series."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.money import canonical
from billing_assets.invoicing.tariffs.store import SeriesKind, UnknownTariffError


class TariffVersion(NamedTuple):
    """A version of a tariff with its state: draft, approved or withdrawn. `is_used`: bills are made by it now."""

    id: int
    tariff: str
    number: int
    name: str
    currency: str
    market: str
    commodity: str
    customer_class: str
    charges: int
    content_hash: bytes
    findings: list[dict[str, Any]]
    format: str
    file: str
    loaded_at: datetime
    maker: str
    made_why: str
    state: str
    approver: str | None
    approved_at: datetime | None
    withdrawer: str | None
    withdrawn_at: datetime | None
    withdrawn_why: str | None
    is_used: bool


_COLUMNS = ", ".join(TariffVersion._fields)


def _version(row: dict[str, Any]) -> TariffVersion:
    return TariffVersion(**row | {"content_hash": bytes(row["content_hash"])})


def versions(connection: Connection, code: str | None = None, state: str | None = None) -> list[TariffVersion]:
    """Versions by tariff and number; of one tariff, or in one state."""
    rows = connection.execute(
        f"""
        select {_COLUMNS} from billing.tariff_versions_now
        where (%(code)s::text is null or tariff = %(code)s) and (%(state)s::text is null or state = %(state)s)
        order by tariff, number""",  # noqa: S608
        {"code": code, "state": state},
    )
    return [_version(row) for row in rows]


def version(connection: Connection, code: str, number: int | None = None) -> TariffVersion:
    """A version of a tariff; without a number the one that is used, else the last. Raises UnknownTariffError."""
    row = connection.execute(
        f"""
        select {_COLUMNS} from billing.tariff_versions_now
        where tariff = %(code)s and (%(number)s::int is null or number = %(number)s)
        order by is_used desc, number desc limit 1""",  # noqa: S608
        {"code": code, "number": number},
    ).fetchone()
    if row is None:
        which = f"version {number} of a tariff {code}" if number else f"tariff {code}"
        raise UnknownTariffError(f"There is no {which}. `billing tariffs list` shows what there is.")
    return _version(row)


def used(connection: Connection, code: str) -> TariffVersion | None:
    """The version that bills are made by: the last that is approved and not withdrawn."""
    row = connection.execute(
        f"select {_COLUMNS} from billing.tariff_versions_now where tariff = %s and is_used",  # noqa: S608
        [code],
    ).fetchone()
    return _version(row) if row else None


def content(connection: Connection, version_id: int) -> dict[str, Any]:
    """The tariff of a version as it was loaded. Raises LookupError."""
    row = connection.execute("select content from billing.tariff_versions where id = %s", [version_id]).fetchone()
    if row is None:
        raise LookupError(version_id)
    found: dict[str, Any] = row["content"]
    return found


def by_hash(connection: Connection, content_hash: bytes) -> TariffVersion | None:
    """The last version with this content, whatever its state: what a line was rated by, years later."""
    row = connection.execute(
        f"""
        select {_COLUMNS} from billing.tariff_versions_now where content_hash = %s
        order by id desc limit 1""",  # noqa: S608
        [content_hash],
    ).fetchone()
    return _version(row) if row else None


class Series(NamedTuple):
    """A series as it is now: its last version, its first and last instant, its values and how many are missing."""

    name: str
    minutes: int
    version: int
    loaded_at: datetime
    begins_at: datetime
    ends_at: datetime
    values: int
    missing: int


def series(connection: Connection, kind: SeriesKind) -> list[Series]:
    """All series of a kind by name; a value that is missing lies between the first and the last."""
    rows = connection.execute(
        """
        select s.name, s.minutes, v.number as version, v.loaded_at, n.begins_at, n.ends_at, n.values,
            (extract(epoch from n.ends_at - n.begins_at) / 60 / s.minutes)::bigint - n.values as missing
        from billing.rating_series as s
        cross join lateral (
            select number, loaded_at from billing.rating_series_versions
            where series = s.id order by number desc limit 1) as v
        cross join lateral (
            select min(starts_at) as begins_at, max(starts_at) + make_interval(mins => s.minutes) as ends_at,
                count(distinct starts_at) as values
            from billing.rating_series_values where series = s.id) as n
        where s.kind = %s order by s.name""",
        [kind],
    )
    return [Series(**row) for row in rows]


def series_between(
    connection: Connection,
    kind: SeriesKind,
    name: str,
    begin: datetime,
    end: datetime,
    number: int | None = None,
) -> dict[str, Any] | None:
    """Values of a series from an instant to another, as a rating case has them; None where there is no such series.

    `number`: as the series was at this version; else as it is now. A value that is missing is null.
    """
    found = connection.execute(
        """
        select s.id, s.minutes, coalesce(%s::int, max(v.number)) as number
        from billing.rating_series as s join billing.rating_series_versions as v on v.series = s.id
        where (s.kind, s.name) = (%s, %s) group by s.id, s.minutes""",
        [number, kind, name],
    ).fetchone()
    if found is None:
        return None
    rows = connection.execute(
        """
        select distinct on (starts_at) starts_at, value from billing.rating_series_values
        where series = %s and starts_at >= %s and starts_at < %s and version <= %s
        order by starts_at, version desc""",
        [found["id"], begin, end, found["number"]],
    )
    values = {row["starts_at"]: canonical(row["value"]) for row in rows}
    step = timedelta(minutes=found["minutes"])
    return {
        "version": str(found["number"]),
        "start": begin.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "minutes": found["minutes"],
        _NAMES[kind]: [values.get(begin + step * place) for place in range(-((begin - end) // step))],
    }


_NAMES = {"price": "prices", "profile": "weights"}


class Waiting(NamedTuple):
    """A draft that no one has approved yet."""

    tariff: str
    number: int
    maker: str
    since: datetime
    warnings: int


def waiting(found: Sequence[TariffVersion]) -> list[Waiting]:
    """The drafts among versions, the oldest first."""
    drafts = [one for one in found if one.state == "draft"]
    return [
        Waiting(one.tariff, one.number, one.maker, one.loaded_at, len(one.findings))
        for one in sorted(drafts, key=lambda one: one.loaded_at)
    ]
