"""Credit memos in NetSuite: applied to one invoice or several, wholly or in part, never with more than is open."""

import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from billing_assets.erp.documents.documents import Document
from billing_assets.erp.netsuite import sink, suiteql
from billing_assets.erp.netsuite.reports import applied_less
from proving.world import builders
from proving.world.builders import applied, credit_memo, document, line, shipped_mapping, staged
from proving.world.rig import Rig, stage_rows


def invoice(number: str, amount: str) -> Document:
    return document(number, line(amount=amount))


def pay(rig: Rig, number: str, amount: str) -> None:
    """The customer pays part of an invoice."""
    record = rig.records()[f"INV-{number}"]
    body = {
        "externalId": f"PAY-{number}",
        "customer": {"id": record["entity"]},
        "subsidiary": {"id": record["subsidiary"]},
        "currency": {"id": shipped_mapping().file.currencies["GBP"].id},
        "tranDate": "2010-11-20",
        "payment": float(amount),
        "apply": {"items": [{"doc": {"id": record["id"]}, "apply": True, "amount": float(amount)}]},
    }
    rig.account.created(body, "customerPayment")


def settled(rig: Rig) -> dict[str, Decimal]:
    """What NetSuite shows as open on each invoice, and as used of each credit memo, by number."""
    rows = rig.account.rows(
        "SELECT externalid, foreignamountunpaid, foreignpaymentamountused FROM transaction ORDER BY id"
    )
    shown = {row["externalid"].partition("-")[2]: row for row in rows if not row["externalid"].startswith("PAY")}
    return {
        number: Decimal(row.get("foreignamountunpaid", row.get("foreignpaymentamountused", "0")))
        for number, row in shown.items()
    }


def post(rig: Rig, *documents: Document) -> None:
    """Stages and posts everything, invoices first and then what waited for them."""
    stage_rows(rig.state, documents)
    while rig.post_planned():
        pass


def amounts(**named: str) -> dict[str, Decimal]:
    return {number.lstrip("_"): Decimal(amount) for number, amount in named.items()}


def test_a_credit_memo_over_more_than_is_open_settles_what_is_open_and_keeps_the_rest(rig: Rig) -> None:
    post(rig, invoice("1", "10"))
    pay(rig, "1", "7.50")
    post(rig, credit_memo("C1", "-4", applies_to="1"))
    assert settled(rig) == amounts(_1="0", C1="2.50")
    row = staged(rig.state, "C1")
    assert (row["state"], row["applied"], row["difference"]) == ("posted", [["1", "2.5"]], None)
    (less,) = applied_less(rig.state, row["batch"], 10)
    assert (less["number"], less["invoices"], less["to_apply"], less["applied"]) == ("C1", "1", 4, Decimal("2.5"))
    assert rig.done()


def test_a_credit_memo_for_an_invoice_that_is_paid_stays_open(rig: Rig) -> None:
    post(rig, invoice("1", "10"))
    pay(rig, "1", "10")
    post(rig, credit_memo("C1", "-4", applies_to="1"))
    assert settled(rig) == amounts(_1="0", C1="0")
    assert staged(rig.state, "C1")["applied"] == []
    assert rig.done()


def test_credit_memos_of_one_batch_share_what_their_invoice_has_open_and_ask_for_it_once(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, str]] = []

    def counted(client: Any, ids: Mapping[str, str]) -> tuple[dict[str, Decimal], set[str]]:
        asked.append(ids)
        return suiteql.amounts_unpaid(client, ids)

    monkeypatch.setattr(sink, "amounts_unpaid", counted)
    post(rig, invoice("1", "10"), invoice("2", "5"))
    assert asked == []  # nothing to credit, nothing to ask
    memos = [credit_memo(f"C{n}", "-6", applies_to="1") for n in range(1, 4)]
    post(rig, *memos, credit_memo("C4", "-1", applies_to="2"))
    assert len(asked) == 1
    assert len(asked[0]) == 2
    assert settled(rig) == amounts(_1="0", _2="4", C1="6", C2="4", C3="0", C4="1")
    assert rig.account.admin("summary")["posts"]["received"] == 6
    assert rig.done()


def test_a_credit_memo_settles_several_invoices_each_with_its_part(rig: Rig) -> None:
    one = credit_memo("C1", "-10", applications=applied("1", "2.5", "2", None, "3", "1.25"))
    left_open = credit_memo("C2", "-3")
    post(rig, invoice("1", "10"), invoice("2", "4"), invoice("3", "4"), one, left_open)
    assert settled(rig) == amounts(_1="7.50", _2="0", _3="2.75", C1="7.75", C2="0")
    assert rig.counts() == {"posted": 5}
    assert rig.done()


@pytest.mark.parametrize(("paid", "code"), [("8", "USER_ERROR"), ("10", "INVALID_CONTENT")])
def test_what_is_paid_between_the_question_and_the_credit_memo_is_asked_for_anew(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, paid: str, code: str
) -> None:
    post(rig, invoice("1", "10"))
    ask = sink._open_amounts
    answers = []

    def and_then_pay(*arguments: Any) -> tuple[dict[str, Decimal], set[str]]:
        answer = ask(*arguments)
        answers.append(set(answer[0].values()))
        if len(answers) == 1:
            pay(rig, "1", paid)
        return answer

    monkeypatch.setattr(sink, "_open_amounts", and_then_pay)
    post(rig, credit_memo("C1", "-6", applies_to="1"))
    left = 10 - Decimal(paid)
    assert answers == [{Decimal(10)}, {left}]
    assert rig.outcomes("C1") == ["refused", "absent", "landed"]
    assert rig.log("C1")[0]["code"] == code
    assert settled(rig) == {"1": Decimal(0), "C1": left}
    assert rig.done()


def test_an_application_that_is_refused_again_and_again_ends_as_rejected_with_netsuites_words(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(rig, invoice("1", "10"))
    pay(rig, "1", "8")
    monkeypatch.setattr(sink, "amounts_unpaid", lambda *_: ({}, set()))  # NetSuite does not show the invoice
    post(rig, credit_memo("C1", "-6", applies_to="1"))
    assert staged(rig.state, "C1")["state"] == "rejected"
    assert rig.outcomes("C1") == ["refused", "absent", "refused", "absent"]
    assert "may not exceed" in rig.log("C1")[-1]["detail"]


def apply(rig: Rig, value: float) -> None:
    """Somebody applies so much of credit memo C1 to invoice 1 in NetSuite."""
    records = rig.records()
    answer = rig.account.session.patch(
        f"{rig.account.base_url}/services/rest/record/v1/creditMemo/{records['CM-C1']['id']}?replace=apply",
        json={"apply": {"items": [{"doc": {"id": records["INV-1"]["id"]}, "apply": True, "amount": value}]}},
        timeout=30,
    )
    assert answer.status_code == 204, answer.text


def test_what_netsuite_shows_as_applied_otherwise_is_reported_until_it_is_mended(rig: Rig) -> None:
    post(rig, invoice("1", "10"), credit_memo("C1", "-4", applies_to="1"))
    row = staged(rig.state, "C1")
    apply(rig, 1.5)
    rig.state.execute("update billing.staged_invoices set read_back_at = null")
    rig.post(row["batch"], "again")
    assert staged(rig.state, "C1")["difference"] == "1.5 applied instead of 4"
    apply(rig, 4)
    rig.post(row["batch"], "fixed")
    assert staged(rig.state, "C1")["difference"] is None, "it was fixed there, and its batch materialized again"
    assert staged(rig.state, "1")["difference"] is None


def test_a_credit_memo_that_came_to_its_batch_too_early_goes_back_and_waits(rig: Rig) -> None:
    key = rig.planned([credit_memo("C1", "-4", applies_to=None)])
    rig.state.execute("""update billing.staged_invoices set applications = '[["1", null]]', applies_to = '1'""")
    assert rig.post(key).sent == 0
    assert rig.counts() == {"ready": 1}
    post(rig, invoice("1", "10"))
    assert settled(rig) == amounts(_1="6", C1="4")


def test_whatever_credit_memos_are_applied_to_no_invoice_is_over_applied_and_all_adds_up(rig: Rig) -> None:
    chance = random.Random(7)
    due = {str(number): Decimal(chance.randint(1, 2000)).scaleb(-2) for number in range(1, 13)}
    paid = {number: Decimal(chance.randint(1, int(amount * 100))).scaleb(-2) for number, amount in due.items()}
    post(rig, *(invoice(number, str(amount)) for number, amount in due.items()))
    for number, amount in list(paid.items())[::3]:
        pay(rig, number, str(amount))
    before = settled(rig)
    memos = []
    for n in range(30):
        total = Decimal(chance.randint(1, 1500)).scaleb(-2)
        named: list[str | None] = []
        for number in chance.sample(sorted(due), chance.randint(0, 4)):
            named += [number, chance.choice([None, f"{total / 8:.2f}"]) if total >= 1 else None]
        memos.append(credit_memo(f"C{n}", str(-total), applications=applied(*named)))
    for start in range(0, 30, 10):
        post(rig, *memos[start : start + 10])
    assert rig.counts() == {"posted": 42}
    after = settled(rig)
    rows = rig.state.execute(
        "select number, applied, difference from billing.staged_invoices where kind = 'credit_memo'"
    ).fetchall()
    assert all(row["difference"] is None for row in rows)
    taken = dict.fromkeys(due, Decimal(0))
    for row in rows:
        sent = {number: Decimal(amount) for number, amount in row["applied"] or ()}
        assert after[row["number"]] == sum(sent.values(), Decimal(0))
        for number, amount in sent.items():
            taken[number] += amount
    assert {number: before[number] - after[number] for number in due} == taken
    assert all(after[number] >= 0 for number in due)
    assert builders.states(rig.state).keys() == due.keys() | {one.number for one in memos}
