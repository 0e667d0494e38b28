"""Texts for people, cut where they must be."""


def shortened(text: str, most: int) -> str:
    """A text of at most `most` characters; a longer one ends with a whole word and ` …`, or, if it is one word, `…`."""
    if len(text) <= most:
        return text
    words = text[: most - 1].rpartition(" ")[0].rstrip()
    return f"{words} …" if words else f"{text[: most - 1]}…"
