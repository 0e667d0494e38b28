"""Where the items of one sink are, and what became of them: the names over which the core's SQL is written once.

Each sink has four tables of its own (`sql/state`), with its own indexes and triggers. Common to all of them:

- items: `id, batch, epoch, state, external_id, posted_at, read_back_at, difference, unproven`
- batches: `partition_key, state, epoch, run_id, leased_at, locked_until, unknown_due_at, finished_at, rests`
- attempts (append-only): `id, document, batch, run_id, epoch, attempt, external_id, payload_hash, payload`
- outcomes (append-only): `id, attempt, run_id, outcome, http_status, code, path, detail, seconds, recorded_at`

Items and outcomes also have the system's own id and number of what it created, under the names below.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ledger:
    """The tables of a sink, and the columns that have names of its own.

    `facts`: the items' jsonb column that an intent fills and an outcome may correct, where there is one. `may_retry`:
    SQL, whether a rejected item (a row of `items`, by that name) may be sent again when a run takes its batch.
    `keeps_bodies`: attempts keep the body that they sent, not only its hash.
    """

    items: str
    batches: str
    attempts: str
    outcomes: str
    remote_id: str
    remote_number: str
    facts: str | None = None
    may_retry: str = "true"
    keeps_bodies: bool = True


@dataclass(frozen=True, slots=True)
class Backlog:
    """The items of a ledger that wait (`ready`, in no batch) until the planner puts them into batches.

    `group`: a column of items and batches; a batch holds items of one group. `plannable`: SQL, whether an item (a row
    of `items`, by the name `s`) may go into a batch now; that it is `ready` is part of it, so that the partial index
    serves. `amount`: a column of the items whose sum a batch keeps in its column `total`, where it keeps one.

    Beside the columns above, its batches have `sequence, documents, requests, requested_at`, their partition key is
    group and sequence (unique together), and its items may be `ready`.
    """

    ledger: Ledger
    group: str
    plannable: str
    amount: str | None = None
