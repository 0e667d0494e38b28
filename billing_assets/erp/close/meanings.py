"""Documents of a month that were posted under an id which is another record in NetSuite than the mapping means.

The comparison by ids is circular: posting and close read the same mapping. What the ids mean, NetSuite itself says.
"""

from collections import defaultdict
from collections.abc import Iterable

from billing_assets.erp.close import month_tables
from billing_assets.erp.documents.documents import Kind, Line
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.mapping import Field, NetSuiteMapping
from billing_assets.erp.netsuite.mapping_file import is_document_column, is_line_column, table_key
from billing_assets.erp.netsuite.meaning import Mismatch, currency_symbols
from billing_assets.erp.netsuite.proof import mismatches
from billing_assets.foundation.database.connection import Connection


def add_meanings(connection: Connection, client: NetSuiteClient, mapping: NetSuiteMapping, period: str) -> None:
    """Gathers NetSuite's currencies by their codes, and the month's documents that use an id which means another
    record. Raises NetSuiteError."""
    month_tables.add_symbols(connection, currency_symbols(client))
    wrong: dict[str, list[Mismatch]] = defaultdict(list)
    for one in mismatches(connection, client, mapping):
        wrong[one.field].append(one)
    if not wrong:
        return
    for kind in mapping.body:
        for fields, on_line in ((mapping.body[kind], False), ((*mapping.line[kind], *mapping.tax), True)):
            for field in fields:
                if found := wrong.get(field.name):
                    _add(connection, period, kind, field, found, on_line=on_line)


def _add(
    connection: Connection, period: str, kind: Kind, field: Field, found: Iterable[Mismatch], *, on_line: bool
) -> None:
    table = field.table
    if table is None:
        constant = "; ".join(one.sentence for one in found if one.id == str(field.source.constant))
        if constant:
            month_tables.add_meanings(connection, period, kind, None, {"": constant}, ignore_case=False)
        return
    keys = {
        table_key(one.key, ignore_case=field.ignore_case): one.sentence
        for one in found
        if (row := table.get(table_key(one.key, ignore_case=field.ignore_case)))
        and row[field.source.take or ""] == one.id
    }
    place = Line._fields.index(field.column) if on_line and is_line_column(field.column) else None
    column = month_tables.Column(field.column, is_document_column(field.column), place)
    month_tables.add_meanings(connection, period, kind, column, keys, ignore_case=field.ignore_case)
