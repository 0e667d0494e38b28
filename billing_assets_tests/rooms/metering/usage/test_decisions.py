"""What a clerk decides: with a name and a reason, only what fits, and with what follows from it at once."""

from datetime import timedelta
from typing import Any

import pytest

from billing_assets.decisions.store import Subject, history
from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.usage import decision_store, decisions, store
from billing_assets.metering.usage.decisions import NotDecidableError
from billing_assets_tests.rooms.metering.usage.conftest import Arrive
from billing_assets_tests.unit.metering.usage.messages import JUNE, NOW, POINT, charges, usage

NEAR = (JUNE[0], JUNE[1] - timedelta(days=1))


def states(state: Connection, *facts: Any) -> list[str]:
    """State and codes of messages, as one line each."""
    rows = state.execute("select message, state, codes from billing.usage_messages")
    found = {row["message"]: " ".join((row["state"], *row["codes"])) for row in rows}
    return [found[one.message] for one in facts]


def test_a_released_hold_is_gone_and_the_decision_is_kept(state: Connection, arriving: Arrive) -> None:
    one, bill = arriving(usage("U1", codes=("SUM_CHECK",)), charges("I1", names="U1"))
    store.settle(state, [POINT], now=NOW)
    moved = decisions.release(state, one.message, "Ann", "Meter was exchanged.", now=NOW)
    assert [(found.message, found.state) for found in moved] == [(one.message, "ready"), (bill.message, "ready")]
    (kept,) = history(state, Subject.USAGE, str(one.message))
    assert (kept.decision, kept.decided_by, kept.why) == ("release SUM_CHECK", "Ann", "Meter was exchanged.")


def test_what_cannot_be_released_says_what_to_do_instead(state: Connection, arriving: Arrive) -> None:
    one, other = arriving(usage("U1"), usage("U1", amount=9))
    store.settle(state, [POINT], now=NOW)
    with pytest.raises(NotDecidableError, match="VERSION_CONFLICT cannot be released"):
        decisions.release(state, other.message, "Ann", "Why not.", now=NOW)
    with pytest.raises(NotDecidableError, match="is not held by SUM_CHECK, but by VERSION_CONFLICT"):
        decisions.release(state, other.message, "Ann", "Why not.", ["SUM_CHECK"], now=NOW)
    with pytest.raises(NotDecidableError, match="is waiting, not held"):
        decisions.release(state, one.message, "Ann", "Why not.", now=NOW)
    with pytest.raises(NotDecidableError, match="no charges with the number 99"):
        decisions.release(state, 99, "Ann", "Why not.", now=NOW)
    assert history(state) == []


def test_a_rejected_message_is_out_for_good_and_an_824_is_wanted(state: Connection, arriving: Arrive) -> None:
    one, other = arriving(usage("U1"), usage("U2"))
    store.settle(state, [POINT], now=NOW)
    decisions.reject(state, one.message, "Ann", "Wrong meter.", "A76", now=NOW)
    assert states(state, one, other) == ["rejected", "waiting WAIT_CHARGES"]
    (found,) = decision_store.rejections(state)
    assert (found.id, found.answer, found.why, found.decided_by) == ("U1", "A76", "Wrong meter.", "Ann")
    with pytest.raises(NotDecidableError, match="is rejected: only what is held or waits"):
        decisions.reject(state, one.message, "Ann", "Again.", now=NOW)
    with pytest.raises(NotDecidableError, match="no code of an 824"):
        decisions.reject(state, other.message, "Ann", "Why.", "wrong", now=NOW)


def test_what_is_billed_is_neither_rejected_nor_released(state: Connection, arriving: Arrive) -> None:
    one, bill = arriving(usage("U1"), charges("I1", names="U1"))
    store.settle(state, [POINT], now=NOW)
    store.note_billed(state, [one.message, bill.message], "INV-1", now=NOW)
    for decide in (decisions.reject, decisions.release):
        with pytest.raises(NotDecidableError, match="is billed"):
            decide(state, one.message, "Ann", "Why not.", now=NOW)


def test_a_suggested_pair_is_ready_once_a_person_confirms_it(state: Connection, arriving: Arrive) -> None:
    one, bill = arriving(usage("U1"), charges("I1", period=NEAR))
    store.settle(state, [POINT], now=NOW)
    decisions.confirm(state, one.message, bill.message, "Ann", "One day of reading.", now=NOW)
    assert states(state, one, bill) == ["ready", "ready"]
    with pytest.raises(NotDecidableError, match="waits for no pair"):
        decisions.confirm(state, one.message, bill.message, "Ann", "Again.", now=NOW)
    decisions.decline(state, one.message, bill.message, "Ann", "I was wrong.", now=NOW)
    assert states(state, one, bill) == ["waiting WAIT_CHARGES", "waiting ORPHAN_CHARGES"]


def test_a_declined_pair_is_not_suggested_again(state: Connection, arriving: Arrive) -> None:
    one, bill = arriving(usage("U1"), charges("I1", period=NEAR))
    store.settle(state, [POINT], now=NOW)
    decisions.decline(state, one.message, bill.message, "Ann", "Another meter.", now=NOW)
    with pytest.raises(NotDecidableError, match="no pair now"):
        decisions.decline(state, one.message, bill.message, "Ann", "Again.", now=NOW)
    store.settle(state, [POINT], now=NOW)
    found = state.execute("select state from billing.usage_pairs").fetchall()
    assert found == [{"state": "ended"}]


def test_only_usage_and_charges_of_one_point_are_a_pair(state: Connection, arriving: Arrive) -> None:
    one, other, bill = arriving(usage("U1"), usage("U2", period=NEAR), charges("I1", point="10032780000000059"))
    store.settle(state, [POINT, bill.point], now=NOW)
    with pytest.raises(NotDecidableError, match="another service point"):
        decisions.confirm(state, one.message, bill.message, "Ann", "Why.", now=NOW)
    with pytest.raises(NotDecidableError, match="A pair is usage and charges"):
        decisions.confirm(state, one.message, other.message, "Ann", "Why.", now=NOW)


def test_charges_that_name_their_usage_are_rejected_not_declined(state: Connection, arriving: Arrive) -> None:
    one, bill = arriving(usage("U1"), charges("I1", names="U1"))
    store.settle(state, [POINT], now=NOW)
    with pytest.raises(NotDecidableError, match="reject one of them instead"):
        decisions.decline(state, one.message, bill.message, "Ann", "Why.", now=NOW)
