"""The SQL of invoices: drafts with lines and taxes, what is on them, their states and numbers."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.types.json import Json

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.invoices import adjustment_store
from billing_assets.invoicing.invoices.adjustment_store import Adjustment
from billing_assets.invoicing.invoices.states import Invoice


class Draft(NamedTuple):
    """An invoice before it is written. `rated`: the case and its answer; amounts are in the answer as texts."""

    batch: int
    member: int
    account: str
    bill_group: str
    issuer: str
    currency: str
    source: str
    point: str
    channel: str
    period_start: date
    period_end: date
    is_estimated: bool
    is_final: bool
    tariff: str
    tariff_version: int
    usage: int | None
    version: str
    charges: int | None
    kwh: Decimal
    charges_total: Decimal | None
    usage_received_at: datetime | None
    rated: dict[str, Any]
    correction: int | None = None
    replaces: int | None = None
    adjustments: tuple[int, ...] = ()
    differences: Sequence[Adjustment] = ()


def write_draft(connection: Connection, draft: Draft) -> int:
    """Writes a draft with its lines, its taxes, and what of usage and charges is on it. Its id.

    Raises psycopg.errors.ExclusionViolation or UniqueViolation where a day or a message is on another live invoice.
    """
    answer = draft.rated["answer"]
    net = Decimal(answer["net"]) + sum(one.net for one in draft.differences)
    tax = Decimal(answer["tax"]) + sum(one.tax for one in draft.differences)
    row = connection.execute(
        """
        insert into billing.utility_invoices (batch, member, account, bill_group, issuer, currency, source,
            period_start, period_end, is_estimated, is_final, tariff, tariff_version, rated, net, tax, total,
            amount_due, usage_received_at, correction, replaces)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id""",
        [
            draft.batch,
            draft.member,
            draft.account,
            draft.bill_group,
            draft.issuer,
            draft.currency,
            draft.source,
            draft.period_start,
            draft.period_end,
            draft.is_estimated,
            draft.is_final,
            draft.tariff,
            draft.tariff_version,
            Json(draft.rated),
            net,
            tax,
            net + tax,
            net + tax,
            draft.usage_received_at,
            draft.correction,
            draft.replaces,
        ],
    ).fetchone()
    invoice = int(row["id"]) if row else 0
    _write_lines(connection, invoice, answer["lines"])
    _write_taxes(connection, invoice, answer)
    adjustment_store.put_on(connection, invoice, draft.differences)
    connection.execute(
        "insert into billing.invoiced_streams (point, channel) values (%s, %s) on conflict do nothing",
        [draft.point, draft.channel],
    )
    connection.execute(
        """
        insert into billing.invoiced_usage (invoice, version, message, stream, days, kwh)
        select %s, %s, %s, id, daterange(%s, %s), %s from billing.invoiced_streams where (point, channel) = (%s, %s)""",
        [
            invoice,
            draft.version,
            draft.usage,
            draft.period_start,
            draft.period_end,
            draft.kwh,
            draft.point,
            draft.channel,
        ],
    )
    put_by_hand(connection, invoice, draft.adjustments)
    _write_series(connection, invoice, draft.rated["case"]["context"])
    if draft.charges is not None:
        connection.execute(
            "insert into billing.invoiced_charges (invoice, message, total) values (%s, %s, %s)",
            [invoice, draft.charges, draft.charges_total],
        )
    return invoice


def put_by_hand(connection: Connection, invoice: int, adjustments: Sequence[int]) -> None:
    """Notes which adjustments are on a document.

    Raises psycopg.errors.UniqueViolation where one is on another live one.
    """
    connection.execute(
        "insert into billing.invoiced_adjustments (invoice, adjustment) select %s, unnest(%s::bigint[])",
        [invoice, list(adjustments)],
    )


def _write_series(connection: Connection, invoice: int, context: Mapping[str, Any]) -> None:
    used = [
        (kind, name, int(series["version"]))
        for kind, key in (("price", "price_series"), ("profile", "profiles"))
        for name, series in context.get(key, {}).items()
    ]
    if used:
        connection.execute(
            """
            insert into billing.invoice_series (invoice, kind, name, version)
            select %s, kind, name, version from unnest(%s::text[], %s::text[], %s::int[]) as n (kind, name, version)""",
            [invoice, *([one[part] for one in used] for part in range(3))],
        )


class DocumentByHand(NamedTuple):
    """A memo or a one-off invoice before it is written, of one day."""

    kind: str
    account: str
    bill_group: str
    issuer: str
    currency: str
    day: date
    tariff: str
    tariff_version: int | None
    rated: dict[str, Any]
    deliver: bool


def write_document(connection: Connection, given: DocumentByHand) -> int:
    """Writes a document without usage, approved to be issued in the same transaction. Its id."""
    answer = given.rated["answer"]
    (row,) = connection.execute(
        """
        insert into billing.utility_invoices (kind, account, bill_group, issuer, currency, source, period_start,
            period_end, tariff, tariff_version, rated, net, tax, total, amount_due, deliver, state)
        values (%s, %s, %s, %s, %s, 'manual', %s, %s::date + 1, %s, %s, %s, %s, %s, %s, %s, %s, 'approved')
        returning id""",
        [
            given.kind,
            given.account,
            given.bill_group,
            given.issuer,
            given.currency,
            given.day,
            given.day,
            given.tariff,
            given.tariff_version,
            Json(given.rated),
            Decimal(answer["net"]),
            Decimal(answer["tax"]),
            Decimal(answer["total"]),
            Decimal(answer["total"]),
            given.deliver,
        ],
    ).fetchall()
    _write_lines(connection, row["id"], answer["lines"])
    _write_taxes(connection, row["id"], answer)
    return int(row["id"])


def _write_lines(connection: Connection, invoice: int, lines: Sequence[Mapping[str, Any]]) -> None:
    connection.execute(
        """
        insert into billing.utility_invoice_lines (invoice, position, code, bill_text, point, period_start, period_end,
            quantity, unit, price, price_base, amount, tax_category, is_estimated, detail)
        select %s, number, one->>'code', one->>'bill_text', coalesce(one->>'service_point', ''), (one->>'from')::date,
            (one->>'to')::date, (one->>'quantity')::numeric, one->>'unit', (one->>'price')::numeric,
            (one->>'price_base')::numeric, (one->>'amount')::numeric, one->>'tax_category',
            coalesce((one->>'estimated')::boolean, false), one
        from json_array_elements(%s::json) with ordinality as l (one, number)""",
        [invoice, json.dumps(lines)],
    )


def _write_taxes(connection: Connection, invoice: int, answer: Mapping[str, Any]) -> None:
    methods = [answer["evidence"][one["evidence"]].get("method") for one in answer["taxes"]]
    connection.execute(
        """
        insert into billing.utility_invoice_taxes (
            invoice, position, code, jurisdiction, rate, base, amount, is_inside)
        select %s, number, one->>'code', one->>'jurisdiction', (one->>'rate')::numeric, (one->>'base')::numeric,
            (one->>'amount')::numeric, (%s::text[])[number] is not distinct from 'inside'
        from json_array_elements(%s::json) with ordinality as l (one, number)""",
        [invoice, methods, json.dumps(answer["taxes"])],
    )


def move(connection: Connection, invoices: Sequence[int], state: Invoice) -> None:
    """Gives drafts their next state."""
    connection.execute("update billing.utility_invoices set state = %s where id = any(%s)", [state, list(invoices)])


def free(connection: Connection, invoices: Sequence[int]) -> None:
    """What was on invoices that are discarded or cancelled may be billed again."""
    connection.execute(
        "update billing.invoiced_usage set is_live = false where invoice = any(%s) and is_live", [list(invoices)]
    )
    connection.execute(
        "update billing.invoiced_charges set is_live = false where invoice = any(%s) and is_live", [list(invoices)]
    )
    adjustment_store.free(connection, invoices)
    connection.execute(
        "update billing.invoiced_adjustments set is_live = false where invoice = any(%s) and is_live", [list(invoices)]
    )


def take_numbers(connection: Connection, issuer: str, year: int, many: int) -> int | None:
    """The first of a block of numbers; None where not enough are left. Held until the transaction ends: who issues for
    the same issuer waits, so that none is left out."""
    connection.execute(
        "insert into billing.number_ranges (issuer, year) values (%s, %s) on conflict do nothing", [issuer, year]
    )
    row = connection.execute(
        """
        update billing.number_ranges set next = next + %(many)s
        where (issuer, year) = (%(issuer)s, %(year)s) and next + %(many)s <= last + 1
        returning next - %(many)s as first""",
        {"issuer": issuer, "year": year, "many": many},
    ).fetchone()
    return int(row["first"]) if row else None


def number_of(issuer: str, year: int, sequence: int) -> str:
    """An invoice number."""
    return f"{issuer}{year % 100:02}{sequence:08}"


class Issuing(NamedTuple):
    """An invoice with the number and the dates that it gets."""

    invoice: int
    number: str
    year: int
    sequence: int
    invoice_date: date
    due_date: date


def issue(connection: Connection, each: Sequence[Issuing]) -> None:
    """Gives invoices their numbers for good."""
    connection.execute(
        """
        update billing.utility_invoices as i set state = 'issued', number = n.number, year = n.year,
            sequence = n.sequence, invoice_date = n.invoice_date, due_date = n.due_date, issued_at = clock_timestamp()
        from unnest(%s::bigint[], %s::text[], %s::int[], %s::bigint[], %s::date[], %s::date[])
            as n (invoice, number, year, sequence, invoice_date, due_date)
        where i.id = n.invoice""",
        [list(part) for part in zip(*each, strict=True)],
    )


def write_quality(connection: Connection, invoice: int, found: Sequence[tuple[str, str, str, str]]) -> None:
    """What the checks before release found: code, severity, sentence, value. What a person let go stays so."""
    for code, severity, sentence, value in found:
        connection.execute(
            """
            insert into billing.invoice_quality_findings (invoice, code, severity, sentence, value)
            values (%s, %s, %s, %s, %s) on conflict (invoice, code) do nothing""",
            [invoice, code, severity, sentence, value],
        )


def let_go(connection: Connection, invoice: int, decision: int) -> int:
    """A person looked at what was found in an invoice, and lets it go. How many findings."""
    return connection.execute(
        "update billing.invoice_quality_findings set decision = %s where invoice = %s and decision is null",
        [decision, invoice],
    ).rowcount


def let_go_of(connection: Connection, invoices: Sequence[int], code: str, decision: int) -> int:
    """The same for one code of several invoices."""
    return connection.execute(
        """
        update billing.invoice_quality_findings set decision = %s
        where invoice = any(%s) and code = %s and decision is null""",
        [decision, list(invoices), code],
    ).rowcount


def reviewed(connection: Connection, invoices: Sequence[int], decision: int) -> None:
    """A person looked at what was drawn; an error is let go by a decision of its own."""
    connection.execute(
        """
        update billing.invoice_quality_findings set decision = %s
        where invoice = any(%s) and severity <> 'error' and decision is null""",
        [decision, list(invoices)],
    )
