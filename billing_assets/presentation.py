"""How facts look in Dagster's metadata: money as a float to plot and a text to be exact, tables for people.

No customer detail goes through here: document numbers, amounts, codes and counts only.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import dagster as dg
import pandas as pd
from dagster_pandas.data_frame import create_table_schema_metadata_from_dataframe

SHOWN_ROWS = 200
"""Rows of a table in metadata; the whole is in our tables, and a count says how many there are."""


def money(name: str, total: Decimal) -> dict[str, dg.MetadataValue]:
    """An amount twice: `name` to plot and `name_exact` to trust. Dagster's metadata takes no decimals."""
    return {name: dg.MetadataValue.float(float(total)), f"{name}_exact": dg.MetadataValue.text(f"{total:f}")}


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """A table of the first rows, every cell as text a person can read."""
    schema = dg.TableSchema(columns=[dg.TableColumn(name) for name in columns])
    records = [
        dg.TableRecord({name: _cell(row.get(name)) for name in columns})
        for row, _ in zip(rows, range(SHOWN_ROWS))  # noqa: B905
    ]
    return dg.MetadataValue.table(records, schema)


def frame_schema(frame: pd.DataFrame) -> dg.TableSchema:
    """The columns of a frame with their types, as dagster-pandas describes them."""
    return create_table_schema_metadata_from_dataframe(frame).schema


def totals_frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Counts and totals as a typed frame: text columns, whole numbers, and totals as exact text beside a float."""
    frame = pd.DataFrame(list(rows))
    if "total" in frame:
        frame["total_exact"] = frame["total"].map(lambda total: f"{total:f}")
        frame["total"] = frame["total"].astype(float)
    return frame.astype({name: "string" for name in frame.columns if frame[name].dtype == object})


def _cell(value: object) -> str | int | float | bool:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if isinstance(value, str | int | float | bool) else str(value)
