"""How facts look in Dagster's metadata: money as a float to plot and a text to be exact, tables for people.

No customer detail goes through here: document numbers, amounts, codes and counts only.
"""

import math
import string
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeAlias

import dagster as dg

from billing_assets.foundation.money import amount
from billing_assets.foundation.outside_text import visible
from billing_assets.foundation.phrases import duration

Shown: TypeAlias = dg.MetadataValue | int | bool | str | float
"""What an entry of metadata may be."""

SHOWN_ROWS = 200
"""Rows of a table in metadata; the whole is in our tables, and a count says how many there are."""


def money(name: str, total: Decimal) -> dict[str, dg.MetadataValue]:
    """An amount twice: `name` to plot and `name_exact` to trust. Dagster's metadata takes no decimals."""
    exact = dg.MetadataValue.text(amount(total).replace(",", ""))
    if not math.isfinite(float(total)):  # the total of a held document may be absurd, and the web UI shows no infinity
        return {f"{name}_exact": exact}
    return {name: dg.MetadataValue.float(float(total)), f"{name}_exact": exact}


def lasted(name: str, seconds: float) -> dict[str, dg.MetadataValue]:
    """How long something took, twice: `name` to read and `name_seconds` to plot."""
    return {
        name: dg.MetadataValue.text(duration(seconds)),
        f"{name}_seconds": dg.MetadataValue.float(round(float(seconds), 1)),
    }


_MARKS = str.maketrans({char: f"\\{char}" for char in string.punctuation})


def plain(text: str) -> str:
    """A text from outside within Markdown, on one line, as it is: nothing in it is a mark, a tag or a link."""
    return visible(" ".join(text.split())).translate(_MARKS)


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """A table of the first rows, every cell as a person reads it."""
    return dg.MetadataValue.table(
        [dg.TableRecord(record) for record in _records(rows, columns)],
        dg.TableSchema(columns=[dg.TableColumn(name) for name in columns]),
    )


def typed_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> dg.TableMetadataValue:
    """The same with every column's type and constraints, as dagster-pandas describes a typed frame."""
    # Imported here: pandas would add half a second to every run of a batch, which needs none of it.
    import pandas as pd  # noqa: PLC0415
    from dagster_pandas.data_frame import create_table_schema_metadata_from_dataframe  # noqa: PLC0415

    records = _records(rows, columns)
    frame = pd.DataFrame(records, columns=list(columns))
    frame = frame.astype({name: "string" for name in columns if frame[name].dtype == object})
    schema = create_table_schema_metadata_from_dataframe(frame).schema
    return dg.MetadataValue.table([dg.TableRecord(record) for record in records], schema)


def _records(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[str]
) -> list[dict[str, str | int | float | bool | None]]:
    return [{name: _cell(row.get(name)) for name in columns} for row in islice(rows, SHOWN_ROWS)]


def _cell(value: object) -> str | int | float | bool:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return amount(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return value if isinstance(value, int | float) else visible(str(value))
