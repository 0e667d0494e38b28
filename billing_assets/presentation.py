"""How facts look in Dagster's metadata: money as a float to plot and a text to be exact, tables for people.

No customer detail goes through here: document numbers, amounts, codes and counts only.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

import dagster as dg
import pandas as pd
from dagster_pandas.data_frame import create_table_schema_metadata_from_dataframe

SHOWN_ROWS = 200
"""Rows of a table in metadata; the whole is in our tables, and a count says how many there are."""


def money(name: str, total: Decimal) -> dict[str, dg.MetadataValue]:
    """An amount twice: `name` to plot and `name_exact` to trust. Dagster's metadata takes no decimals."""
    return {
        name: dg.MetadataValue.float(float(total)),
        f"{name}_exact": dg.MetadataValue.text(amount(total).replace(",", "")),
    }


def amount(total: Decimal) -> str:
    """An amount as people read it: thousands separated, at least two decimals, no digit lost, no idle zeros."""
    exponent = total.normalize().as_tuple().exponent
    decimals = max(2, -exponent if isinstance(exponent, int) else 2)
    return f"{total:,.{decimals}f}"


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """A table of the first rows, every cell as a person reads it, with the columns' types."""
    records = [{name: _cell(row.get(name)) for name in columns} for row in islice(rows, SHOWN_ROWS)]
    frame = pd.DataFrame(records, columns=list(columns))
    frame = frame.astype({name: "string" for name in columns if frame[name].dtype == object})
    schema = create_table_schema_metadata_from_dataframe(frame).schema
    return dg.MetadataValue.table([dg.TableRecord(record) for record in records], schema)


def _cell(value: object) -> str | int | float | bool:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return amount(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return value if isinstance(value, str | int | float | bool) else str(value)
