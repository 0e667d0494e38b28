"""Several files in order of arrival: spec §7, pairing, and spec §2 and §4, duplicates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from billing_assets_tests.data.x12_corpus.cases_charges import ldc
from billing_assets_tests.data.x12_corpus.cases_eastern import detail, eastern
from billing_assets_tests.data.x12_corpus.expecting import SEQUENCES, Sequence
from billing_assets_tests.data.x12_corpus.x12_text import (
    END,
    OTHER_POINT,
    START,
    Group,
    Wire,
    bills,
    charge,
    charges,
    meter,
    period,
    pt,
    summary,
    usage,
)

WAIT = {"state": "waiting", "code": "WAIT_CHARGES"}
ORPHAN = {"state": "waiting", "code": "ORPHAN_CHARGES"}
READY = {"state": "ready", "code": None}
CANCELLED = {"state": "cancelled"}


def held(code: str) -> dict[str, str]:
    return {"state": "held", "code": code}


def dated(line: str, day: int) -> str:
    return (
        line.replace("*20260704", f"*202607{4 + day:02d}")
        if line.startswith("BPT")
        else line.replace("BIG*20260705", f"BIG*202607{5 + day:02d}")
    )


def arrival(*groups: Group, day: int = 0, number: int = 0, **wire: Any) -> bytes:
    """One file; each later one has later dates in ISA, GS, BPT and BIG."""
    number = number or 20000 + 20 * len(SEQUENCES) + day
    later = [
        replace(
            group,
            date=f"202607{6 + day:02d}",
            control=f"{number + 1000 * at}",
            sets=[replace(one, body=[dated(line, day) for line in one.body]) for one in group.sets],
        )
        for at, group in enumerate(groups)
    ]
    return Wire(control=f"{number:09d}", date=f"2607{6 + day:02d}", **wire).write(later)


def sequence(
    name: str,
    why: str,
    *steps: list[Group] | bytes,
    bill_ready: list[list[str]] | None = None,
    any_order: bool | None = None,
    **expected: Any,
) -> None:
    """Adds a folder. `any_order`: the files in any order of arrival end the same."""
    data = [step if isinstance(step, bytes) else arrival(*step, day=day) for day, step in enumerate(steps)]
    out: dict[str, Any] = {"why": why} | ({"any_order": any_order} if any_order is not None else {}) | expected
    out["bill_ready"] = bill_ready or []
    SEQUENCES.append(Sequence(name, data, out))


PAIR = [["U77001", "I88001"]]


def add() -> None:
    keys()
    unpaired()
    form()
    duplicates()


def keys() -> None:
    row = "§7, pair key 1: BIG05 names BPT02; "
    sequence(
        "pair-in-one-file",
        "§4.1 and " + row + "both groups in one interchange.",
        [pt(usage()), bills(charges())],
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    sequence(
        "pair-charges-group-first",
        "§7: within one interchange order does not matter.",
        [bills(charges()), pt(usage())],
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    sequence(
        "pair-in-two-files",
        row + "in two files, in either order.",
        [pt(usage())],
        [bills(charges())],
        any_order=True,
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    sequence(
        "pair-by-id-with-other-dates",
        row + "it comes before the dates, which differ by a day.",
        [pt(usage())],
        [bills(charges(start="20260604"))],
        any_order=True,
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    sequence(
        "pair-by-point-and-period",
        "§7, pair key 2: the 810 names no usage; ESI, start and end are the same.",
        [pt(usage())],
        [bills(charges(cross=""))],
        any_order=True,
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    sequence(
        "pair-suggested",
        "§7, pair key 3: 28 of 29 days overlap, one candidate; a person confirms.",
        [pt(usage())],
        [bills(charges(cross="", start="20260604"))],
        any_order=True,
        suggested=PAIR,
    )
    sequence(
        "pair-overlap-too-small",
        "§7, pair key 3: 20 of 29 days overlap, less than 90 %.",
        [pt(usage())],
        [bills(charges(cross="", start="20260612"))],
        any_order=True,
        usage={"U77001": WAIT},
        charges={"I88001": ORPHAN},
        suggested=[],
    )
    sequence(
        "pair-other-point-same-period",
        "§7, pair key 2: the period is the same, the ESI is not.",
        [pt(usage())],
        [bills(charges(cross="", point=OTHER_POINT))],
        any_order=True,
        usage={"U77001": WAIT},
        charges={"I88001": ORPHAN},
        suggested=[],
    )
    sequence(
        "pair-esi-differs",
        "§7, pair key 1: BIG05 names a usage of another ESI; the 810 is held and the usage goes on waiting.",
        [pt(usage())],
        [bills(charges(point=OTHER_POINT))],
        any_order=True,
        usage={"U77001": WAIT},
        charges={"I88001": held("PAIR_ESI")},
        suggested=[],
    )
    sequence(
        "pair-esi-differs-no-fallback",
        "§7, pair key 1: no fallback to key 2, though the 810's own ESI has a usage of the same period.",
        [pt(usage(), usage("U77005", point=OTHER_POINT, control="0002"))],
        [bills(charges(point=OTHER_POINT))],
        any_order=True,
        usage={"U77001": WAIT, "U77005": WAIT},
        charges={"I88001": held("PAIR_ESI")},
        suggested=[],
    )
    many = [pt(usage(), usage("U77005", point=OTHER_POINT, control="0002"))]
    bill = [bills(charges(), charges("I88005", cross="U77005", point=OTHER_POINT, control="0002"))]
    sequence(
        "two-points-two-pairs",
        row + "two points in one file keep apart.",
        many,
        bill,
        any_order=True,
        usage={"U77001": READY, "U77005": READY},
        charges={"I88001": READY, "I88005": READY},
        bill_ready=[*PAIR, ["U77005", "I88005"]],
    )


def unpaired() -> None:
    sequence("usage-alone", "§7: unpaired usage waits.", [pt(usage())], usage={"U77001": WAIT}, charges={})
    sequence(
        "charges-alone", "§7: unpaired charges are orphans.", [bills(charges())], usage={}, charges={"I88001": ORPHAN}
    )
    sequence(
        "charges-miscellaneous",
        "§6.1 row BIG: type 26 needs no 867, so it does not wait.",
        [bills(charges(kind="26", cross=""))],
        usage={},
        charges={"I88001": READY},
    )
    sequence(
        "usage-held-pair-not-ready",
        "§7: bill-ready needs both ready; the usage is held for its sum.",
        [pt(usage(loops=[summary("1200"), meter()]))],
        [bills(charges())],
        any_order=True,
        usage={"U77001": held("SUM_CHECK")},
    )
    sequence(
        "charges-held-pair-not-ready",
        "§7: bill-ready needs both ready; the charges are held for their total.",
        [pt(usage())],
        [bills(charges(total="4322"))],
        any_order=True,
        charges={"I88001": held("CHARGES_NOT_TOTAL")},
    )
    sequence(
        "bad-period",
        "§7: zero days is BAD_PERIOD.",
        [pt(usage(end=START, value="1000"))],
        usage={"U77001": held("BAD_PERIOD")},
        charges={},
    )
    sequence(
        "point-unknown-then-known",
        "§4 point 9 and issue 16 section 2: a usage of an unknown ESI is held; it is freed when the master data come.",
        [pt(usage())],
        given={"points": [OTHER_POINT]},
        usage={"U77001": {"state": "held"}},
        charges={},
        then={"points": [OTHER_POINT, "10032780000000042"], "usage": {"U77001": WAIT}},
    )
    final = [pt(usage(final="F"))], [bills(charges(kind="FB"))]
    sequence(
        "final-closes-supply",
        "§7: final (F, FB) closes the account's supply period.",
        *final,
        any_order=True,
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
        supply_closed=["10032780000000042"],
    )

    sequence(
        "usage-alone-ages",
        "§7: what is unpaired is listed and alerted at 3, 5 and 10 days and never billed.",
        [pt(usage())],
        given={"days_without_charges": 11},
        usage={"U77001": WAIT},
        charges={},
        listed_at_days=[3, 5, 10],
    )
    monthly = eastern(summary("640"), detail("640", ("01200", "01840")))
    lines = ("IT1*1*****SV*ELECTRIC*C3*ACCOUNT", *period(), "SLN*1**A", charge("DIS001", "3871"))
    sequence(
        "eastern-pair",
        "§5.2, §6.2 and §7: an 867MU and an 810 of the utility for one account and one period.",
        [pt(monthly)],
        [bills(ldc(*lines, total="3871"))],
        any_order=True,
        usage={"M55001": READY},
        charges={"L66001": READY},
        bill_ready=[["M55001", "L66001"]],
    )


def form() -> None:
    bad = replace(usage(), se01="19")
    sequence(
        "usage-rejected-charges-wait",
        "§4.1: with SE*19 the 867 is rejected; the 810 waits.",
        [pt(bad), bills(charges())],
        usage={},
        charges={"I88001": ORPHAN},
    )
    sequence(
        "usage-rejected-then-sent-again",
        "§4.1 and §7: the sender sends the rejected 867 again in a new interchange; the orphan finds it.",
        [pt(bad), bills(charges())],
        [pt(usage())],
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
    sequence(
        "interchange-refused-nothing-billable",
        "§4 table, row 1: IEA02 differs; nothing of the interchange lives.",
        arrival(pt(usage()), bills(charges()), iea02="000000001"),
        usage={},
        charges={},
        files={"1": {"verdict": "refuse", "ack": None}},
    )


def duplicates() -> None:
    row = "§4 table, row 4: "
    first = arrival(pt(usage()), number=31001)
    sequence(
        "interchange-twice",
        row
        + "the same ISA13 with the same hash is a duplicate, without a second effect or acknowledgement (§2 point 1).",
        first,
        first,
        usage={"U77001": WAIT},
        charges={},
        files={"2": {"state": "duplicate"}},
    )
    sequence(
        "control-number-used-again",
        row + "the same ISA13 from one sender with other content is refused.",
        arrival(pt(usage()), number=31002),
        arrival(pt(usage("U77006", start=END, end="20260801")), number=31002, day=1),
        usage={"U77001": WAIT},
        charges={},
        files={"2": {"verdict": "refuse", "codes": ["CONTROL_REUSED"], "ack": None}},
    )
    sequence(
        "control-number-of-another-sender",
        row + "the same number from another sender is new.",
        arrival(pt(usage()), number=31003),
        arrival(pt(usage("U77007", point=OTHER_POINT), sender="900000034"), number=31003, day=1, sender="900000034"),
        any_order=True,
        usage={"U77001": WAIT, "U77007": WAIT},
        charges={},
        given={"partners": ["900000026", "900000034"]},
    )
    sequence(
        "charges-twice",
        "§2 point 2: the same BIG02 with the same content is counted and ignored.",
        arrival(bills(charges()), number=31004),
        arrival(bills(charges()), number=31005),
        [pt(usage())],
        any_order=True,
        usage={"U77001": READY},
        charges={"I88001": READY},
        bill_ready=PAIR,
    )
