"""What `billing doctor` says of one subject."""

from collections.abc import Sequence


class Unwell(Exception):  # noqa: N818  it is a finding
    """Something answered, but not as it should."""


class Unproven(Exception):  # noqa: N818  it is a finding
    """Nothing is wrong as far as can be seen, and something could not be checked; the message says what to do."""


def few(names: Sequence[str], shown: int = 5) -> str:
    """The first of some names, and that there are more."""
    return ", ".join(names[:shown]) + (" …" if len(names) > shown else "")


def near(hint: list[str]) -> str:
    """The nearest right name, as a question, where there is one."""
    return f" (did you mean {hint[0]}?)" if hint else ""
