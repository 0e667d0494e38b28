"""The document (invoice or credit memo), its lines, and the states of its life. No SQL, no HTTP, no Dagster."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from billing_assets.foundation.periods import month_of

CORRECTIONS = "/corrections"
"""How the source of documents ends that we make ourselves: credit memos for voided invoices of the source before it."""


class Kind(StrEnum):
    """What a document is. An adjustment is read and held: NetSuite has no such transaction."""

    INVOICE = "invoice"
    CREDIT_MEMO = "credit_memo"
    ADJUSTMENT = "adjustment"


class SourceStatus(StrEnum):
    """What the billing system says of a document. Anything else is a finding."""

    OPEN = "open"
    CLOSED = "closed"
    VOID = "void"


class State(StrEnum):
    """Where a document stands between the billing system and NetSuite. A document has exactly one."""

    OPEN = "open"  # staged, not yet closed in the billing system
    HELD = "held"  # closed, but a rule found an error; the findings say which
    EXCLUDED = "excluded"  # nothing to bill, by policy and with the reason
    READY = "ready"  # closed and valid, waiting for a batch
    BATCHED = "batched"  # assigned to a batch, no run has it
    LOCKED = "locked"  # a live run holds it by lease and epoch
    POSTING = "posting"  # the intent is committed, the outcome is not known
    POSTED = "posted"  # NetSuite has it; never changes again
    REJECTED = "rejected"  # NetSuite refused it for good and has nothing (the dead letter)
    DIFFERS = "differs"  # NetSuite has it under our external id, not as it was sent
    GONE = "gone"  # disappeared from the source, or was voided there, before it was posted


_AT_REST = frozenset({State.OPEN, State.HELD, State.EXCLUDED, State.READY, State.GONE})

TRANSITIONS: dict[State, frozenset[State]] = {
    # Staging decides again, as often as the source or the mapping changes, until a run has the document.
    State.OPEN: _AT_REST - {State.OPEN},
    State.HELD: _AT_REST - {State.HELD},
    State.EXCLUDED: _AT_REST - {State.EXCLUDED},
    State.READY: (_AT_REST - {State.READY}) | {State.BATCHED},
    State.BATCHED: _AT_REST | {State.LOCKED},
    State.REJECTED: _AT_REST | {State.LOCKED},
    # A run has it: only that run, or the unlocking after its lease ended, may move it.
    State.LOCKED: frozenset({State.POSTING, State.BATCHED, State.READY, State.HELD}),
    State.POSTING: frozenset({State.POSTED, State.REJECTED, State.DIFFERS, State.LOCKED}),
    State.POSTED: frozenset(),
    # A person accepted it, or it was corrected there; or it was deleted there, and NetSuite has nothing any more.
    State.DIFFERS: frozenset({State.POSTED, State.REJECTED}),
    # A source that shows the document again (a replica that lagged) brings it back: nothing is dropped.
    State.GONE: _AT_REST - {State.GONE},
}
"""The allowed moves. The same table guards the database (`sql/state`, held equal by a test)."""

CHANGEABLE = frozenset({*_AT_REST, State.BATCHED, State.REJECTED})
"""States in which staging may still take over what the source says now."""


CONTRACT, SERVICE = "contract", "service"
"""Columns that the extraction queries may have: a document's contract and a line's service. They travel in `extra`, as
any column beyond the contract of columns does, so a mapping reads them and the content's hash knows them."""


class Line(NamedTuple):
    """One charge on a document. Amounts carry the source's sign: a credit memo's lines are negative.

    `amount` is in units of the document's currency; `unit_price` may be finer than the minor unit. `extra` holds the
    columns that the integrator's query adds to the contract, as text, for the mapping to use.
    """

    line_no: int
    item: str
    description: str | None
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    tax_code: str | None
    tax_rate: Decimal | None
    tax_amount: Decimal | None
    extra: dict[str, str | None]


class Application(NamedTuple):
    """What a credit memo settles of one invoice, named by number; an `amount` of None is as much as is open on it."""

    applies_to: str
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice or credit memo as the billing system shows it, lines included.

    `document_id` is the source's own key as text; `number` is what people and NetSuite see. `status` is a
    `SourceStatus` where the source keeps the contract. `total` is signed (credit memos negative) and includes tax.
    `created_at` is UTC. `applies_to` is the number of the invoice that a credit memo credits, where the source says;
    `applications`, where it says more: which part of it settles which invoice. `posting_date` is ours: the day under
    which a late document is posted, whose own month is closed.
    """

    source: str
    document_id: str
    kind: str
    number: str
    status: str
    created_at: datetime
    document_date: date
    due_date: date | None
    customer: str | None
    branch: str | None
    currency: str
    terms: str | None
    purchase_order: str | None
    memo: str | None
    applies_to: str | None
    total: Decimal
    extra: dict[str, str | None]
    lines: tuple[Line, ...]
    applications: tuple[Application, ...] = ()
    posting_date: date | None = None

    @property
    def targets(self) -> tuple[Application, ...]:
        """What a credit memo is applied to: its applications, or else as much as is open on the invoice it names."""
        if self.kind != Kind.CREDIT_MEMO:
            return ()
        if self.applications or self.applies_to is None:
            return self.applications
        return (Application(self.applies_to, None),)

    @property
    def period(self) -> str:
        """The month in which it is posted, `YYYY-MM`: that of the posting date, else of the document date."""
        return month_of(self.posting_date or self.document_date)
