"""The SQL of close packs on their way to their folder: which go, and what is in them."""

from billing_assets.file_exchange.outbox import Outbox, files, may_go
from billing_assets.foundation.database.connection import Connection
from billing_assets.posting.ledger import Ledger

_LEDGER = Ledger(
    items="billing.close_pack_files",
    batches="billing.close_pack_deliveries",
    attempts="billing.close_pack_attempts",
    outcomes="billing.close_pack_outcomes",
    remote_id="remote_path",
    remote_number="remote_sha256",
    keeps_bodies=False,  # they are in billing.close_packs, and stay there
)


_PACK = """
    (select distinct on (period) period, figures from billing.month_closings
     where action = 'hard_close' order by period, id desc) as m
    join billing.close_packs as p on (p.period, p.figures) = (m.period, m.figures)"""
"""The packs on which months were closed for good."""


def register(connection: Connection, period: str) -> bool:
    """Notes the files of the pack on which a month was closed for good; again, it notes nothing. Whether there are
    any."""
    with connection.transaction():
        connection.execute(
            f"""
            insert into billing.close_pack_deliveries (partition_key)
            select m.period from {_PACK} where m.period = %s on conflict do nothing""",  # noqa: S608
            [period],
        )
        connection.execute(
            f"""
            insert into billing.close_pack_files (batch, pack, part, external_id, sha256, size)
            select m.period, p.id, f.part, 'month-close-' || m.period || f.ending, sha256(f.content), length(f.content)
            from {_PACK}
            cross join lateral (
                values ('workbook', '.xlsx', p.workbook), ('statement', '.pdf', p.statement)
            ) as f (part, ending, content)
            where m.period = %s on conflict (external_id) do nothing""",  # noqa: S608
            [period],
        )
    return bool(files(connection, _LEDGER, period))


def months_to_deliver(connection: Connection, pause_seconds: float) -> list[str]:
    """Months closed for good whose pack a run can deliver now, the oldest first: nothing of it was sent, or what is
    left does not wait for a person, and the last run ended longer ago than the pause."""
    rows = connection.execute(
        f"""
        select m.period from {_PACK}
        left join billing.close_pack_deliveries as b on b.partition_key = m.period
        where b.partition_key is null or {may_go(_LEDGER)}
        order by 1""",  # noqa: S608
        [pause_seconds],
    )
    return [row["period"] for row in rows]


def content(connection: Connection, file: int) -> bytes:
    """What is in a file."""
    (row,) = connection.execute(
        """
        select case d.part when 'workbook' then p.workbook else p.statement end as content
        from billing.close_pack_files as d join billing.close_packs as p on p.id = d.pack where d.id = %s""",
        [file],
    ).fetchall()
    return bytes(row["content"])


PACKS = Outbox(_LEDGER, content, "billing close deliver {batch}", "pack_delivery")
"""Close packs, a month each."""
