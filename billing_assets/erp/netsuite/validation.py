"""The mapping as staging sees it: what a document must have to become a transaction."""

import hashlib
from dataclasses import replace

from billing_assets.erp.documents.validation_rules import RULES_VERSION
from billing_assets.erp.netsuite.mapping import NetSuiteMapping
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.settings import CloseSettings
from billing_assets.erp.staging.incoming import Validation
from billing_assets.foundation.periods import ClosedMonths, LateDocuments
from billing_assets.foundation.runtime import Runtime


def validation(runtime: Runtime) -> Validation:
    """What documents are judged by. Raises MappingError."""
    return validation_of(runtime.of(NetSuite).mapping, runtime.settings.of(CloseSettings).late_documents)


def validation_of(mapping: NetSuiteMapping, late: LateDocuments = "hold") -> Validation:
    """A mapping reduced to what staging needs of it, and what is to happen with what comes late."""
    digest = hashlib.sha256(mapping.digest + b"rules %d" % RULES_VERSION).digest()
    policy = replace(mapping.policy, closed=ClosedMonths(late=late))
    return Validation(policy, mapping.check, mapping.external_id, digest)
