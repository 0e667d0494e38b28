"""Documents that we make ourselves: an area is a billing system like any other, in our own database."""

from pathlib import Path
from typing import NamedTuple


class OwnSource(NamedTuple):
    """The name of the source, part of every document's key, and the folder with the queries that read its documents."""

    name: str
    queries: Path
