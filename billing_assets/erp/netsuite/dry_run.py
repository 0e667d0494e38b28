"""The exact requests that a batch or a document would send, without sending them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from billing_assets.erp.documents.documents import Kind
from billing_assets.erp.netsuite import store
from billing_assets.erp.netsuite.applying import apply_now
from billing_assets.erp.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.erp.netsuite.preview import Preview
from billing_assets.erp.netsuite.store import Posting
from billing_assets.foundation.database.connection import Connection


def write_requests(
    connection: Connection, mapping: NetSuiteMapping, partition_key: str, folder: Path
) -> tuple[Path, int]:
    """Writes a line `POST <record type> <body>` for every document of the batch that is not in NetSuite yet.

    Returns the file, readable by its owner only because it names customers, and the number of lines.
    """
    postings = store.in_batch(connection, partition_key)
    lines = (request_line(mapping, posting) + b"\n" for posting in postings)
    return _written(folder, partition_key, lines), len(postings)


def write_preview(found: Sequence[Preview], folder: Path) -> Path:
    """Writes what `billing preview` prints of the documents with a number: comments begin with #, then each request.

    Returns the file, readable by its owner only because it names customers.
    """
    lines = (line.encode() + b"\n" for one in found for line in one.lines())
    return _written(folder, f"document-{min(one.document for one in found)}", lines)


def _written(folder: Path, name: str, lines: Iterable[bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{name}.txt"
    path.touch(mode=0o600)
    path.chmod(0o600)  # it may be there already, and open
    with path.open("wb") as file:
        file.writelines(lines)
    return path


def request_line(mapping: NetSuiteMapping, posting: Posting) -> bytes:
    """One request as text: method, record type and body.

    An invoice that is credited counts as open in full; NetSuite is asked when the credit memo is posted.
    """
    record_type = RECORD_TYPES[Kind(posting.document.kind)]
    return f"POST {record_type} ".encode() + mapping.payload(
        posting.document, posting.external_id, apply_now(posting, {})[1]
    )
