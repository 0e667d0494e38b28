"""What the room writes: tariffs, their versions and states, series of prices and profiles. Each verb on the caller's
connection, in a transaction of its own."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import psycopg.errors
from psycopg.types.json import Json, Jsonb

from billing_assets.decisions.store import Subject, check, record
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError

SeriesKind = Literal["price", "profile"]


class UnknownTariffError(BillingError):
    """There is no tariff or version of this name."""


class TariffStateError(BillingError):
    """A version is not in the state that the verb needs; the message says in which it is."""


class SeriesError(BillingError):
    """Values do not fit the series that they are loaded into."""


class FileOf(NamedTuple):
    """The file that something came in: its name without the folder, its format, its SHA-256."""

    name: str
    format: str
    sha256: bytes


class Loaded(NamedTuple):
    """The version that has the content; `is_new`: it was written now."""

    tariff: str
    number: int
    is_new: bool


class LoadedSeries(NamedTuple):
    """The version that a series has now, and how many values the load changed."""

    name: str
    version: int
    changed: int
    values: int


def load(
    connection: Connection,
    tariff: dict[str, Any],
    content_hash: bytes,
    findings: Sequence[dict[str, Any]],
    file: FileOf,
    by: str,
    why: str,
) -> Loaded:
    """Writes a checked tariff as the next version of its code, as a draft. Safe to repeat: the content of the last
    version that is not withdrawn is not written twice."""
    code = tariff["code"]
    with connection.transaction():
        connection.execute("insert into billing.tariffs (code) values (%s) on conflict do nothing", [code])
        connection.execute("select pg_advisory_xact_lock(hashtextextended('billing.tariffs', hashtext(%s)))", [code])
        last = connection.execute(
            """
            select number, content_hash, state from billing.tariff_versions_now
            where tariff = %s order by number desc limit 1""",
            [code],
        ).fetchone()
        if last and last["state"] != "withdrawn" and bytes(last["content_hash"]) == content_hash:
            return Loaded(code, last["number"], is_new=False)
        number = last["number"] + 1 if last else 1
        decision = record(connection, Subject.TARIFF, reference(code, number), f"loaded {file.name}", by, why).id
        connection.execute(
            """
            insert into billing.tariff_versions (tariff, number, name, currency, market, commodity, customer_class,
                charges, content, content_hash, findings, format, file, file_hash, loaded_by)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                code,
                number,
                tariff.get("name") or code,
                tariff["currency"],
                tariff.get("market") or "",
                tariff.get("commodity") or "electricity",
                tariff.get("customer_class") or "",
                len(tariff["charges"]),
                Json(tariff),
                content_hash,
                Jsonb(list(findings)),
                file.format,
                file.name,
                file.sha256,
                decision,
            ],
        )
    return Loaded(code, number, is_new=True)


def reference(code: str, number: int) -> str:
    """How decisions name a version."""
    return f"{code}/{number}"


def approve(connection: Connection, code: str, number: int, by: str, why: str) -> None:
    """A draft may be billed from now on: as another person than its maker.

    Raises UnknownTariffError, TariffStateError, SamePersonError.
    """
    with connection.transaction():
        version = _standing(connection, code, number)
        if version["state"] != "draft":
            raise TariffStateError(_is(code, number, version["state"]))
        try:
            decision = check(connection, version["loaded_by"], by, why).id
        except psycopg.errors.UniqueViolation:  # approved at the same moment
            raise TariffStateError(_is(code, number, "approved")) from None
        _to(connection, version["id"], "approved", decision)


def withdraw(connection: Connection, code: str, number: int, by: str, why: str) -> None:
    """A draft or an approved version is not billed any more. What was billed by it stays, and so does its content.

    Raises UnknownTariffError, TariffStateError.
    """
    with connection.transaction():
        version = _standing(connection, code, number)
        if version["state"] == "withdrawn":
            raise TariffStateError(_is(code, number, "withdrawn"))
        decision = record(connection, Subject.TARIFF, reference(code, number), "withdrawn", by, why).id
        _to(connection, version["id"], "withdrawn", decision)


def _standing(connection: Connection, code: str, number: int) -> dict[str, Any]:
    found = connection.execute(
        "select id, state, loaded_by from billing.tariff_versions_now where (tariff, number) = (%s, %s)", [code, number]
    ).fetchone()
    if found is None:
        raise UnknownTariffError(
            f"There is no version {number} of a tariff {code}. `billing tariffs list` shows what there is."
        )
    return found


def _is(code: str, number: int, state: str) -> str:
    return f"Version {number} of {code} is {state} already. Nothing was changed."


def _to(connection: Connection, version: int, state: str, decision: int) -> None:
    try:
        with connection.transaction():
            connection.execute(
                "insert into billing.tariff_states (version, state, decision) values (%s, %s, %s)",
                [version, state, decision],
            )
    except psycopg.errors.IntegrityError as error:  # another person was quicker
        raise TariffStateError(
            f"Another person decided about this version just now: {error.diag.message_primary}."
        ) from None


def load_series(
    connection: Connection,
    kind: SeriesKind,
    name: str,
    minutes: int,
    values: Sequence[tuple[datetime, Decimal]],
    file: FileOf,
    by: str,
    why: str,
) -> LoadedSeries:
    """Writes what is new or other in a series, as its next version. Safe to repeat: the same again writes nothing.

    `values`: instants of UTC and values, each instant once and on the grid of `minutes`. Raises SeriesError where the
    series has another length of interval.
    """
    with connection.transaction():
        connection.execute(
            """
            insert into billing.rating_series (kind, name, minutes) values (%s, %s, %s)
            on conflict (kind, name) do nothing""",
            [kind, name, minutes],
        )
        (series,) = connection.execute(
            "select id, minutes from billing.rating_series where (kind, name) = (%s, %s)", [kind, name]
        ).fetchall()
        if series["minutes"] != minutes:
            raise SeriesError(f"{name} has values of {series['minutes']} minutes, these are of {minutes}.")
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended('billing.rating_series', %s))", [series["id"]]
        )
        connection.execute("create temporary table new_values (starts_at timestamptz, value numeric) on commit drop")
        with connection.cursor().copy("copy new_values (starts_at, value) from stdin (format binary)") as copy:
            copy.set_types(["timestamptz", "numeric"])
            for one in values:
                copy.write_row(one)
        connection.execute(
            """
            delete from new_values as n using (
                select distinct on (starts_at) starts_at, value from billing.rating_series_values
                where series = %s order by starts_at, version desc) as o
            where n.starts_at = o.starts_at and n.value = o.value""",
            [series["id"]],
        )
        (facts,) = connection.execute(
            """
            select (select count(*) from new_values)::int as changed,
                (select coalesce(max(number), 0) from billing.rating_series_versions where series = %s) as last""",
            [series["id"]],
        ).fetchall()
        if not facts["changed"]:
            connection.execute("drop table new_values")
            return LoadedSeries(name, facts["last"], 0, len(values))
        number = facts["last"] + 1
        decision = record(connection, Subject.TARIFF, f"{kind} {name}/{number}", f"loaded {file.name}", by, why).id
        connection.execute(
            """
            insert into billing.rating_series_versions
                (series, number, changed, begins_at, ends_at, file, file_hash, loaded_by)
            select %s, %s, %s, min(starts_at), max(starts_at) + %s, %s, %s, %s from new_values""",
            [
                series["id"],
                number,
                facts["changed"],
                timedelta(minutes=minutes),
                file.name,
                file.sha256,
                decision,
            ],
        )
        connection.execute(
            """
            insert into billing.rating_series_values (series, starts_at, version, value)
            select %s, starts_at, %s, value from new_values""",
            [series["id"], number],
        )
        connection.execute("drop table new_values")
    return LoadedSeries(name, number, facts["changed"], len(values))
