"""Several files in order of arrival: spec §7, charges and usage cancelled and replaced as a pair; what is billed."""

from __future__ import annotations

from typing import Any

from billing_assets_tests.data.x12_corpus.sequences_pairing import (
    CANCELLED,
    ORPHAN,
    PAIR,
    READY,
    WAIT,
    arrival,
    held,
    sequence,
)
from billing_assets_tests.data.x12_corpus.sequences_versions import NEXT_END, TABLE, again, cancel
from billing_assets_tests.data.x12_corpus.x12_text import END, Set, bills, charges, pt, usage


def cancel_bill(cid: str = "I88002", original: str = "I88001", control: str = "0001") -> Set:
    return charges(cid, purpose="01", original=original, cross="U77002", control=control)


def bill_again(cid: str = "I88003", original: str = "I88001", control: str = "0001", cross: str = "U77003") -> Set:
    return charges(cid, purpose="05", original=original, cross=cross, control=control)


def add() -> None:
    pairs_cancelled()
    charges_alone()
    billed()


def pairs_cancelled() -> None:
    first = [pt(usage()), bills(charges())]
    sequence(
        "pair-cancelled",
        "§7: 867 and 810 are cancelled as a pair.",
        first,
        [pt(cancel())],
        [bills(cancel_bill())],
        any_order=True,
        usage={"U77001": CANCELLED},
        charges={"I88001": CANCELLED},
    )
    sequence(
        "pair-cancelled-in-one-file",
        "§7: 867 and 810 are cancelled as a pair, here by one interchange.",
        first,
        [bills(cancel_bill()), pt(cancel())],
        any_order=True,
        usage={"U77001": CANCELLED},
        charges={"I88001": CANCELLED},
    )
    sequence(
        "half-cancel-usage",
        "§7: only the 867 is cancelled.",
        first,
        [pt(cancel())],
        any_order=True,
        usage={"U77001": CANCELLED},
        codes_somewhere=["HALF_CANCEL"],
    )
    sequence(
        "half-cancel-charges",
        "§7: only the 810 is cancelled.",
        first,
        [bills(cancel_bill())],
        any_order=True,
        charges={"I88001": CANCELLED},
        codes_somewhere=["HALF_CANCEL"],
    )
    new: dict[str, Any] = {
        "usage": {"U77001": CANCELLED, "U77003": READY},
        "charges": {"I88001": CANCELLED, "I88003": READY},
        "bill_ready": [["U77003", "I88003"]],
    }
    sequence(
        "pair-replaced",
        TABLE + "05, v cancelled: v2 is live and paired again.",
        first,
        [pt(cancel()), bills(cancel_bill())],
        [pt(again()), bills(bill_again())],
        any_order=True,
        **new,
    )
    sequence(
        "pair-replaced-in-one-file",
        "§7: within one interchange order does not matter; cancels and replacements in one.",
        first,
        [bills(bill_again(), cancel_bill(control="0002")), pt(again(), cancel(control="0002"))],
        any_order=True,
        **new,
    )
    sequence(
        "pair-replaced-charges-to-come",
        TABLE + "05, v cancelled: v2 waits for its own charges.",
        first,
        [pt(cancel()), bills(cancel_bill())],
        [pt(again())],
        any_order=True,
        usage={"U77001": CANCELLED, "U77003": WAIT},
        charges={"I88001": CANCELLED},
    )
    sequence(
        "charges-replaced-usage-to-come",
        TABLE + "05 in the 810 only: the new charges wait for the usage that they name.",
        first,
        [pt(cancel()), bills(cancel_bill())],
        [bills(bill_again())],
        any_order=True,
        usage={"U77001": CANCELLED},
        charges={"I88001": CANCELLED, "I88003": ORPHAN},
    )


def charges_alone() -> None:
    """The rows of the table for the 810 itself."""
    both = {"I88001": ORPHAN}
    sequence(
        "charges-other-id-same-period",
        TABLE + "00, v live, other id: the new one is held, v stays; here two monthly 810.",
        [bills(charges())],
        [bills(charges("I88004"))],
        usage={},
        charges=both | {"I88004": held("DUP_PERIOD")},
    )
    sequence(
        "charges-cancel-of-nothing",
        TABLE + "01, names nothing known: waits; here an 810.",
        [bills(cancel_bill())],
        usage={},
        charges={"I88002": {"state": "waiting", "code": "CANCEL_WITHOUT_ORIGINAL"}},
    )
    sequence(
        "charges-replace-of-nothing",
        TABLE + "05, nothing known: held; here an 810.",
        [bills(bill_again())],
        usage={},
        charges={"I88003": held("REPLACE_UNKNOWN")},
    )
    sequence(
        "charges-replace-without-cancel",
        TABLE + "05, v still live: waits for its 01; here an 810.",
        [pt(usage()), bills(charges())],
        [bills(bill_again())],
        usage={"U77001": READY},
        charges={"I88001": READY, "I88003": {"state": "waiting", "code": "REPLACE_WITHOUT_CANCEL"}},
        bill_ready=PAIR,
    )


def billed() -> None:
    row = TABLE + "01, names v, billed: "
    given: dict[str, Any] = {"billed_after_file": 1, "billed": ["U77001"]}
    first = [pt(usage()), bills(charges())]
    sequence(
        "billed-cancelled",
        row + "a credit candidate, which waits 10 days for a 05; the invoiced record itself never changes.",
        first,
        [pt(cancel()), bills(cancel_bill())],
        given=given,
        candidates={"credit": ["U77001"], "rebill": []},
        wait_days=10,
    )
    sequence(
        "billed-cancelled-and-replaced",
        TABLE + "05, v cancelled: one credit candidate and one rebill, on the original price version.",
        first,
        [pt(cancel()), bills(cancel_bill())],
        [pt(again()), bills(bill_again())],
        given=given,
        candidates={"credit": ["U77001"], "rebill": ["U77003"]},
        bill_ready=[["U77003", "I88003"]],
    )
    sequence(
        "billed-cancelled-twice",
        row + "one credit candidate, the second cancel is counted and ignored.",
        first,
        [pt(cancel()), bills(cancel_bill())],
        [pt(cancel("U77008"))],
        given=given,
        candidates={"credit": ["U77001"], "rebill": []},
        ignored=[{"id": "U77008", "code": "ALREADY_CANCELLED"}],
    )
    sequence(
        "billed-half-cancelled",
        "§7: only the 867 of a billed pair is cancelled; no charge effect until its twin or a time-out.",
        first,
        [pt(cancel())],
        given=given,
        codes_somewhere=["HALF_CANCEL"],
    )
    sequence(
        "billed-original-again",
        TABLE + "00, v live, same id: a billed usage sent again is counted and ignored.",
        arrival(*first, number=32005),
        arrival(pt(usage()), number=32006),
        given=given,
        candidates={"credit": [], "rebill": []},
        ignored=[{"id": "U77001", "code": "DUP_TRANSACTION"}],
    )
    sequence(
        "periods-in-reverse",
        "§2 point 6: July's files arrive before June's.",
        [pt(usage("U77004", start=END, end=NEXT_END))],
        [bills(charges("I88004", cross="U77004", start=END, end=NEXT_END))],
        [bills(charges())],
        [pt(usage())],
        any_order=True,
        usage={"U77001": READY, "U77004": READY},
        charges={"I88001": READY, "I88004": READY},
        bill_ready=[*PAIR, ["U77004", "I88004"]],
        gaps=[],
    )
