"""The external id under which NetSuite knows a document: a pure, injective function of prefix and number.

NetSuite compares references without regard to case but SuiteQL with it, and allows letters, digits, `_` and `-` only
(specs/netsuite.md §1.2). So: upper case always, and every other character escaped as `_` and its UTF-8 bytes in hex.
What would be longer than a query may name is cut down to its SHA-256, behind `__`, which no escape begins with.
"""

import hashlib
import re

LONGEST = 200
"""Characters of an external id; a number of 45 capitals or digits needs 49."""

_PLAIN = re.compile(r"[A-Z0-9-]+")
_VALID = re.compile(r"[A-Z0-9_-]+")


def external_id(prefix: str, number: str) -> str:
    """`external_id("INV-", "536365")` → `INV-536365`; `c1` → `INV-_631`. Two numbers never share one."""
    if _PLAIN.fullmatch(number):
        named = prefix + number
    else:
        named = prefix + "".join(
            character if _PLAIN.fullmatch(character) else "".join(f"_{byte:02X}" for byte in character.encode())
            for character in number
        )
    if len(named) <= LONGEST:
        return named
    return f"{prefix}__{hashlib.sha256(number.encode()).hexdigest().upper()}"


def is_external_id(text: str) -> bool:
    """Whether a text may be used in a NetSuite reference or query as it is."""
    return _VALID.fullmatch(text) is not None
