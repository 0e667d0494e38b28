"""The nightly run, as Dagster starts it."""

from proving.world.builders import insert_document
from proving.world.system import System


def test_the_nightly_run_keeps_what_is_new_and_a_batch_can_be_posted_after_it(system: System) -> None:
    insert_document(system.source, "500001")
    insert_document(system.source, "500002")
    system.refuse("INV-500002")
    assert system.stage().success
    (key,) = system.planned()
    assert not system.post(key).success
    runs = {run.run_id for run in system.instance.get_runs()}
    assert system.run("archive_old_runs").success
    assert runs <= {run.run_id for run in system.instance.get_runs()}
    system.refuse()
    assert system.post(key).success
    assert set(system.states().values()) == {"posted"}
