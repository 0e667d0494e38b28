"""The SQL that reads sets from the import engine's tables."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection


class NewSet(NamedTuple):
    """An 867 or 810 that is not usage or charges yet. `content`: as JSON; `codes`: of its reader."""

    message: int
    type: str
    content: dict[str, Any]
    codes: list[str]
    arrived_at: datetime
    sent_at: datetime | None
    control: str


def new_sets(connection: Connection, limit: int) -> list[NewSet]:
    """Some of them, in the order of their numbers. Another process may be at the same ones: each is taken in once."""
    rows = connection.execute(
        """
        select m.id as message, m.type, m.content, coalesce(m.codes, '{}') as codes, f.received_at as arrived_at,
            coalesce(m.stamp, f.made_at) as sent_at,
            concat_ws(' ', i.control, m.control) as control  -- the order within one time
        from billing.raw_messages as m join billing.raw_files as f on f.id = m.file
        left join lateral (
            select min(control) as control from billing.received_interchanges where file = m.file) as i on true
        where m.type in ('867', '810') and m.state in ('accepted', 'held') and m.content is not null
          and not exists (select from billing.usage_messages as u where u.message = m.id)
        order by m.id limit %s""",
        [limit],
    )
    return [NewSet(**row) for row in rows]


def reader_sentences(connection: Connection, messages: Collection[int]) -> dict[tuple[int, str], str]:
    """What the reader said of these messages, by message and code: of the finding nearest after its first line."""
    rows = connection.execute(
        """
        select m.id, f.code, f.sentence
        from billing.raw_messages as m
        cross join lateral (
            select distinct on (code) code, sentence from billing.raw_findings
            where file = m.file and line >= m.line and code = any(m.codes) order by code, line, number) as f
        where m.id = any(%s)""",
        [list(messages)],
    )
    return {(row["id"], row["code"]): row["sentence"] for row in rows}
