"""Where every command prints what people read."""

from rich.console import Console

console = Console(soft_wrap=True)
