"""Mistakes in what our database belongs to: another account and host, another prefix of external ids."""

import pytest

from billing_assets.foundation.runtime import BoundElsewhereError
from proving.mistakes.world import World
from proving.world.command import netsuite_variables
from proving.world.system import (
    OTHERS,
    PERIOD,
    System,
    at,
    losing_answers,
    unknown_transaction,
    why,
)


def half_posted(world: World) -> str:
    """Half of a backlog is posted, but for one document whose answer was lost; the rest is staged. Its batch."""
    world.fill(world.documents // 2)
    world.stage()
    (key,) = world.system.planned()
    with losing_answers(world.system, "INV-500000"):
        world.system.post(key)
    assert world.system.states()["500000"] == "posting"
    world.fill(world.documents - world.filled)
    world.stage()
    return key


def refused_by_all_runs(world: World, system: System, key: str, words: list[str]) -> None:
    """Neither a run nor a sensor works under these settings, and each says why in these words."""
    before = world.sent()
    for job, partition in (("stage_invoices", None), ("post_batch", key), ("close_month", PERIOD)):
        said = why(system.run(job, partition))
        assert all(one in said for one in words), (job, said)
    for sensor in ("plan_batches", "stage_when_closed"):
        with pytest.raises(BoundElsewhereError) as refused:
            system.look(sensor)
        assert all(one in str(refused.value) for one in words), sensor
    assert world.sent() == before


def other_account(world: World) -> str:
    """Half of a backlog is posted, an answer is lost, and the settings name another company's account and host."""
    key = half_posted(world)
    ours = f"belongs to NetSuite account {world.here.sandbox.credentials.account} at"
    words = [ours, f"the settings name {OTHERS} at {world.other.sandbox.base_url.partition('//')[2]}"]
    elsewhere = world.system.changed(netsuite=at(world.other.sandbox))
    refused_by_all_runs(world, elsewhere, key, words)
    there = netsuite_variables(world.other.sandbox, account=OTHERS)
    world.refuses(words, "run", "--period", PERIOD, **there)
    reached = world.other.account.admin("requests")["operations"]
    assert reached == {}, f"the other account was asked: {reached}"
    world.doctor([f"FAIL What it belongs to: This database {ours}", OTHERS], **there)
    assert world.other.account.admin("summary")["posts"]["received"] == 0
    world.does("set the right account again")
    world.work()
    world.note()
    world.closes()
    return "start, doctor, runs and sensors name both accounts; 0 requests reach the other one but those of doctor"


def new_prefix(world: World) -> str:
    """Half of a backlog is posted, and the mapping's prefix changes."""
    key = half_posted(world)
    changed = world.mapped("renamed", replace={"invoice: INV-": "invoice: RE-"})
    mapping = {"BILLING_MAPPING": str(changed.runtime.settings.mapping)}
    words = ["External ids of kind invoice begin with INV- here, and the mapping says RE-"]
    refused_by_all_runs(world, changed, key, words)
    world.refuses(words, "run", "--period", PERIOD, **mapping)
    world.doctor([f"FAIL What it belongs to: {words[0]}"], **mapping)
    said = "an answer about them may still be out"
    world.refuses(["posting documents", said], "move", "prefix", "--by", "Ada", "--why", "too early", **mapping)
    world.until(lambda: not world.round() and not world.on_its_way())  # under the old one, it is looked up and found
    world.fill(10)
    world.decides("move", "prefix", says=["from INV- and CM- to RE- and CM-"], **mapping)
    world.system = changed
    world.prefixes = {"RE-": "INV-"}
    world.work()
    world.note()
    names = {name.partition("-")[0] for name in world.held()}
    assert names == {"INV", "CM", "RE"}, "what was sent keeps its name, what was not has the new one"
    unknown_transaction(world.here.account, "INV-999999")
    world.close_refused(["1 documents differ", "INV-999999"])
    world.does("deleted in NetSuite what somebody had entered by hand under the old prefix")
    world.system.delete_in_netsuite("invoice/eid:INV-999999")
    world.closes()
    return (
        "start, doctor, runs and sensors name both prefixes; a foreign invoice under the old one is seen by the close"
    )
