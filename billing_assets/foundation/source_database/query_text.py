"""The text of an integrator's query, as far as it must be such that it can be wrapped as a derived table."""

import re

_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)|(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\[[^\]]*\])"
    r"|(?P<order>\border\s+by\b)|(?P<with>\bwith\b)|(?P<word>\w+)|(?P<mark>[();])|(?P<blank>\s+)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)


def without_end(text: str) -> str:
    """The query without the semicolons, blanks and comments that end it."""
    end = 0
    for match in _TOKEN.finditer(text):
        if match.lastgroup not in {"comment", "blank"} and match.group() != ";":
            end = match.end()
    return text[:end]


def fault_of(file: str, text: str, engine: str) -> str | None:
    """Why a query cannot be wrapped, and what to do, or None. `engine` is SQLAlchemy's name of it."""
    depth = 0
    first = True
    for match in _TOKEN.finditer(without_end(text)):
        kind = match.lastgroup
        if kind in {"comment", "blank"}:
            continue
        if first and kind == "with" and engine == "mssql":
            return (
                f"{file} begins with WITH, which SQL Server refuses in a derived table. Write its parts as derived "
                "tables after FROM, or make a view of them."
            )
        first = False
        if match.group() in "()":
            depth += 1 if match.group() == "(" else -1
        elif match.group() == ";":
            return f"{file} has more than one statement. Leave one SELECT in it."
        elif kind == "order" and depth == 0:
            return (
                f"{file} ends with ORDER BY. Take it out: the pipeline filters and orders the rows itself, and SQL "
                "Server refuses it in a derived table."
            )
    return None
