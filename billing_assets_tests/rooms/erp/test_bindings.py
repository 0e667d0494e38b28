"""A database belongs to one account, one environment and the databases of its sources: with others nothing is sent,
nothing is looked up and nothing is staged, until a person moves it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from billing_assets.decisions.store import Subject as Decided
from billing_assets.decisions.store import recorder
from billing_assets.erp import bindings
from billing_assets.erp.batches.ledger import DOCUMENTS, lease_policy
from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.erp.bindings import MoveRefusedError, Subject
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.sink import netsuite_sink, run_policy
from billing_assets.erp.settings import SourceSettings
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import BoundElsewhereError
from billing_assets.operations import sample
from billing_assets.posting.lease import holding
from billing_assets.posting.run import post_through_outages
from billing_assets.sandbox.netsuite.process import RunningSandbox, start_sandbox
from proving.world.account import Account
from proving.world.builders import insert_document
from proving.world.command import Said, call, complete, netsuite_variables
from proving.world.system import OTHERS, System, at, losing_answers, why
from proving.world.world import seeded

OURS = "TSTDRV1234567"


@pytest.fixture(scope="module")
def other_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Another company's NetSuite."""
    with start_sandbox(tmp_path_factory.mktemp("other netsuite")) as running:
        yield running


@pytest.fixture
def other(other_sandbox: RunningSandbox) -> Account:
    """Its account, with all that the mapping refers to, and empty."""
    account = seeded(other_sandbox)
    account.fresh()
    return account


def posted(system: System, *numbers: str) -> None:
    """Documents that are in our account."""
    for number in numbers:
        insert_document(system.source, number)
    assert system.stage().success
    for key in system.planned():
        assert system.post(key).success


def lost_answer(system: System, number: str) -> str:
    """A document that NetSuite has, and whose answer was lost; SuiteQL does not show it yet. Its batch."""
    insert_document(system.source, number)
    assert system.stage().success
    (key,) = system.planned()
    with losing_answers(system, f"INV-{number}"):
        assert not system.post(key).success
    assert system.states()[number] == "posting"
    return key


def untouched(account: Account) -> bool:
    """Whether nothing was sent to an account."""
    return bool(account.admin("summary")["posts"]["received"] == 0)


def test_in_another_account_a_lost_answer_is_not_proven_absent_and_nothing_is_sent(
    system: System, other_sandbox: RunningSandbox, other: Account
) -> None:
    """The scenario `other_account`: there it was proven absent and sent again, and back home nothing re-posted it."""
    key = lost_answer(system, "500001")
    insert_document(system.source, "500002")
    elsewhere = system.changed(netsuite=at(other_sandbox))
    for job, partition in (
        ("stage_invoices", None),
        ("post_batch", key),
        ("close_month", "2010-11"),
        ("age_receivables", None),
    ):
        said = why(elsewhere.run(job, partition))
        assert f"belongs to NetSuite account {OURS} at 127.0.0.1:" in said, job
        assert f"the settings name {OTHERS} at {other_sandbox.base_url.partition('//')[2]}" in said, job
    assert system.states() == {"500001": "posting"}
    assert untouched(other)
    assert system.post(key).success, "back home it is looked up and found"
    posted(system)
    assert system.states() == {"500001": "posted", "500002": "posted"}
    assert system.account.admin("summary")["posts"]["created"] == 2


@pytest.mark.parametrize("what", ["account", "base_url"])
def test_another_account_or_another_address_alone_is_refused_too(
    system: System, other_sandbox: RunningSandbox, other: Account, what: str
) -> None:
    posted(system, "500001")
    changed = at(other_sandbox)
    kept = {name: value for name, value in changed.items() if (what == "account" and name == what) or what != "account"}
    elsewhere = system.changed(netsuite=kept | ({"account": OURS} if what == "base_url" else {}))
    insert_document(system.source, "500002")
    assert not elsewhere.stage().success
    assert untouched(other)


def test_a_run_that_is_past_its_start_still_sends_nothing_elsewhere(
    system: System, other_sandbox: RunningSandbox, other: Account
) -> None:
    """As run processes without Dagster do it: the core itself compares."""
    key = lost_answer(system, "500001")
    found = system.changed(netsuite=at(other_sandbox)).runtime
    sink = netsuite_sink(found.of(NetSuite).client, found.of(NetSuite).mapping, found.settings)
    with (
        found.state() as connection,
        holding(
            found.database_url, connection, DOCUMENTS, key, "run-9", lease_policy(found.settings), retry_rejected=False
        ) as lease,
        found.of(NetSuite).lanes() as lanes,
        pytest.raises(BoundElsewhereError, match=OTHERS),
    ):
        post_through_outages(found.database_url, sink, lanes, lease, run_policy(found.settings))
    assert system.states() == {"500001": "posting"}
    assert untouched(other)
    assert system.post(key).success


def test_sensors_neither_plan_nor_ask_for_runs_elsewhere(system: System, other_sandbox: RunningSandbox) -> None:
    posted(system, "500001")
    insert_document(system.source, "500002")
    assert system.stage().success
    elsewhere = system.changed(netsuite=at(other_sandbox))
    for sensor in ("plan_batches", "stage_when_closed"):
        with pytest.raises(BoundElsewhereError, match="belongs to NetSuite account"):
            elsewhere.look(sensor)
    assert system.states() == {"500001": "posted", "500002": "ready"}


def test_the_first_attempt_binds_and_nothing_before_it(system: System, other_sandbox: RunningSandbox) -> None:
    insert_document(system.source, "500001")
    assert system.changed(netsuite=at(other_sandbox)).stage().success, "nothing was sent yet"
    (key,) = system.planned()
    assert [one.subject for one in bindings.entries(system.state)] == [Subject.SOURCE]
    assert system.post(key).success
    found = {(one.subject, one.name): one.value for one in bindings.entries(system.state)}
    assert found.pop((Subject.SOURCE, "billing")).startswith("postgresql ")
    assert found == {
        (Subject.ACCOUNT, ""): OURS,
        (Subject.HOST, ""): system.account.base_url.partition("//")[2],
        (Subject.ENVIRONMENT, ""): "dev",
        (Subject.PREFIX, "invoice"): "INV-",
        (Subject.PREFIX, "credit_memo"): "CM-",
    }


def clerk(state: Connection) -> bindings.Decide:
    """A person who decides."""
    return recorder(state, Decided.BINDING, "anna", "moved")


def test_production_settings_on_the_database_of_dev_are_refused(system: System) -> None:
    posted(system, "500001")
    said = why(system.changed(env="prod").stage())
    assert "belongs to the environment dev, and BILLING_ENV is prod" in said


def test_a_production_account_outside_of_prod_needs_a_decision_before_the_first_attempt(system: System) -> None:
    insert_document(system.source, "500001")
    production = system.changed(netsuite={"account": "1234567"})
    assert "1234567 is a production account, and BILLING_ENV is dev" in why(production.stage())
    named = production.runtime.of(NetSuite).named()
    assert bindings.move(system.state, Subject.ENVIRONMENT, named, clerk(system.state)).changed
    assert production.stage().success
    assert "production account" in (bindings.loud(named) or ""), "and the doctor goes on saying it"


# The source


def test_another_billing_database_is_refused_with_both_and_what_to_do(system: System, state_url: str) -> None:
    posted(system, "500001")
    url = make_url(system.runtime.of(BillingSystem).url)
    wrong = system.runtime.settings.of(SourceSettings).model_copy(
        update={"url": SecretStr(url.set(database="postgres").render_as_string(hide_password=False))}
    )
    elsewhere = system.changed(source=wrong)
    said = why(elsewhere.stage())
    assert f"/{url.database}, and BILLING_SOURCE__URL leads to postgresql" in said
    assert "/postgres. Nothing was staged." in said
    assert str(url.password) not in said
    assert system.states() == {"500001": "posted"}, "nothing is gone"
    with pytest.raises(BoundElsewhereError):
        elsewhere.look("stage_when_closed")


def test_the_same_server_under_another_name_is_the_same_database(system: System) -> None:
    posted(system, "500001")
    url = make_url(system.runtime.of(BillingSystem).url).set(host="localhost").render_as_string(hide_password=False)
    source = system.runtime.settings.of(SourceSettings).model_copy(update={"url": SecretStr(url)})
    assert system.changed(source=source).stage().success


def test_a_source_under_another_name_is_refused(system: System) -> None:
    posted(system, "500001")
    renamed = system.runtime.settings.of(SourceSettings).model_copy(update={"name": "billing2"})
    said = why(system.changed(source=renamed).stage())
    assert "and BILLING_SOURCE__NAME is billing2" in said
    assert len(system.states()) == 1


def test_a_confirmed_database_needs_no_second_confirmation(system: System) -> None:
    one, two = "postgresql 1/billing", "postgresql 2/billing"
    bindings.bind_source(system.state, "billing", one, "run-1")
    with pytest.raises(BoundElsewhereError, match=r"postgresql 1/billing, and .* leads to postgresql 2/billing"):
        bindings.compare_source(system.state, "billing", two)
    assert bindings.move_source(system.state, "billing", two, clerk(system.state)) == (one, two, True)
    for back in (one, two, one):
        bindings.compare_source(system.state, "billing", back)
        assert not bindings.move_source(system.state, "billing", back, clerk(system.state)).changed
    assert len(bindings.entries(system.state)) == 2


# A deliberate move


class Machine:
    """The command on a test's whole system, with other settings where they are given."""

    def __init__(self, capsys: pytest.CaptureFixture[str], system: System, sandbox: RunningSandbox) -> None:
        self.capsys = capsys
        self.variables = netsuite_variables(sandbox) | {
            "BILLING_HOME": str(system.runtime.settings.home),
            "BILLING_DATABASE_URL": system.runtime.database_url,
            "BILLING_SOURCE__URL": system.runtime.of(BillingSystem).url,
        }

    def __call__(self, *arguments: str, **changes: str) -> Said:
        return call(self.capsys, self.variables | changes, *arguments)


@pytest.fixture
def billing(capsys: pytest.CaptureFixture[str], system: System, sandbox: RunningSandbox) -> Machine:
    return Machine(capsys, system, sandbox)


BY = ("--by", "anna", "--why", "the company moved")


def test_an_account_is_moved_with_a_name_and_a_reason_and_once(
    billing: Machine, system: System, other_sandbox: RunningSandbox, other: Account
) -> None:
    posted(system, "500001")
    there = netsuite_variables(other_sandbox, account=OTHERS)
    complete(billing("requeue", **there), 2, [f"belongs to NetSuite account {OURS}", OTHERS, "billing move account"])
    complete(billing("move", "account", "--by", " ", "--why", "x", **there), 2, ["--by and --why must say something"])
    said = billing("move", "account", *BY, **there)
    complete(said, 0, [f"Moved: account from {OURS} at", f"to {OTHERS} at", "anna", "nothing is posted again"])
    assert "belongs to" not in said.words, "what is being moved is no warning"
    complete(billing("move", "account", *BY, **there), 0, ["It is there already", "Nothing was changed"])
    complete(billing("move", "list", **there), 0, [OURS, OTHERS, "anna", "the company moved"])
    complete(billing("requeue"), 2, [f"belongs to NetSuite account {OTHERS}"])
    elsewhere = system.changed(netsuite=at(other_sandbox))
    insert_document(system.source, "500002")
    posted(elsewhere)
    assert other.admin("summary")["posts"]["created"] == 1, "the new one, and not the old one again"


def test_after_a_move_what_the_other_account_has_under_our_names_is_noticed_before_anything_is_sent(
    billing: Machine, system: System, other_sandbox: RunningSandbox, other: Account
) -> None:
    """Its internal ids are lower than those that were seen in ours."""
    other.created(
        {
            "externalId": "INV-900000",
            "entity": {"id": "1002"},
            "subsidiary": {"id": "1"},
            "tranDate": "2010-11-05",
            "currency": {"id": "1"},
            "item": {"items": [{"item": {"id": "101"}, "quantity": 1, "rate": 5, "amount": 5}]},
        }
    )
    posted(system, "500001")
    system.state.execute("update billing.netsuite_looks set seen_through = 1000000, seen = 1000000")
    complete(billing("move", "account", *BY, **netsuite_variables(other_sandbox, account=OTHERS)), 0, ["Moved"])
    elsewhere = system.changed(netsuite=at(other_sandbox))
    insert_document(system.source, "600000")
    assert elsewhere.stage().success
    (key,) = elsewhere.planned()
    assert "never sent (1)" in why(elsewhere.post(key))
    assert other.admin("summary")["posts"]["created"] == 1, "the other's own"


def test_a_move_that_cannot_leave_the_old_account_moves_nothing(system: System) -> None:
    def fails(_: Connection) -> None:
        raise LookupError

    posted(system, "500001")
    named = replace(system.runtime.of(NetSuite).named(), account=OTHERS, host="127.0.0.1:1")
    with pytest.raises(LookupError):
        bindings.move(system.state, Subject.ACCOUNT, named, clerk(system.state), leave=fails)
    bindings.compare(system.state, system.runtime.of(NetSuite).named())


def test_a_move_waits_for_answers_that_may_still_be_out(
    billing: Machine, system: System, other_sandbox: RunningSandbox
) -> None:
    key = lost_answer(system, "500001")
    there = netsuite_variables(other_sandbox, account=OTHERS)
    complete(billing("move", "account", *BY, **there), 2, ["1 posting documents", "may still be out", "billing status"])
    assert system.post(key).success
    complete(billing("move", "account", *BY, **there), 0, ["Moved: account"])


def test_a_run_that_has_its_batch_keeps_a_move_away_and_one_that_comes_later_sees_it(system: System) -> None:
    insert_document(system.source, "500001")
    assert system.stage().success
    (key,) = system.planned()
    named = system.runtime.of(NetSuite).named()
    bindings.bind(system.state, named, "run-1")
    moved = bindings.Named(OTHERS, "127.0.0.1:1", "dev", named.prefixes)
    assert system.post(key, assets=["locked_batches"]).success
    with pytest.raises(MoveRefusedError, match="1 locked documents"):
        bindings.move(system.state, Subject.ACCOUNT, moved, clerk(system.state))
    assert system.post(key).success
    bindings.move(system.state, Subject.ACCOUNT, moved, clerk(system.state))
    with pytest.raises(BoundElsewhereError, match=OTHERS):
        bindings.bind(system.state, named, "run-2")


def test_what_only_reads_works_and_says_it(billing: Machine, system: System, other_sandbox: RunningSandbox) -> None:
    posted(system, "500001")
    there = netsuite_variables(other_sandbox, account=OTHERS)
    for command in (("status",), ("held",), ("rejected",), ("waiting",)):
        complete(billing(*command, **there), 0, [f"belongs to NetSuite account {OURS}"])
    said = billing("preview", "--number", "500001", **there)
    complete(said, 1, ["Nothing is sent of it now", f"belongs to NetSuite account {OURS}"])
    assert billing("status", "--json", **there).out.startswith("{")
    for command in (("init",), ("unlock",), ("receivables",), ("retention",)):
        complete(billing(*command, **there), 2, [f"belongs to NetSuite account {OURS}", OTHERS])


def test_the_doctor_says_what_the_database_belongs_to_and_fails_elsewhere(
    billing: Machine, system: System, other_sandbox: RunningSandbox
) -> None:
    posted(system, "500001")
    good = "ok What it belongs to: TSTDRV1234567 at 127.0.0.1:"
    assert good in billing("doctor").words
    there = netsuite_variables(other_sandbox, account=OTHERS)
    complete(billing("doctor", **there), 1, ["FAIL What it belongs to: This database belongs to NetSuite account"])
    url = make_url(system.runtime.of(BillingSystem).url).set(database="postgres").render_as_string(hide_password=False)
    complete(
        billing("doctor", BILLING_SOURCE__URL=url), 1, ["FAIL What it belongs to: The source billing is the database"]
    )
    complete(billing("move", "source", *BY, BILLING_SOURCE__URL=url), 0, ["Moved: source billing from postgresql"])
    assert good in billing("doctor", BILLING_SOURCE__URL=url).words
    assert good in billing("doctor").words, "the first one stays confirmed"


def test_without_an_account_what_needs_none_works(billing: Machine, system: System, tmp_path: Path) -> None:
    posted(system, "500001")
    del billing.variables["BILLING_NETSUITE__ACCOUNT"]
    for command in (("status",), ("held",), ("requeue",)):
        complete(billing(*command), 0, [])
    complete(billing("receivables"), 2, ["BILLING_NETSUITE__ACCOUNT is not set", "There is no default"])
    nowhere = system.changed(netsuite={"account": None})
    insert_document(system.source, "500002")
    assert nowhere.stage().success
    (key,) = system.planned()
    assert not nowhere.post(key).success
    assert system.states()["500002"] == "batched"


def test_the_samples_own_sandbox_is_the_same_one_whatever_its_port(system: System, sandbox: RunningSandbox) -> None:
    """It takes a free port at each start; any other host of the account stays refused."""
    found, address = system.runtime, sandbox.base_url.partition("//")[2]
    named = found.of(NetSuite).named()
    sample.follow_sandbox(found, sandbox)
    assert bindings.entries(system.state) == [], "nothing is bound before the first attempt"
    bindings.bind(system.state, replace(named, host="127.0.0.1:1"), "run-1")
    sample.follow_sandbox(found, sandbox)
    bindings.compare(system.state, named)
    sample.follow_sandbox(found, sandbox)
    assert [one.value for one in bindings.entries(system.state) if one.subject == Subject.HOST] == [
        "127.0.0.1:1",
        address,
    ]
    real = replace(named, account="TSTDRV7654321", host="tstdrv7654321.suitetalk.api.netsuite.com")
    bindings.move(system.state, Subject.ACCOUNT, real, clerk(system.state))
    sample.follow_sandbox(found, sandbox)
    with pytest.raises(BoundElsewhereError, match="tstdrv7654321"):
        bindings.compare(system.state, named)


def test_an_environment_is_moved_on_the_record_too(billing: Machine, system: System) -> None:
    posted(system, "500001")
    complete(billing("unlock", BILLING_ENV="qa"), 2, ["environment dev, and BILLING_ENV is qa", "move environment"])
    complete(billing("move", "environment", *BY, BILLING_ENV="qa"), 0, ["Moved: environment from dev to qa", "anna"])
    complete(billing("unlock", BILLING_ENV="qa"), 0, [])
    complete(billing("move", "environment", *BY, BILLING_ENV="qa"), 0, ["It is there already: environment qa"])
