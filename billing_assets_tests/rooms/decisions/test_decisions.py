"""The log of decisions: who, what, when, from where and why, for good; and never the same person twice where two are
needed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from billing_assets.decisions import store
from billing_assets.decisions.store import SamePersonError, Subject
from billing_assets.foundation.database.connection import Connection, connect


@pytest.fixture
def state(state_url: str) -> Iterator[Connection]:
    with connect(state_url) as connection:
        yield connection


def test_a_decision_keeps_who_when_from_where_and_why(state: Connection) -> None:
    before = datetime.now(UTC)
    made = store.record(state, Subject.MONTH, "2010-11", "hard_close", " A. Clerk ", "All is explained. ")
    (found,) = store.history(state, Subject.MONTH, "2010-11")
    assert found == made
    assert (found.decision, found.decided_by, found.why) == ("hard_close", "A. Clerk", "All is explained.")
    assert before <= found.decided_at <= datetime.now(UTC)
    assert found.decided_from == store.here()
    assert store.history(state, Subject.MONTH, "2010-12") == []


def test_one_that_was_made_before_elsewhere_keeps_its_time_and_its_place(state: Connection) -> None:
    at = datetime(2010, 12, 3, 9, 30, tzinfo=UTC)
    made = store.record(state, Subject.MONTH, "2010-11", "soft_close", "A", "b", at=at, where="the journal")
    assert (made.decided_at, made.decided_from) == (at, "the journal")


def test_several_are_written_down_in_their_order(state: Connection) -> None:
    decided = [(f"invoice {number}", "accepted", f"reason {number}") for number in range(20)]
    ids = store.record_each(state, Subject.DRIFT, decided, "A. Clerk", where="answers.csv")
    written = {one.id: (one.reference, one.decision, one.why) for one in store.history(state)}
    assert [written[one] for one in ids] == decided
    assert {one.decided_from for one in store.history(state)} == {"answers.csv"}


@pytest.mark.parametrize(
    "statement",
    [
        "update billing.decisions set why = 'another'",
        "delete from billing.decisions",
        "truncate billing.decisions cascade",
    ],
)
def test_nothing_in_the_log_ever_changes(state: Connection, statement: str) -> None:
    store.record(state, Subject.MONTH, "2010-11", "hard_close", "A. Clerk", "All is explained.")
    with pytest.raises(psycopg.errors.CheckViolation):
        state.execute(statement)


@pytest.mark.parametrize(("by", "why"), [("", "a reason"), (" ", "a reason"), ("A. Clerk", " ")])
def test_nobody_decides_without_a_name_or_a_reason(state: Connection, by: str, why: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        store.record(state, Subject.MONTH, "2010-11", "hard_close", by, why)


def test_what_may_be_decided_without_a_reason_is_the_same_here_and_in_the_database(state: Connection) -> None:
    def goes(subject: Subject) -> bool:
        try:
            store.record(state, subject, "x", "decided", "A. Clerk", "")
        except psycopg.errors.CheckViolation:
            return False
        return True

    assert {subject for subject in Subject if goes(subject)} == store.WITHOUT_A_REASON


@pytest.mark.parametrize("same", ["A. Clerk", " a. clerk"])
def test_the_person_who_decided_does_not_check_it(state: Connection, same: str) -> None:
    made = store.record(state, Subject.MONTH, "2010-11", "hard_close", "A. Clerk", "All is explained.")
    with pytest.raises(SamePersonError, match="another person"):
        store.check(state, made.id, same, "Looks right.")
    checked = store.check(state, made.id, "B. Second", "Looks right.")
    assert (checked.checks, checked.reference, checked.decided_by) == (made.id, "2010-11", "B. Second")


def test_a_decision_is_checked_once_and_a_check_is_not_checked(state: Connection) -> None:
    made = store.record(state, Subject.MONTH, "2010-11", "hard_close", "A. Clerk", "All is explained.")
    checked = store.check(state, made.id, "B. Second", "Looks right.")
    with pytest.raises(psycopg.errors.UniqueViolation):
        store.check(state, made.id, "C. Third", "Looks right.")
    for unknown in (checked.id, checked.id + 1):
        with pytest.raises(LookupError):
            store.check(state, unknown, "C. Third", "Looks right.")
