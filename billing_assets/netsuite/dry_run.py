"""The exact requests that a batch or a document would send, without sending them."""

from pathlib import Path

from billing_assets.domain.documents import Kind
from billing_assets.netsuite import store
from billing_assets.netsuite.applying import apply_now
from billing_assets.netsuite.mapping import RECORD_TYPES, NetSuiteMapping
from billing_assets.netsuite.store import Posting
from billing_assets.state.database import Connection


def write_requests(
    connection: Connection, mapping: NetSuiteMapping, partition_key: str, folder: Path
) -> tuple[Path, int]:
    """Writes a line `POST <record type> <body>` for every document of the batch that is not in NetSuite yet.

    Returns the file, readable by its owner only because it names customers, and the number of lines.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{partition_key}.txt"
    postings = store.in_batch(connection, partition_key)
    path.touch(mode=0o600)
    path.chmod(0o600)  # it may be there already, and open
    with path.open("wb") as file:
        for posting in postings:
            file.write(request_line(mapping, posting) + b"\n")
    return path, len(postings)


def request_line(mapping: NetSuiteMapping, posting: Posting) -> bytes:
    """One request as text: method, record type and body.

    An invoice that is credited counts as open in full; NetSuite is asked when the credit memo is posted.
    """
    record_type = RECORD_TYPES[Kind(posting.document.kind)]
    return f"POST {record_type} ".encode() + mapping.payload(
        posting.document, posting.external_id, apply_now(posting, {}, {})
    )
