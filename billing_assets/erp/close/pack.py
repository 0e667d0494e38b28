"""The close pack: the workbook and the statement of a comparison, the same to the byte as long as nothing changed."""

import typst

from billing_assets.erp.close import comparison, store
from billing_assets.erp.close.causes import CAUSES, WORST_FIRST, Sort
from billing_assets.erp.close.differences import describe
from billing_assets.erp.close.lettering import FONTS
from billing_assets.erp.close.reconciliation import MonthClose
from billing_assets.erp.close.statement import statement
from billing_assets.erp.close.store import Pack
from billing_assets.erp.close.workbook import workbook
from billing_assets.foundation.database.connection import Connection

_KEPT = {Sort.KEPT_BACK, Sort.EXPLAINED}


def make_pack(connection: Connection, close: MonthClose, fonts: typst.Fonts = FONTS) -> Pack:
    """Makes and keeps the pack of a comparison that `close_month` just made on this connection.

    Where the last comparison found the same, its pack is the pack: what was signed stays what is shown.
    """
    if kept := store.pack(connection, close.period, close.figures):
        store.keep_pack(connection, kept)
        return kept
    kept_back = [cause for cause in WORST_FIRST if CAUSES[cause].sort in _KEPT or cause == "REJECTED"]
    differing = [cause for cause in WORST_FIRST if cause not in kept_back]
    with connection.transaction():
        book = workbook(
            close,
            differences=map(describe, comparison.differences(connection, differing)),
            kept_back=map(describe, comparison.differences(connection, kept_back)),
            posted=comparison.posted(connection),
        )
    made = Pack(close.period, close.figures, close.compared_at, book, statement(close, fonts))
    store.keep_pack(connection, made)
    return made
