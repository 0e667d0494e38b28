"""Whether the mapping may be posted with: none of its ids is another record in NetSuite. Asked once a day at most."""

from datetime import timedelta

import structlog

from billing_assets.erp.netsuite import proof_store
from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.id_meanings import Examined, Mismatch, examine, sentence
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.foundation.database.connection import Connection

log = structlog.get_logger(__name__)

_HOLDS_FOR = timedelta(days=1)
"""A refreshed sandbox account gives old ids to other records, so what was proven is asked again."""


def proven(connection: Connection, client: NetSuiteClient, mapping: NetSuiteMapping) -> bool:
    """Whether it was proven lately; asks our database only."""
    return proof_store.proven_within(connection, client.base_url, mapping.digest, _HOLDS_FOR)


def prove(connection: Connection, client: NetSuiteClient, mapping: NetSuiteMapping) -> Examined:
    """Asks NetSuite, and notes it where nothing is wrong. What NetSuite does not show is no proof and no mistake."""
    found = examine(client, mapping)
    if found.mismatches:
        proof_store.forget_proof(connection, client.base_url)
    else:
        proof_store.note_proven(connection, client.base_url, mapping.digest, found.unchecked)
    for field, why in found.unchecked.items():
        log.warning("meaning_unchecked", field=field, why=why)
    return found


def mismatches(connection: Connection, client: NetSuiteClient, mapping: NetSuiteMapping) -> tuple[Mismatch, ...]:
    """Ids of the mapping that are other records in NetSuite; none where it was proven lately. Raises NetSuiteError."""
    return () if proven(connection, client, mapping) else prove(connection, client, mapping).mismatches


def why_nothing_is_sent(connection: Connection, client: NetSuiteClient, mapping: NetSuiteMapping) -> str | None:
    """Why nothing may be posted with the mapping, or None. Raises NetSuiteError when NetSuite cannot be asked."""
    found = mismatches(connection, client, mapping)
    if not found:
        return None
    return (
        f"The mapping names other records than it means: {sentence(found)}. Nothing was sent. Correct the id in the "
        "mapping (`billing doctor` lists all of them)."
    )
