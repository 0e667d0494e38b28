"""`billing invoicing memo`, `special-charge`, `one-off` and their like, as a clerk types them."""

from billing_assets_tests.rooms.invoicing.test_commands import MARA, Invoicing, invoicing
from proving.world.command import complete

__all__ = ["invoicing"]

BEN = ("--by", "Ben", "--why", "Compared")
GOODWILL = ("--reason", "GOODWILL", "--text", "Goodwill")


def test_a_memo_of_each_sign_and_what_is_wrong_with_one(invoicing: Invoicing) -> None:
    done = invoicing.json("memo", "A1", "-12.50", *GOODWILL, *MARA)
    assert (done["kind"], done["amount"], done["state"]) == ("credit_memo", "-12.50", "posted")
    complete(invoicing("memo", "A1", "20", *GOODWILL, *MARA), 0, ["Debit memo 2 of 20.00 is posted as ACME"])
    complete(invoicing("memo", "A1", "much", *GOODWILL, *MARA), 2, ["'much' is no number; write one such as 12.50"])
    complete(invoicing("memo", "A9", "1", *GOODWILL, *MARA), 2, ["There is no account A9"])
    complete(invoicing("memo", "A1", "1", "--reason", "nice", "--text", "x", *MARA), 2, ["'nice' is no reason code"])


def test_a_charge_that_is_held_listed_and_withdrawn(invoicing: Invoicing) -> None:
    fee = ("special-charge", "A1", "40", "--reason", "RECONNECTED", "--text", "Reconnection", *MARA)
    complete(invoicing(*fee), 0, ["Special charge 1 of 40.00 is held until the next bill."])
    complete(invoicing("adjustments", "A1"), 0, ["RECONNECTED", "open", "Mara"])
    assert invoicing.json("withdraw-adjustment", "1", *MARA) == {"adjustment": 1, "state": "withdrawn"}
    complete(invoicing("withdraw-adjustment", "1", *MARA), 2, ["Adjustment 1 is withdrawn"])
    complete(invoicing("adjustments"), 0, ["Adjustments: none."])
    assert [one["state"] for one in invoicing.json("adjustments", "--all")] == ["withdrawn"]


def test_what_another_person_checks(invoicing: Invoicing) -> None:
    line = ("--line", "Damage;1;;150;energy", "--line", "Cable;2.5;m;10;energy")
    complete(
        invoicing("one-off", "A1", *line, "--reason", "DAMAGE", *MARA),
        0,
        ["One-off invoice 1 of 175.00 waits for another person: `billing invoicing check-adjustment 1`."],
    )
    complete(invoicing("check-adjustment", "1", *MARA), 2, ["Mara decided this: another person must check it."])
    done = invoicing.json("check-adjustment", "1", *BEN)
    assert (done["state"], done["amount"]) == ("posted", "175.00")
    complete(invoicing("check-adjustment", "1", *BEN), 2, ["Adjustment 1 is posted: it waits for no one."])
    complete(invoicing("one-off", "A1", "--line", "x;1", "--reason", "DAMAGE", *MARA), 2, ["'x;1' is no line"])


def test_an_adjustment_of_the_balance_alone(invoicing: Invoicing) -> None:
    done = invoicing("ar-adjustment", "A1", "-5", *GOODWILL, *MARA)
    complete(done, 0, ["AR adjustment 1 of -5.00 is posted."])
