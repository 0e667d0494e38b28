"""Several files in order of arrival: the table of spec §7, cancel and replace, row by row."""

from __future__ import annotations

from typing import Any

from billing_assets_tests.data.x12_corpus.sequences_pairing import (
    CANCELLED,
    PAIR,
    READY,
    WAIT,
    arrival,
    held,
    sequence,
)
from billing_assets_tests.data.x12_corpus.x12_text import END, Set, bills, charges, meter, pt, summary, usage

NEXT_END = "20260801"
TABLE = "§7 table: "


def cancel(uid: str = "U77002", refers: str = "U77001", control: str = "0001") -> Set:
    return usage(uid, purpose="01", refers=refers, control=control)


def again(uid: str = "U77003", refers: str = "U77001", control: str = "0001", value: str = "1250", **more: Any) -> Set:
    return usage(uid, purpose="05", refers=refers, control=control, value=value, **more)


def add() -> None:
    originals()
    cancels()
    replacements()


def originals() -> None:
    row = TABLE + "00, "
    same = arrival(pt(usage()), number=32001), arrival(pt(usage()), number=32002)
    sequence(
        "original-same-id-twice",
        row + "v live, same id: counted and ignored, v stays.",
        *same,
        any_order=True,
        usage={"U77001": WAIT},
        charges={},
        ignored=[{"id": "U77001", "code": "DUP_TRANSACTION"}],
    )
    both = arrival(pt(usage()), bills(charges()), number=32003), arrival(pt(usage()), number=32004)
    sequence(
        "original-same-id-twice-paired",
        row + "v live and paired, same id: counted and ignored, the pair stays.",
        *both,
        usage={"U77001": READY},
        charges={"I88001": READY},
        ignored=[{"id": "U77001", "code": "DUP_TRANSACTION"}],
        bill_ready=PAIR,
    )
    sequence(
        "original-other-id-same-period",
        row + "v live, other id: the new one is held, v stays.",
        [pt(usage())],
        [pt(usage("U77004", value="1200"))],
        usage={"U77001": WAIT, "U77004": held("DUP_PERIOD")},
        charges={},
    )
    sequence(
        "original-other-id-v-stays-paired",
        row + "v live, other id: the new one is held, v stays and its pair, too.",
        [pt(usage()), bills(charges())],
        [pt(usage("U77004", value="1200"))],
        usage={"U77001": READY, "U77004": held("DUP_PERIOD")},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    sequence(
        "original-overlaps",
        row + "overlap: the new one is held.",
        [pt(usage())],
        [pt(usage("U77004", start="20260625", end="20260725"))],
        usage={"U77001": WAIT, "U77004": held("PERIOD_OVERLAP")},
        charges={},
    )
    sequence(
        "original-inside-another",
        row + "overlap: a period inside the live one is held.",
        [pt(usage())],
        [pt(usage("U77004", start="20260610", end="20260620"))],
        usage={"U77001": WAIT, "U77004": held("PERIOD_OVERLAP")},
        charges={},
    )
    sequence(
        "original-leaves-a-gap",
        row + "gap: a warning, listed to be asked for; both go on.",
        [pt(usage())],
        [pt(usage("U77004", start="20260705", end=NEXT_END))],
        any_order=True,
        usage={"U77001": WAIT, "U77004": WAIT},
        charges={},
        gaps=[["2026-07-02", "2026-07-05"]],
    )
    sequence(
        "original-next-period",
        "§7: the end of one period may be the start of the next.",
        [pt(usage())],
        [pt(usage("U77004", start=END, end=NEXT_END))],
        any_order=True,
        usage={"U77001": WAIT, "U77004": WAIT},
        charges={},
        gaps=[],
    )
    guess = usage(loops=[summary(flag="KA", measure="EE"), meter(flag="KA", measure="EE")], refs=("REF*5I*NA",))
    sequence(
        "estimate-and-actual-staged",
        "§7: an estimate is never invoiced when an actual for the same period is staged.",
        [pt(guess), bills(charges())],
        [pt(usage("U77004", value="1200"))],
    )


def cancels() -> None:
    row = TABLE + "01, "
    gone: dict[str, Any] = {"usage": {"U77001": CANCELLED}, "charges": {}}
    sequence(
        "cancel-after-original",
        row + "names v, not billed: v is cancelled and out of the queue.",
        [pt(usage())],
        [pt(cancel())],
        any_order=True,
        **gone,
    )
    sequence(
        "cancel-before-original",
        TABLE + "00, a cancel for its id is waiting: both meet, nothing billable.",
        [pt(cancel())],
        [pt(usage())],
        any_order=True,
        **gone,
    )
    sequence(
        "cancel-in-one-file",
        "§7: within one interchange order does not matter; the cancel is before its original.",
        [pt(cancel(), usage(control="0002"))],
        **gone,
    )
    sequence(
        "cancel-twice",
        row + "names v, cancelled before: counted and ignored.",
        [pt(usage())],
        [pt(cancel())],
        [pt(cancel("U77008"))],
        ignored=[{"id": "U77008", "code": "ALREADY_CANCELLED"}],
        **gone,
    )
    sequence(
        "cancel-of-nothing",
        row + "names nothing known: waits.",
        [pt(cancel())],
        usage={"U77002": {"state": "waiting", "code": "CANCEL_WITHOUT_ORIGINAL"}},
        charges={},
    )
    sequence(
        "cancelled-then-new-original",
        TABLE + "00, none: after a cancel the period is free for an original of another id.",
        [pt(usage())],
        [pt(cancel())],
        [pt(usage("U77004", value="1200"))],
        usage={"U77001": CANCELLED, "U77004": WAIT},
        charges={},
    )


def replacements() -> None:
    row = TABLE + "05, "
    alone: dict[str, Any] = {"usage": {"U77001": CANCELLED, "U77003": WAIT}, "charges": {}}
    sequence(
        "replace-after-cancel",
        row + "v cancelled: v2 is live.",
        [pt(usage())],
        [pt(cancel())],
        [pt(again())],
        any_order=True,
        **alone,
    )
    sequence(
        "replace-before-cancel",
        row + "v still live: waits for its 01, which comes.",
        [pt(usage())],
        [pt(again())],
        [pt(cancel())],
        any_order=True,
        **alone,
    )
    sequence(
        "replace-all-in-one-file",
        "§7: within one interchange order does not matter: 05, 01, 00.",
        [pt(again(), cancel(control="0002"), usage(control="0003"))],
        **alone,
    )
    sequence(
        "replace-without-cancel",
        row + "v still live: the 05 waits, v keeps its state.",
        [pt(usage())],
        [pt(again())],
        usage={"U77001": WAIT, "U77003": {"state": "waiting", "code": "REPLACE_WITHOUT_CANCEL"}},
        charges={},
    )
    sequence(
        "replace-without-cancel-v-paired",
        row + "v still live and bill-ready: it keeps its state.",
        [pt(usage()), bills(charges())],
        [pt(again())],
        usage={"U77001": READY, "U77003": {"state": "waiting", "code": "REPLACE_WITHOUT_CANCEL"}},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    guess = usage(loops=[summary(flag="KA", measure="EE"), meter(flag="KA", measure="EE")], refs=("REF*5I*NA",))
    sequence(
        "replace-without-cancel-of-estimate",
        row + "v still live and estimated: v is held.",
        [pt(guess), bills(charges())],
        [pt(again())],
        usage={"U77001": {"state": "held"}, "U77003": {"state": "waiting", "code": "REPLACE_WITHOUT_CANCEL"}},
    )
    sequence(
        "replace-of-nothing",
        row + "nothing known: held.",
        [pt(again())],
        usage={"U77003": held("REPLACE_UNKNOWN")},
        charges={},
    )
    sequence(
        "replace-with-other-dates",
        "§5.2: a restatement's dates need not equal those of the original; it is found by BPT09.",
        [pt(usage())],
        [pt(cancel())],
        [pt(again(end="20260704"))],
        usage=alone["usage"],
        charges={},
    )
    sequence(
        "replace-twice",
        TABLE + "01 and 05 of the replacement: v3 is live.",
        [pt(usage())],
        [pt(cancel())],
        [pt(again())],
        [pt(cancel("U77012", "U77003"))],
        [pt(again("U77013", "U77003", value="1300"))],
        any_order=True,
        usage={"U77001": CANCELLED, "U77003": CANCELLED, "U77013": WAIT},
        charges={},
    )
