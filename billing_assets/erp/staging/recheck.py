"""Whether documents are still what was staged of them: compared with the billing system once more, just before they are
sent."""

from collections.abc import Sequence
from typing import NamedTuple

import orjson
import sqlalchemy

from billing_assets.erp.billing_system import reader
from billing_assets.erp.billing_system.digests import all_digests, computes_digests
from billing_assets.erp.billing_system.marks import is_digest
from billing_assets.erp.documents.documents import Document
from billing_assets.erp.documents.validation_rules import Finding, finding
from billing_assets.erp.staging.content import content_hash, lines_json
from billing_assets.foundation.source_database.errors import ValueRefused
from billing_assets.foundation.source_database.values import Unreadable

_NEXT = "It was not sent; the next staging judges it again."
_CHANGED = f"The billing system changed it after it was staged. {_NEXT}"
_GONE = f"The billing system does not have it any more. {_NEXT}"
_UNREADABLE = f"The billing system cannot read a value of this document, or of another one of its batch. {_NEXT}"


class Staged(NamedTuple):
    """What staging holds of a document: hash of its content, and its mark at the source where there is one."""

    document_id: str
    content_hash: bytes
    source_digest: bytes | None


def differing(
    source: sqlalchemy.Connection, queries: reader.Queries, name: str, staged: Sequence[Staged]
) -> dict[str, Finding]:
    """Those of at most 1,000 documents that are not in the billing system as they were staged, and what to say of each.

    Asks the source one query, or two where the marks are no digests: a version is not believed here. Raises what the
    reader raises.
    """
    ids = [one.document_id for one in staged]
    now: dict[str, bytes | None]
    try:
        if computes_digests(source) and all(is_digest(one.source_digest) for one in staged):
            now = dict(all_digests(source, queries, ids))
            unlike = [one.document_id for one in staged if now.get(one.document_id) != one.source_digest]
        else:
            documents, bad = reader.read_in_two_queries(source, queries, name, ids)
            now = {one.document_id: _hash(one) for one in documents} | {one.document_id: None for one in bad}
            unlike = [one.document_id for one in staged if now.get(one.document_id) != one.content_hash]
    except (ValueRefused, Unreadable):
        return dict.fromkeys(ids, _found(_UNREADABLE))
    return {one: _found(_CHANGED if one in now else _GONE) for one in unlike}


def _hash(document: Document) -> bytes | None:
    try:
        return content_hash(document, lines_json(document.lines))
    except orjson.JSONEncodeError:
        return None


def _found(message: str) -> Finding:
    return finding("CHANGED_SINCE_STAGING", "document_id", "", message)
