"""Where every command prints what people read."""

from typing import Any

from rich.console import Console
from rich.text import Text

from billing_assets.foundation.texts import code, visible


class Terminal(Console):
    """A console on which no text from outside colours, turns or moves what is beside it, or makes lines of its own.

    Controls are shown by their code points. Lines end only in cells of tables, where they stay in their cell.
    """

    def print(self, *objects: Any, **looks: Any) -> None:
        """Prints texts, each on one line, and tables."""
        super().print(*(one.replace("\n", code("\n")) if isinstance(one, str) else one for one in objects), **looks)

    def render_str(self, text: str, **looks: Any) -> Text:
        """A text, alone or in a cell, as it is shown."""
        return super().render_str(visible(text), **looks)


console = Terminal(soft_wrap=True)
