"""Single fields of NEM12 and NEM13 records: dates, qualities, reasons, units, suffixes, NMIs."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

Found = tuple[str, dict[str, object]]
"""A finding before it is noted: its code, and the facts of its sentence but the line."""

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_QUALITY = re.compile(r"([AEFNSV])([0-9]{2})?")
_NMI = re.compile(r"[A-HJ-NP-Z0-9]{10}")
_SUFFIX = re.compile(r"[A-Z1-9][A-HJ-NP-Z1-9]")
_YEARS = range(1900, 2200)

METHODS = frozenset([*range(11, 26), *range(51, 60), *range(61, 70), *range(71, 76)])
"""Source: AEMO Metrology Procedure, with those that were withdrawn: history has them."""

TRANSACTIONS = frozenset("ACDEGNORS")
_KINDS = frozenset("EBQKTGVFCRLUDAPJS")
_UNITS = {
    unit.lower(): unit
    for unit in (
        *(prefix + one for one in ("Wh", "VArh", "VAh", "W", "VAr", "VA") for prefix in ("", "k", "M")),
        *("kV", "V", "kA", "A", "pf"),
    )
}
DEMAND = frozenset(unit for unit in _UNITS.values() if unit.lstrip("kM") in {"W", "VAr", "VA"})


class Quality(NamedTuple):
    """A quality as written, such as `S14`, with its reason."""

    quality: str
    reason: str
    reason_text: str


def moment(text: str, digits: int, offset: timedelta) -> datetime | None:
    """A date and time of so many digits on the market's clock, in UTC; None where it is none."""
    if len(text) != digits or not _DIGITS.fullmatch(text):
        return None
    parts = [int(text[:4]), *(int(text[at : at + 2]) for at in range(4, digits, 2))]
    if parts[0] not in _YEARS:
        return None
    try:
        return datetime(*parts, tzinfo=UTC) - offset  # type: ignore[misc, arg-type]  # three to six of them
    except ValueError:
        return None


def day_of(text: str) -> date | None:
    """A date of 8 digits; None where it is none."""
    found = moment(text, 8, timedelta(0))
    return found.date() if found else None


def version_stamp(field: str, text: str, offset: timedelta, found: list[Found]) -> datetime | None:
    """When a provider changed something. With 12 digits it is kept with a warning; empty is for the caller to judge."""
    if (stamp := moment(text, 14, offset)) is None and text:
        stamp = moment(text, 12, offset)
        code = "W-UPDATE" if stamp else "R-DATE"
        found.append((code, {"field": field, "value": text}))
    return stamp


def quality(text: str, *, may_vary: bool, found: list[Found]) -> bool:
    """Whether a quality is one: a flag, and a method where the flag needs one. An unknown method is a warning."""
    match = _QUALITY.fullmatch(text)
    if match is None or (match[1] in "EFS" and not match[2]) or (match[1] == "V" and not may_vary):
        found.append(("R-QUALITY", {"value": text}))
        return False
    if match[2] and (match[1] in "ANV" or int(match[2]) not in METHODS):
        found.append(("W-METHOD", {"value": text}))
    return True


def reason(text: str, words: str, flag: str, found: list[Found]) -> None:
    """Notes what is unusual about a reason: codes are 0 to 99; 0 needs words, F and S need one, V has none."""
    rule = ""
    if text and not (_DIGITS.fullmatch(text) and int(text) <= 99):
        rule = "reasons are 0 to 99"
    elif text and not int(text) and not words:
        rule = "0 needs a description"
    elif not text and flag in {"F", "S"}:
        rule = "final and other substitutes need one"
    elif text and flag == "V":
        rule = "a day that varies has none itself"
    if rule:
        found.append(("W-REASON", {"reason": text, "quality": flag, "rule": rule}))
    too_long("ReasonDescription", words, 240, found)


def too_long(field: str, text: str, limit: int, found: list[Found]) -> None:
    """Notes a field that is longer than usual."""
    if len(text) > limit:
        found.append(("W-LENGTH", {"field": field, "limit": limit}))


def point(text: str, found: list[Found]) -> str:
    """The NMI: 10 characters; an 11th that is its check digit is left out."""
    if not text or len(text) > 20 or not text.isascii() or not text.isprintable() or " " in text:
        found.append(("R-NMI", {"value": text}))
    elif len(text) != 10:
        found.append(("W-NMI-LENGTH", {"nmi": text}))
        if len(text) == 11 and _NMI.fullmatch(text[:10]):
            digit = check_digit(text[:10])
            if text[10] == str(digit):
                return text[:10]
            found.append(("W-NMI-CHECK", {"nmi": text, "digit": digit}))
    elif not _NMI.fullmatch(text):
        found.append(("W-NMI-LETTER", {"nmi": text}))
    return text


def check_digit(nmi: str) -> int:
    """The check digit of an NMI of 10 characters. Source: AEMO NMI Procedure."""
    doubled = (ord(char) * (2 if place % 2 == 0 else 1) for place, char in enumerate(reversed(nmi)))
    return -sum(int(digit) for number in doubled for digit in str(number)) % 10


def suffix(text: str, config: str, found: list[Found]) -> None:
    """Notes what is wrong with a suffix or the configuration that must have it."""
    if not config or len(config) > 240 or len(config) % 2 or not config.isalnum():
        found.append(("R-NMI-CONFIG", {"config": config}))
    elif _SUFFIX.fullmatch(text) and text not in _pairs(config):
        found.append(("R-SUFFIX-NOT-IN-CONFIG", {"suffix": text, "config": config}))
    if not _SUFFIX.fullmatch(text):
        found.append(("R-SUFFIX", {"suffix": text}))
    elif text[0] not in _KINDS and not text.isdigit():
        found.append(("W-SUFFIX", {"suffix": text}))


def _pairs(config: str) -> Iterator[str]:
    return (config[at : at + 2] for at in range(0, len(config), 2))


def usual_unit(text: str) -> str | None:
    """A unit as it is usually written, whatever its case: `KWH` is `kWh`; None where it is none."""
    return _UNITS.get(text.lower())
