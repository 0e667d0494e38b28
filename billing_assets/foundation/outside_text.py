"""Texts from outside, as they may be shown to people: nothing in them hides, or turns round what is beside it."""

import hashlib
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

JOINERS = frozenset("\u200c\u200d\u200e\u200f\u061c")
"""Characters that draw nothing, and that the letters beside them need."""

_LONGEST_FILE_NAME = 150
"""Bytes; file systems take 255, and an ending is to follow."""

_UNSEEN = frozenset({"BN", "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})


def code(chars: Iterable[str]) -> str:
    """Characters by their code points: `[U+4E1C 4EAC]`."""
    return f"[U+{' '.join(f'{ord(char):04X}' for char in chars)}]"


def is_control(char: str) -> bool:
    """Whether a character is none to be read: a control, what turns the direction round or draws nothing, or one whose
    meaning only its author knows."""
    return char not in JOINERS and (
        unicodedata.bidirectional(char) in _UNSEEN or unicodedata.category(char) in {"Cc", "Zl", "Zp", "Co", "Cs"}
    )


def visible(text: str) -> str:
    """A text with its controls as codes; the ends of its lines stay."""
    if text.isprintable():  # it has none
        return text
    return "".join(code(char) if char != "\n" and is_control(char) else char for char in text)


def on_one_line(text: str) -> str:
    """A text with single blanks for what divides it, and without what turns the direction round or draws nothing.

    What only its author knows stays: it may be a letter of a name.
    """
    if not text.isprintable():
        text = "".join(_left_of(char) if is_control(char) else char for char in text)
    return " ".join(text.split())


def _left_of(char: str) -> str:
    category = unicodedata.category(char)
    return char if category in {"Co", "Cs"} else "" if category == "Cf" else " "


def file_name(text: str) -> str:
    """A text as the beginning of a file's name: of characters that every system takes, another for every text."""
    quoted = quote(text, safe="")
    if len(quoted) <= _LONGEST_FILE_NAME:
        return quoted
    return f"{quoted[:_LONGEST_FILE_NAME]}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
