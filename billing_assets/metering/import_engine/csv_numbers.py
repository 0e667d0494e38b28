"""Numbers of a CSV export as scaled whole numbers, exactly as they are written."""

import re

_PLAIN = {sign: re.compile(rf"([+-]?)(\d*)(?:{re.escape(sign)}(\d*))?", re.ASCII) for sign in ".,"}
_WITH_EXPONENT = {
    sign: re.compile(rf"{form.pattern}(?:[eE]([+-]?\d{{1,3}}))?", re.ASCII) for sign, form in _PLAIN.items()
}
_MOST_DIGITS = 18
_KEPT = 50_000


class NotANumberError(ValueError):
    """A text is not a plain decimal number of at most 18 digits."""


class Numbers:
    """Numbers with a decimal sign; texts that come again and again are read once."""

    def __init__(self, sign: str, exponent: bool = False) -> None:
        self._form = (_WITH_EXPONENT if exponent else _PLAIN)[sign]
        self._known: dict[str, tuple[int, int]] = {}

    def read(self, text: str) -> tuple[int, int]:
        """A number times ten to its decimals, and its decimals. Raises NotANumberError."""
        found = self._known.get(text)
        if found is None:
            found = self._read(text.strip())
            if len(self._known) < _KEPT:
                self._known[text] = found
        return found

    def _read(self, text: str) -> tuple[int, int]:
        match = self._form.fullmatch(text)
        if match is None or len(text) > 60:
            raise NotANumberError
        sign, whole, part = match[1], match[2], (match[3] or "")
        if not whole and not part:
            raise NotANumberError
        shift = int(match[4] or 0) if match.re.groups == 4 else 0
        if shift:
            digits = whole + part
            point = len(whole) + shift
            digits = digits.rjust(len(digits) - min(point, 0), "0").ljust(max(point, 0), "0")
            whole, part = digits[: max(point, 0)], digits[max(point, 0) :]
        if len(part) > _MOST_DIGITS or len(whole) + len(part) > _MOST_DIGITS:
            part = part.rstrip("0")
        digits = (whole + part).lstrip("0") or "0"
        if len(part) > _MOST_DIGITS or len(digits) > _MOST_DIGITS:
            raise NotANumberError
        return (-int(digits) if sign == "-" else int(digits)), len(part)
