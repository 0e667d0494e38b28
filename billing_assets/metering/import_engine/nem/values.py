"""The values of a day as whole numbers of one scale, exactly as they were written."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from billing_assets.metering.import_engine.nem.fields import Found

NUMERIC = b"0123456789.,"
MOST_DIGITS = 15

_MOST = float(10**MOST_DIGITS)
_POWERS = tuple(float(10**places) for places in range(MOST_DIGITS + 1))
_PLACES = tuple(re.compile(rb"\.[0-9]{%d}" % places) for places in range(MOST_DIGITS + 2))
_FRACTIONS = re.compile(rb"\.([0-9]*)")
_NUMBER = re.compile(r"(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))")


def fast(
    fields: Sequence[bytes], line: bytes, start: int, end: int, places: int
) -> tuple[NDArray[np.int64], int, int] | None:
    """The values of `fields` (`line[start:end]`, nothing but digits, points and commas), their decimals, and their sum.

    `places`: the decimals that they probably have. None: look closer, something may be wrong with them. A number of up
    to 15 digits goes through a float and back without change: both steps round by less than a quarter of its last
    digit.
    """
    try:
        floats = list(map(float, fields))
    except ValueError:
        return None
    if _PLACES[places + 1].search(line, start, end) or (places and not _PLACES[places].search(line, start, end)):
        places = max(map(len, _FRACTIONS.findall(line, start, end)), default=0)
        if places > MOST_DIGITS:
            return None
    scaled = np.array(floats)
    if places:
        scaled *= _POWERS[places]
        np.rint(scaled, out=scaled)
    total = float(np.add.reduce(scaled))
    if total >= _MOST:  # also where one of them has more digits than a float is exact for
        return None
    return scaled.astype(np.int64), places, int(total)


def slow(fields: Sequence[str], found: list[Found]) -> tuple[NDArray[np.int64], int, int] | None:
    """The same of any texts; None where `found` now says what is wrong with them."""
    parts: list[tuple[str, str]] = []
    wrong: list[tuple[str, int, str]] = []
    for place, text in enumerate(fields, 1):
        match = _NUMBER.fullmatch(text)
        if match:
            whole, fraction = (match[1] or "").lstrip("0"), match[2] or match[3] or ""
            if len(whole) + len(fraction) <= MOST_DIGITS:
                parts.append((whole, fraction))
                continue
        is_negative = text.startswith("-") and _NUMBER.fullmatch(text[1:])
        wrong.append(("R-NEGATIVE" if is_negative else "R-VALUE", place, text))
    for code in ("R-VALUE", "R-NEGATIVE"):
        those = [(place, text) for kind, place, text in wrong if kind == code]
        if those:
            place, text = those[0]
            more = f", nor are {len(those) - 1} others in the line" if len(those) > 1 else ""
            found.append((code, {"where": f"interval {place}", "value": text, "more": more}))
    if wrong:
        return None
    places = max((len(fraction) for _, fraction in parts), default=0)
    numbers = [int(whole + fraction.ljust(places, "0") or "0") for whole, fraction in parts]
    if max(numbers, default=0) >= 2**63:
        where, value = "the whole day", f"{len(str(max(numbers)))} digits with {places} decimals"
        found.append(("R-VALUE", {"where": where, "value": value, "more": ""}))
        return None
    return np.array(numbers, dtype=np.int64), places, sum(numbers)
