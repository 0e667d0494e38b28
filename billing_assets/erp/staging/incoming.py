"""A document of the billing system, judged, as the row that staging merges."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson

from billing_assets.erp.billing_system import reader
from billing_assets.erp.documents.documents import CONTRACT, Document, SourceStatus, State
from billing_assets.erp.documents.validation_rules import MappingCheck, Policy, finding, state_for, validate
from billing_assets.erp.staging.content import applications_json, content_hash, lines_json, only_named
from billing_assets.erp.staging.polling import Known
from billing_assets.erp.staging.store import Incoming
from billing_assets.foundation.periods import ClosedMonths

_LONGEST_KEY = 200


_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True)
class Validation:
    """What validation needs to know of the NetSuite account: the mapping, reduced to plain functions.

    `digest` changes when the same document could be judged otherwise.
    """

    policy: Policy
    check_mapping: MappingCheck
    external_id: Callable[[str, str], str]
    digest: bytes
    adopted: frozenset[str] = frozenset()
    """Ids of documents that NetSuite has from before a backup was restored: they are taken over in their own month,
    closed or not, as nothing is sent for them."""

    def heeding(self, closed: ClosedMonths) -> "Validation":
        """The same with these months closed."""
        if not closed.soft and not closed.hard_through:
            return self
        digest = hashlib.sha256(self.digest + repr((sorted(closed.soft), closed.hard_through, closed.late)).encode())
        return replace(self, policy=replace(self.policy, closed=closed), digest=digest.digest())


def incoming_row(
    document: Document, known: Known | None, source_digest: bytes | None, validation: Validation
) -> Incoming | None:
    """The row to merge, or None where a posted document is what it was, with the digest that we know."""
    try:
        lines = lines_json(document.lines)
        hashed = content_hash(document, lines)
    except orjson.JSONEncodeError:
        return unreadable_row(_without_text(document), validation)
    same = known is not None and known.content_hash == hashed
    if known and known.posted and not same and only_named(document, known.content_hash):
        hashed, same = known.content_hash, True
    as_read = known is not None and source_digest in {None, known.source_digest}
    if known and known.posted and same and as_read and not known.drifted:
        return None
    needs_rules = document.status != SourceStatus.OPEN and not (known and known.posted)
    policy = validation.policy
    if document.document_id in validation.adopted:
        policy = replace(policy, closed=ClosedMonths(), closed_through=None)
    late = policy.closed.posting_date(document.document_date) if needs_rules else None
    placed = replace(document, posting_date=late) if late else document
    findings = validate(placed, policy, validation.check_mapping) if needs_rules else []
    state = state_for(document.status, findings)
    if state != State.READY:  # until it goes on, it belongs to its own month
        placed = document
    return Incoming(
        document.document_id,
        _key(document.kind),
        _key(document.number),
        _clean(document.status) or "",
        document.created_at,
        document.document_date,
        document.due_date,
        placed.period,
        placed.posting_date,
        _clean(document.customer),
        _clean(document.branch),
        _clean(document.currency),
        _clean(document.terms),
        _clean(document.purchase_order),
        _clean(document.memo),
        _clean(document.applies_to),
        _clean(document.extra.get(CONTRACT)),
        _json_text(applications_json(document.targets)) if document.targets else None,
        document.total,
        len(document.lines),
        _json(document.extra),
        None if same else _json_text(lines),
        hashed,
        validation.external_id(document.kind, document.number),
        state,
        _json([found._asdict() for found in findings]),
        source_digest,
        validation.digest,
    )


def unreadable_row(bad: reader.BadDocument, validation: Validation) -> Incoming:
    """A document that could not be understood is held under what is known of it, never dropped."""
    found = finding("FIELD_UNREADABLE", bad.field, bad.value_repr, bad.message)
    number = _key(bad.number or "") or bad.document_id
    nothing = (None,) * 14
    return Incoming(
        bad.document_id,
        _key(bad.kind or "") or "unknown",
        number,
        _clean(bad.status) or "unknown",
        None,
        *nothing,
        line_count=0,
        extra="{}",
        lines="[]",
        content_hash=hashlib.sha256(repr(bad).encode()).digest(),
        external_id=validation.external_id("unknown", f"{number}-{bad.document_id}"),
        outcome="held",
        findings=_json([found._asdict()]),
        source_digest=None,
        judged_under=validation.digest,
    )


def _without_text(document: Document) -> reader.BadDocument:
    """A document with a text that is none: half of a surrogate pair, which no database and no request takes."""
    texts = {name: getattr(document, name) for name in Document.__dataclass_fields__} | document.extra
    texts |= {f"applications[{place}]": one.applies_to for place, one in enumerate(document.applications, 1)}
    for line in document.lines:
        texts |= {f"lines[{line.line_no}].{name}": value for name, value in (line._asdict() | line.extra).items()}
    field, value = next(
        (name, value) for name, value in texts.items() if isinstance(value, str) and value != _encodable(value)
    )
    message = f"{field} holds half of a surrogate pair."
    known = (_encodable(one) for one in (document.kind, document.status))
    return reader.BadDocument(
        document.document_id, _encodable(document.number), field, repr(value)[:80], message, *known
    )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _key(text: str) -> str:
    """A text that an index takes; what is longer belongs to a document that is held for it."""
    cleaned = _clean(text) or ""
    if len(cleaned) <= _LONGEST_KEY:
        return cleaned
    return f"{cleaned[: _LONGEST_KEY - 40]}… {hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _clean(text: str | None) -> str | None:
    """PostgreSQL stores no NUL; the finding TEXT_UNPRINTABLE keeps the document from being posted with its stand-in."""
    return text.replace("\0", "␀") if text and "\0" in text else text


def _json(value: object) -> str:
    return _json_text(orjson.dumps(value))


def _json_text(encoded: bytes) -> str:
    text = encoded.decode()
    return _ESCAPED_NUL.sub(r"\1␀", text) if "\\u0000" in text else text
