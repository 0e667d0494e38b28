"""Texts from outside, as they may be shown to people: nothing in them hides, or turns round what is beside it."""

import unicodedata
from collections.abc import Iterable

JOINERS = frozenset("\u200c\u200d\u200e\u200f\u061c")
"""Characters that draw nothing, and that the letters beside them need."""

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
