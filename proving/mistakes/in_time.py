"""Mistakes in time: a backup is put back, and documents appear with dates of long ago."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from billing_assets.erp.billing_system.resource import BillingSystem
from proving.mistakes.world import World
from proving.world.backups import dump
from proving.world.builders import (
    ITEM,
    OTHER_ITEM,
    apply_credit,
    change_document,
    change_line,
    delete_document,
    insert_document,
    open_for_writing,
)
from proving.world.command import complete
from proving.world.system import why

_INVOICE, _MEMO, _RENUMBERED, _DELETED, _CHANGED = "700001", "C700002", "700003", "700004", "700005"
_EARLIER = "2010-10"


def restored_backup(world: World) -> str:
    """A dump, a day's work, the dump put back: NetSuite and the journal know what the database forgot."""
    system = world.system
    world.fill(world.documents // 2)
    insert_document(system.source, "400001", document_date=date(2010, 10, 5))
    insert_document(system.source, _INVOICE, lines=[(ITEM, "1", "100.00", "100.00")])
    world.work()
    backup = dump(system.runtime.database_url, world.folder / "billing.dump")
    work_on(world)
    last = world.sent()
    world.restore(backup)
    nothing_before_a_person_said_so(world, last)
    world.decides("restore", "confirm-transactions", says=["are confirmed"])
    world.work()
    adopted(world)
    world.closes()
    return "nothing is sent before the list is confirmed; what was renumbered is held (`MAY_BE_IN_NETSUITE`)"


def work_on(world: World) -> None:
    """What happens after the backup: posting, a close for good, and changes of what was posted."""
    source = world.system.source
    world.fill(world.documents - world.filled)
    insert_document(source, "400002", document_date=date(2010, 10, 6))  # of the month that is then closed for good
    memo = insert_document(source, _MEMO, kind="credit_memo", lines=[(ITEM, "-1", "80.00", "-80.00")])
    apply_credit(source, memo, _INVOICE)
    amounts = {_RENUMBERED: "31.00", _DELETED: "41.00", _CHANGED: "51.00"}
    documents = {
        number: insert_document(source, number, lines=[(ITEM, "1", amount, amount)])
        for number, amount in amounts.items()
    }
    world.work()
    world.note()
    world.closes(_EARLIER)
    change_document(source, documents[_RENUMBERED], number=f"{_RENUMBERED}0")
    delete_document(source, documents[_DELETED])
    change_line(source, documents[_CHANGED], stock_code=OTHER_ITEM)


def nothing_before_a_person_said_so(world: World, last: int) -> None:
    """The start after the restore: the close comes back, and runs send nothing."""
    complete(world.billing("close", "history"), 0, [_EARLIER, "from the journal", "Ada"])
    world.stage()
    results = world.round()
    assert results
    assert world.sent() == last, "something was sent before a person confirmed"
    assert all("this database never sent" in why(one) for one in results)
    complete(world.billing("restore", "transactions"), 0, [f"INV-{_DELETED}", "none has this name"])


def adopted(world: World) -> None:
    """What NetSuite has is taken over as it is there; what cannot be told is held, and a person says what it is."""
    memo = world.row(_MEMO)
    assert (memo["state"], memo["difference"]) == ("posted", None)
    assert [(invoice, Decimal(amount)) for invoice, amount in memo["applied"]] == [(_INVOICE, Decimal(80))]
    renumbered = world.row(f"{_RENUMBERED}0")
    assert (renumbered["state"], renumbered["findings"][0]["code"]) == ("held", "MAY_BE_IN_NETSUITE")
    assert world.state_of(_CHANGED) == "differs"
    there = world.held()
    world.decides("restore", "match", there[f"INV-{_RENUMBERED}"], f"{_RENUMBERED}0")
    world.decides("restore", "separate", there[f"INV-{_DELETED}"])
    world.decides("differs", "accept", _CHANGED)
    world.work()
    assert world.row(f"{_RENUMBERED}0")["external_id"] == f"INV-{_RENUMBERED}"


def late_insert(world: World) -> str:
    """Rows appear with creation dates of weeks before the watermark: an import, a transaction that stays open while
    staging runs, a row that is restored."""
    system = world.system
    long_ago = datetime.now(UTC) - timedelta(weeks=3)
    world.fill(world.documents - 20)
    world.work()
    # An import, and a transaction that began before it and is not through yet
    with open_for_writing(system.runtime.of(BillingSystem).url) as slow, slow.transaction():
        for n in range(9):
            insert_document(slow, f"71000{n}", created_at=long_ago)
        for n in range(10):
            insert_document(system.source, f"72000{n}", created_at=long_ago, document_date=date(2010, 11, 6))
        world.work()
        assert {world.state_of(f"72000{n}") for n in range(10)} == {"posted"}
        assert "710000" not in system.states()
    world.work()
    assert {world.state_of(f"71000{n}") for n in range(9)} == {"posted"}
    # A row goes and is put back
    row = insert_document(system.source, "730000", status="open", created_at=long_ago)
    world.stage()
    delete_document(system.source, row)
    world.stage()
    assert world.state_of("730000") == "gone"
    insert_document(system.source, "730000", id=row, created_at=long_ago)
    world.work()
    assert world.state_of("730000") == "posted"
    world.note()
    world.closes()
    return "staged by the next staging, as their month's count or total differs, and posted"
