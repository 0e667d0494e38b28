"""The service that a line of the sample charges: the family of its stock code.

`S22` for a code that begins with five digits, by the first two of them (`22423`, `22423B`); `CARRIAGE` for postage and
carriage; `OTHER` for everything else (manual entries, discounts, fees, vouchers).
"""

import re
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

OTHER, CARRIAGE = "OTHER", "CARRIAGE"
_CARRIAGE = frozenset({"POST", "DOT", "C2"})


def family(code: str) -> str:
    """The service of one stock code."""
    code = code.strip().upper()
    if re.match(r"\d{5}", code):
        return f"S{code[:2]}"
    return CARRIAGE if code in _CARRIAGE else OTHER


def services(codes: Any) -> Any:
    """The service of each of a column of stock codes, as an Arrow column; each distinct code is looked at once."""
    distinct = pc.unique(codes)
    distinct = distinct.cast(pa.string()) if pa.types.is_dictionary(distinct.type) else distinct
    named = pa.array([family(code) for code in distinct.to_pylist()])
    return named.take(pc.index_in(codes.cast(pa.string()), value_set=distinct))
