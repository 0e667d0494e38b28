"""Reads what the contracts of the billing system are charged for, in chunks."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from billing_assets.erp.billing_system.contract import SERVICE_COLUMNS
from billing_assets.erp.billing_system.queries import SERVICES_FILE, Queries, services_table
from billing_assets.foundation.source_database.connection import connect_source
from billing_assets.foundation.source_database.errors import asking
from billing_assets.foundation.source_database.values import Unreadable, further

CHUNK = 5000
"""Services per chunk: what bounds the memory."""


class ContractService(NamedTuple):
    """A service of a contract. `charged` is one of `contract.CHARGED`; a date that is None is no limit.

    `expected_amount` is what a month should charge, without tax, in the currency of the contract's documents.
    """

    contract: str
    customer: str | None
    branch: str | None
    service: str
    description: str | None
    starts_on: date | None
    ends_on: date | None
    charged: str
    expected_amount: Decimal | None


class BadService(NamedTuple):
    """A row of `contract_services.sql` that cannot be understood, and why."""

    contract: str | None
    service: str | None
    problem: str


def contract_services(conn: Connection, queries: Queries) -> Iterator[tuple[list[ContractService], list[BadService]]]:
    """Every service of every contract, in chunks, each with the rows that cannot be understood.

    Nothing where there is no such query. Raises QueryFailed, CannotConnect.
    """
    if queries.services is None:
        return
    table = services_table(queries.services)
    query = select(*(table.c[one.name] for one in SERVICE_COLUMNS))
    with (
        nullcontext(conn) if conn.dialect.name == "postgresql" else connect_source(conn.engine) as streaming,
        asking(conn, SERVICES_FILE),
        streaming.execute(query, execution_options={"yield_per": CHUNK}) as result,
    ):
        for rows in result.partitions():
            read = [_read(row) for row in rows]
            yield (
                [one for one in read if isinstance(one, ContractService)],
                [one for one in read if isinstance(one, BadService)],
            )


def _read(row: Any) -> ContractService | BadService:
    converted = []
    for column, value in zip(SERVICE_COLUMNS, row, strict=True):
        try:
            converted.append(column.convert(value))
        except Unreadable as error:
            return BadService(further(row[0]), further(row[3]), f"{column.name} {error}")
    return ContractService(*converted)
