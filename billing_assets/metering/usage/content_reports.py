"""What messages say, for who bills them."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection


class MessageContent(NamedTuple):
    """Usage or charges with their whole content, as the reader of the set left it (JSON: dates and numbers as texts).

    `content_hash`: equal for two copies of one message. `is_ready`: may be billed now."""

    message: int
    kind: str
    id: str
    point: str
    is_ready: bool
    content_hash: str
    arrived_at: datetime
    content: dict[str, Any]


def contents(connection: Connection, messages: Collection[int]) -> dict[int, MessageContent]:
    """What these messages say, by number; those that are no usage and no charges are left out."""
    rows = connection.execute(
        """
        select u.message, u.kind, u.id, u.point, u.state = 'ready' as is_ready, u.content as content_hash, u.arrived_at,
            coalesce(m.content, '{}') as content
        from billing.usage_messages as u join billing.raw_messages as m on m.id = u.message
        where u.message = any(%s)""",
        [sorted(messages)],
    )
    return {row["message"]: MessageContent(**row) for row in rows}
