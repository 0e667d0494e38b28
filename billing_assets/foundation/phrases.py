"""Texts for people, cut where they must be."""


def ask_the_doctor(system: str) -> str:
    """What to do when a system cannot be reached or refuses us."""
    return (
        f"Run `billing doctor`: it checks the connection and the login to {system} and says what to fix. "
        "Nothing is lost; the next run takes up only what is left."
    )


def shortened(text: str, most: int) -> str:
    """A text of at most `most` characters; a longer one ends with a whole word and ` …`, or, if it is one word, `…`."""
    if len(text) <= most:
        return text
    words = text[: most - 1].rpartition(" ")[0].rstrip()
    return f"{words} …" if words else f"{text[: most - 1]}…"


DAY = 86_400
"""Seconds."""


def duration(seconds: float) -> str:
    """How long something took, in the unit that a person reads: `14 s`, `3.2 min`, `5.0 h`, `6.9 days`."""
    for unit, name in ((DAY, "days"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
