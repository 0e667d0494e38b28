"""`billing waiting` and `billing voids`: what waits for an invoice or for a person, and what a person decides."""

from billing_assets_tests.rooms.operations.test_cli import Command, machine
from proving.world.builders import apply_credit, insert_document, void_document
from proving.world.command import complete
from proving.world.system import System

__all__ = ["machine"]

SAID = ("--by", "A. Clerk", "--why", "Voided in billing.")


def bill(system: System) -> None:
    system.stage()
    for key in system.planned():
        assert system.post(key).success


def test_a_credit_memo_that_waits_is_shown_with_why_its_invoice_is_not_in_netsuite(
    machine: Command, system: System
) -> None:
    complete(machine("waiting"), 0, ["0 credit memos wait for an invoice"])
    insert_document(system.source, "500001", customer_no=None)
    apply_credit(system.source, insert_document(system.source, "C500002", kind="credit_memo"), "500001")
    bill(system)
    complete(machine("waiting"), 0, ["1 credit memos wait", "C500002", "GBP -10.00", "500001", "CUSTOMER_MISSING"])


def test_a_voided_invoice_waits_for_somebody_and_what_was_decided_stays_with_who_and_why(
    machine: Command, system: System
) -> None:
    ids = [insert_document(system.source, number) for number in ("500001", "500002", "500003")]
    bill(system)
    for one in ids:
        void_document(system.source, one)
    system.stage()
    complete(machine("voids", "list"), 0, ["3 credit memos wait for a decision", "500001", "500002", "GBP -10.00"])
    system.void_in_netsuite("INV-500003")
    complete(
        machine("voids", "confirm", "500003", *SAID), 2, ["500003 is voided in NetSuite, too", "take it back twice"]
    )
    complete(machine("voids", "decline", "500003", *SAID), 0, ["No credit memo for invoice 500003"])
    complete(machine("voids", "confirm", "500001", "--by", " ", "--why", "x"), 2, ["--by and --why must say something"])
    complete(machine("voids", "confirm", "500009", *SAID), 2, ["500009"])
    complete(machine("voids", "confirm", "500001", *SAID), 0, ["over GBP -10.00 for invoice 500001", "is ready"])
    complete(
        machine("voids", "decline", "500002", *SAID), 0, ["No credit memo for invoice 500002 (declined by A. Clerk)"]
    )
    complete(machine("voids", "list"), 0, ["0 credit memos wait for a decision"])
    complete(machine("voids", "decline", "500001", *SAID), 2, ["confirmed"])
    posts = system.posts()
    for key in system.planned():
        assert system.post(key).success
    assert system.posts() == posts + 1
    decided = machine("voids", "list", "--all", COLUMNS="200")
    complete(
        decided, 0, ["3 credit memos for voided invoices", "(posted)", "declined", "A. Clerk", "Voided in billing."]
    )
