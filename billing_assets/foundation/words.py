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
