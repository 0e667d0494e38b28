"""Headers that say what was written, for any text: RFC 2047, folded by one rule for every version of Python.

The folding of `email.policy` loses the blank between an encoded word and its neighbour, or writes two encoded words
without one, as the version has it. Here a text that is not short plain ASCII is encoded as a whole, blanks included:
between two encoded words a reader drops what stands there, and nothing of the text does.
"""

import re
from email.header import Header
from email.policy import EmailPolicy
from typing import Any

from billing_assets.foundation.outside_text import on_one_line

_PLAIN = re.compile(r"[\x20-\x7e]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # a name that needs no quotes
_LONGEST_LINE = 76


class Folded(str):
    """A header's value as it goes over the wire."""

    __slots__ = ()


class _AsFolded(EmailPolicy):
    """Leaves a value that is `Folded` as it is."""

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return (name, value) if isinstance(value, Folded) else super().header_store_parse(name, value)


SMTP = _AsFolded(linesep="\r\n", refold_source="none")
"""The policy of mails that have such headers."""


def text_header(name: str, text: str) -> Folded:
    """A text, cleaned, as the value of a header. Raises ValueError where it is no Unicode (half a surrogate pair)."""
    shown = on_one_line(text)
    if _as_it_is(shown) and len(f"{name}: {shown}") <= _LONGEST_LINE:
        return Folded(shown)
    return Folded(_encoded(name, shown))


def mailbox_header(name: str, who: str | None, address: str) -> Folded:
    """A name, cleaned, and its address, which must be ASCII, as the value of a header. Raises ValueError as above."""
    shown = on_one_line(who or "")
    if not shown:
        return Folded(address)
    if _as_it_is(shown) and not set(shown) & set('"\\') and len(f'{name}: "{shown}"') <= _LONGEST_LINE:
        words = shown if _ATOMS.fullmatch(shown) else f'"{shown}"'
        line = f"{name}: {words}"
    else:
        words = _encoded(name, shown)
        line = words.rpartition("\n")[2] if "\n" in words else f"{name}: {words}"
    gap = " " if len(f"{line} <{address}>") <= _LONGEST_LINE else "\r\n "
    return Folded(f"{words}{gap}<{address}>")


def _as_it_is(text: str) -> bool:
    """Whether a reader sees in a header what is written there."""
    return _PLAIN.fullmatch(text) is not None and "=?" not in text


def _encoded(name: str, text: str) -> str:
    return Header(text, "utf-8", maxlinelen=_LONGEST_LINE, header_name=name).encode(linesep="\r\n")
