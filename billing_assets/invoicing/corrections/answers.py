"""Every proposal of metering about what was corrected is answered, so that none is seen twice."""

from collections.abc import Iterable

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.corrections import store
from billing_assets.invoicing.corrections.reports import Original
from billing_assets.invoicing.corrections.states import Correction, Outcome
from billing_assets.metering.contract import proposals, take_candidate


def answered(connection: Connection, originals: Iterable[Original], usage: int | None, correction: int) -> None:
    """Takes what metering proposed about these invoices and about the usage that is billed again, as far as it is due,
    and ends the corrections of the other invoices."""
    each = list(originals)
    known = {message for one in each for message in one.messages}
    for one in proposals(connection):
        about = one.original in known if one.kind == "credit" else one.message == usage or one.original in known
        if one.state == "due" and about and (usage is not None or one.kind == "credit"):
            take_candidate(connection, one.kind, one.message, f"correction {correction}")
    for other in each[1:]:
        opened = store.open_one(connection, other.id, "Its days are on a rebill")
        store.move(connection, opened.id, Correction.READY)
        store.end(connection, opened.id, Outcome.REBILLED, None, part_of=correction)
