"""A sandbox account that was refreshed has none of our transactions and gives their internal ids to others: nothing of
ours is taken for one of those."""

from billing_assets.erp.close.causes import CAUSES
from billing_assets_tests.rooms.erp.test_bindings import BY, Machine, billing, posted
from proving.world.builders import apply_credit, insert_document, void_document
from proving.world.command import complete
from proving.world.system import System, metadata, rows, unknown_transaction

__all__ = ["billing"]


def refreshed(system: System, *external_ids: str, day: str = "2010-11-20") -> None:
    """The account begins again, and somebody enters invoices in it, with internal ids that ours had."""
    before = [row["id"] for row in system.account.admin("records", limit=100)["items"]]
    system.account.fresh()
    for one in external_ids:
        unknown_transaction(system.account, one)
    after = system.account.admin("records", limit=100)["items"]
    assert {row["id"] for row in after} <= set(before), "no id was given out again"
    for row in after:
        if day != "2010-11-20":
            system.change_in_netsuite(f"invoice/{row['id']}", {"tranDate": day})


def closed(system: System) -> dict[str, tuple[str, str]]:
    """Cause and sentence of everything that differs, by number."""
    shown = metadata(system.run("close_month", "2010-11"), "month_close")
    return {row["number"]: (row["cause"], row["what"]) for row in rows(shown["differences"].records)}


def test_the_close_takes_no_strangers_transaction_for_ours(system: System) -> None:
    insert_document(system.source, "500001", lines=[("10002", "1", "7.00", "7.00")])
    posted(system)
    refreshed(system, "OTHER-SYSTEM-1")
    assert closed(system) == {
        "500001": (
            "DELETED_IN_NETSUITE",
            "It is not in NetSuite any more. Its internal id 1 is OTHER-SYSTEM-1 there: somebody else's, or its "
            "external id and more of it were changed.",
        )
    }
    assert "refreshed" in CAUSES["DELETED_IN_NETSUITE"].to_do


def test_nor_one_that_is_dated_in_another_month(system: System) -> None:
    insert_document(system.source, "500001", lines=[("10002", "1", "7.00", "7.00")])
    posted(system)
    refreshed(system, "OTHER-SYSTEM-1", day="2010-12-24")
    ((cause, what),) = closed(system).values()
    assert cause == "DELETED_IN_NETSUITE"
    assert "OTHER-SYSTEM-1" in what


def test_the_close_finds_ours_by_its_external_id_wherever_it_is_by_now(system: System) -> None:
    posted(system, "500001")  # alone: internal id 1
    posted(system, "500002")
    system.account.fresh()
    unknown_transaction(system.account, "INV-500002")
    unknown_transaction(system.account, "INV-500001")
    assert {number: cause for number, (cause, _) in closed(system).items()} == {
        "500001": "ID_DIFFERS",
        "500002": "ID_DIFFERS",
    }, "each by its name, and none by the other's number"
    system.account.fresh()
    unknown_transaction(system.account, "INV-500002")
    unknown_transaction(system.account, "INV-500001")
    system.change_in_netsuite("invoice/eid:INV-500001", {"tranDate": "2010-12-01"})
    assert closed(system)["500001"][0] == "DATED_ELSEWHERE"


def test_a_credit_memo_is_never_applied_to_the_invoice_that_has_its_invoices_number_by_now(system: System) -> None:
    posted(system, "500001")
    refreshed(system, "OTHER-SYSTEM-1")
    apply_credit(system.source, insert_document(system.source, "C500002", kind="credit_memo"), "500001")
    assert system.stage().success
    for key in system.planned():
        system.post(key)
    assert system.states() == {"500001": "posted", "C500002": "held"}
    (row,) = system.state.execute("select findings from billing.staged_invoices where number = 'C500002'").fetchall()
    (found,) = row["findings"]
    assert found["code"] == "CREDIT_TARGET_UNKNOWN"
    assert "internal id 1, under which invoice 500001 was posted, is another transaction by now" in found["message"]
    (stranger,) = system.account.rows("SELECT foreignamountunpaid FROM transaction")
    assert float(stranger["foreignamountunpaid"]) == 10


def test_a_void_is_not_credited_where_the_invoices_number_is_anothers_by_now(billing: Machine, system: System) -> None:
    first = insert_document(system.source, "500001")
    posted(system)
    void_document(system.source, first)
    assert system.stage().success
    refreshed(system, "OTHER-SYSTEM-1")
    said = billing("voids", "confirm", "500001", *BY)
    complete(said, 2, ["500001 is deleted in NetSuite, too", "internal id 1, which is OTHER-SYSTEM-1 by now"])
