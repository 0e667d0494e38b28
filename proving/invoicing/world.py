"""Customers of a utility with usage that may be billed, by the thousand: in statements of the database, set by set.

Customer `n` is account `A<n>` at a service point of its own, in a bill group, by the tariff FLAT: energy, a charge a
day and a tax. How much a customer uses is a function of the number, so that two worlds of one size are equal.
"""

from datetime import UTC, date, datetime
from typing import Any

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.batches import reviewing
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.states import Batch
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.tariffs import store as tariffs

Period = tuple[date, date]

JUNE: Period = (date(2026, 6, 3), date(2026, 7, 2))
JULY: Period = (date(2026, 7, 2), date(2026, 8, 3))
CUT_OFF = date(2026, 8, 10)
TARIFF = "FLAT"

_SUPPLIED_FROM = date(2026, 6, 3)
_ARRIVED = datetime(2026, 8, 4, 8, tzinfo=UTC)
_POINT = "'1003278' || lpad(n::text, 10, '0')"
_KWH = "300 + (n * 37 + 546) %% 1500"


def point_of(number: int) -> str:
    """The service point of a customer."""
    return f"1003278{number:010}"


def tariff(connection: Connection) -> None:
    """FLAT, loaded and approved; safe to repeat."""
    charges = [
        {"code": "energy", "kind": "usage", "tax_category": "S", "versions": [_version(price="0.25")]},
        {"code": "supply", "kind": "fixed_daily", "tax_category": "S", "versions": [_version(price="0.4711")]},
        {
            "code": "utility",
            "kind": "passthrough",
            "versions": [_version(codes=[{"code": "BAS001", "bill_text": "Delivery", "tax_category": "S"}])],
        },
        {
            "code": "sales",
            "kind": "tax",
            "applies_to": {"tax_categories": ["S"]},
            "versions": [_version(rate="0.0825")],
        },
    ]
    content: dict[str, Any] = {"code": TARIFF, "currency": "USD", "charges": charges}
    file = tariffs.FileOf("flat.json", "json", b"f" * 32)
    loaded = tariffs.load(connection, content, TARIFF.encode().ljust(32), [], file, "Mara", "New")
    if loaded.is_new:
        tariffs.approve(connection, TARIFF, loaded.number, "Ben", "Compared with the contract")


def _version(**given: Any) -> dict[str, Any]:
    return {"valid_from": "2026-01-01", **given}


def group(
    connection: Connection, name: str, *, max_batch: int = 200, ceiling: int | None = None, automated: bool = False
) -> None:
    """A bill group of the issuer ACME."""
    connection.execute(
        """
        insert into billing.bill_groups (
            bill_group, issuer, currency, max_batch, ceiling, automated, checks_off, valid_from)
        values (%s, 'ACME', 'USD', %s, %s, %s, '{BACK_BILL_LIMIT}', '2026-01-01')""",  # whenever it is played
        [name, max_batch, ceiling, automated],
    )


def window(connection: Connection, bill_group: str) -> None:
    """A cycle of the group whose window is open every night."""
    connection.execute(
        """
        insert into billing.bill_cycles (bill_group, cycle, estimate_from, read_on, invoice_date, valid_from)
        values (%s, 'C', '2026-06-30', '2026-06-30', '2026-07-02', '2026-01-01')""",
        [bill_group],
    )


def customers(connection: Connection, bill_group: str, first: int, many: int) -> None:
    """So many customers of a group, from number `first`."""
    values = {"first": first, "last": first + many - 1, "group": bill_group, "since": _SUPPLIED_FROM, "tariff": TARIFF}
    for statement in (
        "insert into billing.service_points (point, valid_from, zone) select {point}, %(since)s, 'America/Chicago'",
        "insert into billing.supply_periods (point, account, valid_from) select {point}, 'A' || n, %(since)s",
        """insert into billing.accounts (account, bill_group, tax_codes, valid_from)
        select 'A' || n, %(group)s, '{{TX}}', '2026-01-01'""",
        """insert into billing.agreements (point, account, tariff, valid_from)
        select {point}, 'A' || n, %(tariff)s, '2026-01-01'""",
    ):
        query = statement.format(point=_POINT) + " from generate_series(%(first)s::int, %(last)s::int) as n"
        connection.execute(query.encode(), values)


def metered(connection: Connection, first: int, many: int, period: Period = JUNE) -> None:
    """Usage and charges of so many customers over a period, arrived, paired and settled: it may be billed."""
    values = {
        "first": first,
        "last": first + many - 1,
        "start": period[0],
        "end": period[1],
        "arrived": _ARRIVED,
        "digest": period[0].isoformat().encode().ljust(32),
    }
    connection.execute(_MESSAGES.encode(), values)


_MESSAGES = f"""
    with file as (
        insert into billing.raw_files (name, channel, size, sha256, queue_state)
        values ('usage of ' || %(start)s, 'command', 1, %(digest)s, 'done') returning id
    ), sets as (
        insert into billing.raw_messages (file, type, line, point, key, content_hash, state, quantities, content)
        select file.id, kind.type, n, {_POINT}, kind.letter || n || '-' || %(start)s, '\\x00', 'ready', '{{}}',
            kind.content
        from file, generate_series(%(first)s::int, %(last)s::int) as n, lateral (values
            ('867', 'U', jsonb_build_object('report_type', 'DD', 'quantities', jsonb_build_object('KH', {_KWH}),
                'loops', jsonb_build_array(jsonb_build_object('type', 'PL', 'meter', 'M' || n, 'rows',
                    jsonb_build_array(jsonb_build_object('unit', 'KH', 'time_of_use', '51', 'quantity',
                        ({_KWH})::text, 'multiplier', '1')))))),
            ('810', 'I', jsonb_build_object('id', 'I' || n, 'total', '4321', 'lines', jsonb_build_array(
                jsonb_build_object('code', 'BAS001', 'amount', '4321', 'indicator', 'C', 'text', 'Delivery'))))
        ) as kind (type, letter, content)
        returning id, type, point, key, line
    ), kept as (
        insert into billing.usage_messages (message, kind, id, purpose, point, period_start, period_end, content,
            sent_at, arrived_at, amount, cross_reference, state, since, is_live, other)
        select s.id, case s.type when '867' then 'usage' else 'charges' end, s.key, '00', s.point, %(start)s, %(end)s,
            md5(s.key), %(arrived)s, %(arrived)s, case s.type when '867' then {_KWH} else 43.21 end,
            case s.type when '867' then '' else 'U' || n || '-' || %(start)s end, 'ready', %(arrived)s, true, o.id
        from (select sets.*, sets.line as n from sets) as s join sets as o on o.point = s.point and o.type <> s.type
        order by s.id
        returning message, kind, point
    )
    insert into billing.usage_pairs (usage, charges, found_by, state)
    select u.message, c.message, 'reference', 'paired'
    from kept as u join kept as c using (point) where u.kind = 'usage' and c.kind = 'charges'"""  # noqa: S608  constants


def wanted(*groups: str) -> Wanted:
    """A request for all that may be billed of these groups."""
    return Wanted(Selection.BILL_GROUP, CUT_OFF, groups)


def pending(connection: Connection, *groups: str) -> list[int]:
    """Batches of these groups, validated and let go on: they may be invoiced. Raises RuntimeError where one may not."""
    batches = [one.batch for one in lock(connection, wanted(*groups), "Mara", "Month end")]
    for batch in batches:
        found = validate(connection, batch, today=CUT_OFF)
        if found.state is not Batch.IN_REVIEW or found.held:
            raise RuntimeError(f"batch {batch} is {found.state}, {found.held} of it are held")
        reviewing.proceed(connection, batch, "Mara", "Looked at")
    return batches
