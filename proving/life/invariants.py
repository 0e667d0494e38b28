"""What must hold after every step (DESIGN §5), from both sides. Each function raises AssertionError and says what."""

import csv
from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

from billing_assets.erp.documents.documents import CHANGEABLE
from billing_assets.foundation.shipped import shipped
from proving.life.view import Ours, Row, SourceDocument, View
from proving.world.builders import CUSTOMER, OTHER_CUSTOMER, SOURCE

_AFTER_POSTING = {"read_back_at", "transaction_number", "difference", "drift", "drifted_at", "version"}
"""What may still be noted about a posted document."""
_ON_ITS_WAY = {"batched", "locked", "posting", "rejected"}


def check(before: View, now: View, seen: Collection[str], visible_since: dict[str, datetime]) -> None:
    """Everything. `seen`: ids that a staging has read; `visible_since`: when a document could be seen at the source."""
    nothing_dropped(now, seen)
    stuck_for_a_reason(now)
    no_transaction_twice(now)
    equal_to_the_cent(now)
    one_lock_and_growing_epochs(before, now)
    posted_stays(before, now)
    nothing_forgotten(before, now)
    watermark_moves_with_its_rows(before, now, visible_since)
    counted_to_the_cent(now)


def nothing_dropped(now: View, seen: Collection[str]) -> None:
    """Invariant 1: what a staging saw is staged, once, in one state."""
    staged = [row["document_id"] for row in now.ours.documents.values()]
    assert sorted(staged) == sorted(seen), f"seen {sorted(seen)}, staged {sorted(staged)}"
    assert {row["source"] for row in now.ours.documents.values()} <= {SOURCE}


def stuck_for_a_reason(now: View) -> None:
    """Invariant 1: whatever does not go on by itself says why."""
    last = _last_outcomes(now)
    for row in now.ours.documents.values():
        where = _where(row)
        if row["state"] in {"held", "excluded"}:
            assert row["findings"], f"{where} without a finding"
        if row["state"] == "rejected":
            said = last.get(row["id"])
            assert said, f"{where} without an outcome"
            assert said["code"] or said["detail"], f"{where} without a reason"
        if row["state"] == "posting":
            assert any(one["document"] == row["id"] for one in now.ours.attempts), f"{where} without an intent"
        if row["state"] in _ON_ITS_WAY:
            batch = now.ours.batches[row["batch"]]
            assert batch["state"] != "posted", f"{where} is left in a batch that is done"
        if row["state"] in {"open", "held", "excluded", "ready", "gone"}:
            assert row["batch"] is None, f"{where} is in batch {row['batch']}"


def no_transaction_twice(now: View) -> None:
    """Invariant 2: one transaction a document, each with its intent; nothing sent again that was there already."""
    rows = _row_by_external_id(now)
    held: dict[int, str] = {}
    for record in now.records:
        row = rows.get(record["externalId"])
        assert row, f"transaction {record['externalId']} without an intent"
        assert row["id"] not in held, f"{_where(row)} is in NetSuite twice: {held[row['id']]}, {record['externalId']}"
        held[row["id"]] = record["externalId"]
        assert row["state"] in {"posting", "posted"}, f"{_where(row)}, and NetSuite has it"
    assert now.posts["created"] == len(now.records), "a transaction was created and is not there"
    assert now.posts["refused_duplicate"] == 0, "a document was sent again before NetSuite was asked for it"
    conflicts = [outcome for outcome in now.ours.outcomes if outcome["outcome"] == "conflict"]
    assert not conflicts, f"a conflict with ourselves: {conflicts}"
    posted = {row["id"] for row in now.ours.documents.values() if row["state"] == "posted"}
    assert posted <= held.keys(), f"posted, and not in NetSuite: {posted - held.keys()}"


def equal_to_the_cent(now: View) -> None:
    """Invariant 3: what NetSuite has is what we hold: type, customer, total, and line by line."""
    rows = _row_by_external_id(now)
    customers, items = _table("customers", "customer"), _table("items", "stock_code")
    for record in now.records:
        row = rows[record["externalId"]]
        credit = row["kind"] == "credit_memo"
        sign = -1 if credit else 1
        ours = (
            "creditMemo" if credit else "invoice",
            customers[row["customer"]],
            sign * row["total"],
            row["document_date"].isoformat(),
            row["memo"],
            [(items[line[1]], sign * Decimal(line[3]), sign * Decimal(line[5])) for line in row["lines"]],
        )
        lines = [
            (line["item"], Decimal(line["quantity"]), Decimal(line["amount"])) for line in record["lines"]["items"]
        ]
        theirs = (record["type"], record["entity"], Decimal(record["total"]), record["tranDate"], record["memo"], lines)
        assert ours == theirs, f"{_where(row)}: {ours} here, {theirs} in NetSuite"
        if row["state"] == "posted":
            assert row["netsuite_id"] == record["id"], f"{_where(row)} has another id in NetSuite"
            assert row["external_id"] == record["externalId"]
            assert row["difference"] is None, f"{_where(row)} reports a difference: {row['difference']}"


def one_lock_and_growing_epochs(before: View, now: View) -> None:
    """Invariant 4: what is locked carries its batch's epoch, and no epoch ever comes back."""
    for row in now.ours.documents.values():
        if row["state"] in {"locked", "posting"}:
            epoch = now.ours.batches[row["batch"]]["epoch"]
            assert row["epoch"] == epoch, f"{_where(row)} has epoch {row['epoch']}, its batch {epoch}"
        if row["state"] == "locked":
            assert now.ours.batches[row["batch"]]["locked_until"], f"{_where(row)}, and nobody holds its batch"
    for key, batch in before.ours.batches.items():
        assert key in now.ours.batches, f"batch {key} vanished"
        assert now.ours.batches[key]["epoch"] >= batch["epoch"], f"the epoch of batch {key} went back"


def posted_stays(before: View, now: View) -> None:
    """Invariant 5: posted never leaves and never changes; drift, the read-back and nothing else is noted on it."""
    for key, row in before.ours.documents.items():
        if row["state"] == "posted":
            then, this = (
                {name: value for name, value in one.items() if name not in _AFTER_POSTING}
                for one in (row, now.ours.documents.get(key, {}))
            )
            assert then == this, f"{_where(row)} changed"


def nothing_forgotten(before: View, now: View) -> None:
    """What was tried and what came of it is only ever added to."""
    assert now.ours.attempts[: len(before.ours.attempts)] == before.ours.attempts, "an attempt changed"
    assert now.ours.outcomes[: len(before.ours.outcomes)] == before.ours.outcomes, "an outcome changed"


def watermark_moves_with_its_rows(before: View, now: View, visible_since: dict[str, datetime]) -> None:
    """Invariant 6: whatever could be seen at the source by the watermark is staged."""
    if now.ours.watermark is None:
        return
    assert before.ours.watermark is None or now.ours.watermark >= before.ours.watermark, "the watermark went back"
    staged = {row["document_id"] for row in now.ours.documents.values()}
    missed = [key for key in now.source if key not in staged and visible_since[key] <= now.ours.watermark]
    assert not missed, f"behind the watermark and not staged: {missed}"


def counted_to_the_cent(now: View) -> None:
    """Invariant 1, as people see it: what is counted as posted once and for all, and the rest, add up to everything."""
    sums: dict[tuple[Any, ...], tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for row in now.ours.documents.values():
        key = tuple(row[name] for name in ("source", "period", "state", "kind", "currency"))
        sums[key] = (sums[key][0] + 1, sums[key][1] + (row["total"] or 0))
    counted = {tuple(row.values())[:5]: tuple(row.values())[5:] for row in now.ours.totals}
    assert counted == sums, f"counted {counted}, there are {dict(sums)}"


def without_read_back(ours: Ours) -> Ours:
    """Our tables without what a read-back notes."""
    rows = {
        key: {name: value for name, value in row.items() if name not in _AFTER_POSTING or row["state"] != "posted"}
        for key, row in ours.documents.items()
    }
    return ours._replace(documents=rows)


def staged_as_the_source_says(now: View) -> None:
    """Right after a staging: what may change is as the source has it, what is posted and differs is reported."""
    for row in now.ours.documents.values():
        source = now.source.get(row["document_id"])
        if row["state"] in CHANGEABLE:
            gone = source is None or source.status == "void"
            assert (row["state"] == "gone") == gone, f"{_where(row)}, at the source: {source}"
            assert source is None or same_content(row, source), f"{_where(row)} is not what the source says: {source}"
        if row["state"] == "posted":
            drifted = source is None or not same_content(row, source)
            assert (row["drift"] is not None) == drifted, f"{_where(row)}, drift {row['drift']}, source {source}"


def same_content(row: Row, source: SourceDocument) -> bool:
    """Whether a row of ours says what the source says now."""
    lines = tuple((line[0], line[1], Decimal(line[3]), Decimal(line[4]), Decimal(line[5])) for line in row["lines"])
    names = ("number", "kind", "status", "customer", "memo", "applies_to", "total")
    return (
        all(row[name] == getattr(source, name) for name in names)
        and row["period"] == source.month
        and lines == source.lines
    )


def all_is_done(now: View) -> None:
    """At the end, after everything was healed: what is closed and valid is in NetSuite, the rest says why not."""
    for row in now.ours.documents.values():
        source = now.source.get(row["document_id"])
        where = f"{_where(row)} at the end; at the source: {source}"
        assert row["state"] in {"posted", "held", "excluded", "open", "ready", "rejected", "gone"}, where
        if row["state"] == "posted":
            assert row["read_back_at"] is not None, f"{where}, not read back"
            continue
        if source is None:
            assert row["state"] == "gone", where
        elif source.status == "open":
            assert row["state"] == "open", where
        elif source.status == "void":
            assert row["state"] == "gone", where
            assert row["findings"], f"{where} without a finding"
        elif source.total == 0:
            assert row["state"] == "excluded", where
        elif row["state"] in {"ready", "rejected"}:
            # waits for an invoice that is not posted itself, or is for another customer than its invoice
            assert source.kind == "credit_memo", where
            assert source.applies_to, where
        else:
            assert row["state"] == "held", where
            assert not _valid(row, source, now), where
    assert now.source.keys() <= {row["document_id"] for row in now.ours.documents.values()}, "something was not staged"
    posted = {row["netsuite_id"]: row for row in now.ours.documents.values() if row["state"] == "posted"}
    unaccounted = {record["id"]: record["externalId"] for record in now.records if record["id"] not in posted}
    assert not unaccounted, f"in NetSuite, and not posted here: {unaccounted}"
    assert len(posted) == len(now.records)
    for batch in now.ours.batches.values():
        left = [row for row in now.of_batch(batch["partition_key"]) if row["state"] != "posted"]
        assert batch["state"] != "posted" or not left, f"batch {batch['partition_key']} is done, with {left}"
        assert batch["state"] != "running", f"batch {batch['partition_key']} is still running"


def _valid(row: Row, source: SourceDocument, now: View) -> bool:
    """Whether nothing is wrong with a closed document that nothing applies to: it must not be held."""
    namesakes = [one for one in now.ours.documents.values() if one["external_id"] == row["external_id"]]
    return (
        source.total == sum(line[4] for line in source.lines)
        and source.customer in {CUSTOMER, OTHER_CUSTOMER}
        and source.applies_to is None
        and (source.total > 0) == (source.kind == "invoice")
        and len(namesakes) == 1
    )


def _row_by_external_id(now: View) -> dict[str, Row]:
    """Our row for every external id under which we ever meant to send."""
    return {attempt["external_id"]: now.ours.documents[attempt["document"]] for attempt in now.ours.attempts}


def _last_outcomes(now: View) -> dict[int, Row]:
    document = {attempt["id"]: attempt["document"] for attempt in now.ours.attempts}
    return {document[outcome["attempt"]]: outcome for outcome in now.ours.outcomes}


def _where(row: Row) -> str:
    return f"{row['kind']} {row['number']} ({row['state']})"


@cache
def _table(name: str, key: str) -> dict[str, str]:
    """The mapping's lookup table, read without the mapping's code."""
    with shipped(f"config/sample/{name}.csv").open(encoding="utf-8", newline="") as file:
        return {row[key]: row["netsuite_id"] for row in csv.DictReader(file)}
