"""Mistakes about what is in NetSuite: changed there before its answer was known, or sent under a wrong id."""

from billing_assets.erp.netsuite.proof_store import note_proven
from billing_assets.erp.netsuite.resource import NetSuite
from proving.mistakes.world import World
from proving.world.builders import change_document, insert_document, void_document
from proving.world.command import complete
from proving.world.system import System, losing_answers

CENT, CUSTOMER, AS_SENT, RENUMBERED, REISSUED = (str(number) for number in range(700_001, 700_006))
"""Invoices whose answer is lost: changed by a cent, given to another customer, left alone, and two changed by a cent
that the billing system then renumbers and issues again."""
_NEW_ID = "990001"


def landed_but_different(world: World) -> str:
    """Answers are lost, and what landed is changed in NetSuite before it is looked up; then mapping and source change,
    too."""
    system = world.system
    world.fill(world.documents)
    world.work()
    all_lost = (CENT, CUSTOMER, AS_SENT, RENUMBERED, REISSUED)
    documents = {number: insert_document(system.source, number) for number in all_lost}
    world.note()
    world.stage()
    with losing_answers(system, *(f"INV-{number}" for number in documents)):
        world.round()
    assert {world.state_by_id(one) for one in documents.values()} == {"posting"}
    for number in (CENT, RENUMBERED, REISSUED):
        a_cent_more(system, number)
    system.change_in_netsuite(f"invoice/eid:INV-{CUSTOMER}", {"entity": {"id": "1002"}})
    moved = customer_moved(world)
    change_document(system.source, documents[RENUMBERED], number=f"{RENUMBERED}0")
    void_document(system.source, documents[REISSUED])
    again = insert_document(system.source, REISSUED)
    world.work(moved)
    states = {number: world.state_by_id(one) for number, one in documents.items()}
    different = {CENT, CUSTOMER, RENUMBERED, REISSUED}
    assert {number for number, state in states.items() if state == "differs"} == different, f"we say {states}"
    assert states[AS_SENT] == "posted", "compared with what was sent, and not with the mapping of today"
    assert world.state_by_id(again) == "held", "NetSuite has its number"
    complete(world.billing("held", "--code", "DUPLICATE_NUMBER"), 0, ["1 held documents", REISSUED])
    world.does("put the mapping's customer back")
    world.does("gave the invoice that was issued again a number of its own")
    change_document(system.source, again, number=f"{REISSUED}0")
    world.work()
    said = world.close_refused(
        [f"{len(different)} documents differ", "instead of 10.00", "entity 1002 instead of 1001"]
    )
    assert "delete it" not in said.words.replace("do not delete it", ""), "no advice makes it worse"
    assert "It is ours: do not delete it" in said.words
    listed = world.billing("differs", "list").words
    assert all(number in listed for number in different)
    decide(world)
    world.note()
    del world.should[f"INV-{RENUMBERED}0"]  # it is there, under the number that it was sent with
    world.answered |= {f"INV-{number}" for number in (CENT, RENUMBERED, REISSUED)}
    world.work()
    world.closes()
    return "held back as `differs`, by number and with both values, by runs, `billing differs list` and the close"


def decide(world: World) -> None:
    """Each way out once."""
    system = world.system
    world.decides("differs", "accept", CENT)
    world.does("corrected one in NetSuite")
    system.change_in_netsuite(f"invoice/eid:INV-{CUSTOMER}", {"entity": {"id": "1001"}})
    checked = world.billing("differs", "check")
    complete(checked, 1, ["1 no longer differ", "2 documents differ"])
    world.does("`billing differs check`")
    world.decides("differs", "accept", RENUMBERED)
    world.decides("close", "accept", RENUMBERED)
    world.does("voided one in NetSuite")
    system.void_in_netsuite(f"INV-{REISSUED}")
    world.decides("differs", "credited", REISSUED)
    world.decides("voids", "decline", REISSUED)


def a_cent_more(system: System, number: str) -> None:
    """Somebody corrects the tax of an invoice over 10.00 in NetSuite."""
    lines = {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 10.01}]}
    system.change_in_netsuite(f"invoice/eid:INV-{number}", {"item": lines})


def customer_moved(world: World) -> System:
    """NetSuite has the customer of our documents once more, and somebody maps our number to that record."""
    record = {"id": _NEW_ID, "externalId": None, "name": "12346"}
    assert world.here.account.seed({"customer": [record]}).ok
    moved = world.mapped("moved customer")
    table = moved.runtime.settings.mapping.parent / "sample" / "customers.csv"
    text = table.read_text(encoding="utf-8")
    assert "12346,1001" in text
    table.write_text(text.replace("12346,1001", f"12346,{_NEW_ID}"), encoding="utf-8")
    return moved


def wrong_currency_id(world: World) -> str:
    """EUR has the id of GBP in the mapping. An earlier version, which asked nobody, sent some; today's sends none."""
    pounds = 'GBP: {id: "1", minor_digits: 2}'
    wrong = world.mapped("wrong", replace={pounds: pounds.replace("GBP", "EUR")})
    right = world.mapped("right", replace={pounds: 'EUR: {id: "4", minor_digits: 2}'})
    system = world.system
    before = [insert_document(system.source, f"70000{n}", currency="EUR") for n in range(2)]
    note_proven(system.state, world.here.sandbox.base_url, wrong.runtime.of(NetSuite).mapping.digest, {})
    world.work(wrong)  # as a version did that believed the mapping
    system.state.execute("delete from billing.proven_mappings")
    assert world.sent() == len(before)
    world.note()
    world.fill(world.documents)
    system.source.execute("update invoices set currency = 'EUR' where currency <> 'EUR'")
    world.stage(wrong)
    both = "currency 'EUR' has id 1, which is 'GBP' in NetSuite"
    results = world.round(wrong)
    assert results
    assert world.sent() == len(before), "nothing was sent"
    assert all(not one.success for one in results)
    world.system = wrong
    world.doctor(["FAIL References in NetSuite", both])
    world.does("corrected the id in the mapping")
    world.system = right
    world.doctor(["ok References in NetSuite"])
    world.work()
    said = world.close_refused([f"{len(before)} documents differ", "NetSuite has GBP instead of EUR"])
    assert "700000" in said.words
    assert "700001" in said.words
    reissue(world, before)
    world.work()
    world.note()
    world.closes()
    return "batches and doctor name both currencies, 0 sent; the close names what an earlier version had sent"


def reissue(world: World, documents: list[str]) -> None:
    """What was sent in the wrong currency is voided on both sides and issued again."""
    source = world.system.source
    for n, document in enumerate(documents):
        world.system.void_in_netsuite(f"INV-70000{n}")
        void_document(source, document)
        insert_document(source, f"71000{n}", currency="EUR")
    world.does("voided those in NetSuite and in the billing system, and issued them again")
    world.stage()
    for n in range(len(documents)):
        world.decides("voids", "decline", f"70000{n}")
        world.answered.add(f"INV-70000{n}")
