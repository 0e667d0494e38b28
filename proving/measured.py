"""What campaigns and benchmarks write into the pages of docs/: tables between markers, and where they were measured."""

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from billing_assets.foundation.database.server_programs import binaries


def write(part: str, text: str, page: Path) -> None:
    """Puts a text between its markers on a page. Raises ValueError when the page has none for it."""
    found = page.read_text(encoding="utf-8")
    anew, times = re.subn(
        rf"(<!-- measured: {part} -->\n).*?(<!-- end -->)",
        lambda marks: f"{marks[1]}\n{text}\n\n{marks[2]}",
        found,
        flags=re.DOTALL,
    )
    if times != 1:
        raise ValueError(f"{page} has no place for {part}")
    page.write_text(anew, encoding="utf-8")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """The machine in a few words."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.release()}"


def postgresql_version() -> str:
    """Of the server programs that are used."""
    said = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[-1]
