"""What a mistake is made on: a billing system, our database and a sandbox, the commands that a person types, and the
count at the sandbox."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
from pydantic import SecretStr

from billing_assets.erp.billing_system.resource import BillingSystem
from billing_assets.foundation.dagster_helpers.runs import ASKED_BY
from billing_assets.foundation.sections import BatchSettings
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.kills.counting import Count, compare, expected
from proving.kills.world import FIRST, fill
from proving.world.account import Account
from proving.world.backups import restored
from proving.world.builders import staged
from proving.world.command import Said, complete, netsuite_variables, typed
from proving.world.mappings import edited
from proving.world.system import PERIOD, System, why

BY = ("--by", "Ada", "--why", "we looked at it together")
_SECONDS = 300.0
_LOOK_SECONDS = 0.05


class Place(NamedTuple):
    """A NetSuite: its process, and its account with all that the mapping refers to."""

    sandbox: RunningSandbox
    account: Account


@dataclass
class World:
    """One system, and what is done to it. `other` is another company's NetSuite.

    `should` is what NetSuite should hold, by external id under the shipped prefixes, as the billing system had it when
    it was billed; `answered` are those that a person changed in NetSuite and answers for; `prefixes` the further ones
    that are in use, and what each stands for. `person` carries out a command with its variables and arguments; `did`
    collects those by which a person decided.
    """

    server_url: str
    system: System
    here: Place
    other: Place
    folder: Path
    documents: int
    stack: ExitStack
    person: Callable[..., Said] = typed
    should: dict[str, dict[str, Any]] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    prefixes: dict[str, str] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)
    filled: int = 0

    # The billing system

    def fill(self, documents: int) -> None:
        """So many more documents are closed: invoices, and a tenth credit memos."""
        fill(self.system.source, documents, FIRST + self.filled)
        self.filled += documents

    def note(self) -> None:
        """What is closed in the billing system now should be in NetSuite, as it is now or was when noted first."""
        self.should = expected(self.system.source) | self.should

    # What the daemon does

    def stage(self, system: System | None = None, *, by_itself: bool = True) -> None:
        """One staging, as it runs several times a day, or the whole one of a person or of the night."""
        tags = {ASKED_BY: "stage_several_times_a_day"} if by_itself else {}
        result = (system or self.system).run("stage_invoices", tags=tags)
        assert result.success, why(result)

    def round(self, system: System | None = None) -> list[dg.ExecuteInProcessResult]:
        """One run for every batch for which the sensor asks now."""
        system = system or self.system
        return [system.post(key, by_sensor=True) for key in system.planned()]

    def work(self, system: System | None = None) -> None:
        """Stages, and runs every batch for which the sensor asks, until nothing is on its way any more."""
        self.stage(system)
        self.until(lambda: not self.round(system) and not self.on_its_way())

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits for a state."""
        deadline = time.monotonic() + _SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {self.states()}"
            time.sleep(_LOOK_SECONDS)

    def on_its_way(self) -> bool:
        """Whether a batch has something that is not settled."""
        return bool(self.states() & {"batched", "locked", "posting"})

    def states(self) -> set[str]:
        """The states in which documents are."""
        rows = self.system.state.execute("select distinct state from billing.staged_invoices")
        return {row["state"] for row in rows}

    def row(self, number: str) -> dict[str, Any]:
        """A document with us."""
        return staged(self.system.state, number)

    def state_of(self, number: str) -> str:
        """Its state."""
        return str(self.row(number)["state"])

    def state_by_id(self, document_id: str) -> str:
        """The state of a document of the billing system, whatever number it has."""
        rows = self.system.state.execute(
            "select state from billing.staged_invoices where document_id = %s", [document_id]
        ).fetchall()
        assert len(rows) == 1, document_id
        return str(rows[0]["state"])

    # What a person does

    def billing(self, *arguments: str, **changes: str) -> Said:
        """The command, as a person types it."""
        settings = self.system.runtime.settings
        variables = netsuite_variables(self.here.sandbox) | {
            "BILLING_HOME": str(settings.home),
            "BILLING_DATABASE_URL": self.system.runtime.database_url,
            "BILLING_SOURCE__URL": self.system.runtime.of(BillingSystem).url,
            "BILLING_MAPPING": str(settings.mapping),
        }
        return self.person(variables | changes, *arguments)

    def decides(self, *arguments: str, says: Iterable[str] = (), **changes: str) -> Said:
        """A decision, with a name and a reason, and what the command says of it."""
        said = self.billing(*arguments, *BY, **changes)
        complete(said, 0, [*says])
        words = [one for one in arguments if not any(letter.isdigit() for letter in one)]
        name = f"`billing {' '.join(words)}`"
        if name not in self.did:
            self.did.append(name)
        return said

    def does(self, what: str) -> None:
        """Something that a person does elsewhere: in NetSuite, in the billing system, in a file."""
        if what not in self.did:
            self.did.append(what)

    def refuses(self, words: Iterable[str], *arguments: str, **changes: str) -> Said:
        """A command that is refused with these words."""
        said = self.billing(*arguments, **changes)
        complete(said, 2, [*words])
        return said

    def doctor(self, words: Iterable[str], **changes: str) -> None:
        """What the doctor says. It never finds all well here: there is no daemon."""
        complete(self.billing("doctor", **changes), 1, [*words])

    def mapped(self, name: str, **changes: Any) -> System:
        """The system with a changed copy of the mapping: its file is in the settings."""
        folder = self.folder / name
        folder.mkdir()
        edited(folder, **changes)
        return self.system.changed(mapping=folder / "config" / "mapping.yaml")

    def closes(self, period: str = PERIOD) -> None:
        """A month is closed for good: refused while anything in it is unknown, on its way or off by a cent."""
        complete(self.billing("close", "hard", period, *BY), 0, [f"{period} is closed for good"])

    def close_refused(self, words: Iterable[str]) -> Said:
        """The close names what is in the way."""
        return self.refuses(words, "close", "hard", PERIOD, *BY)

    # What came of it

    def restore(self, backup: Path) -> None:
        """The database is put back from a dump; the settings name the new one from then on."""
        url = self.stack.enter_context(restored(self.server_url, backup))
        settings = self.system.runtime.settings.model_copy(update={"database_url": SecretStr(url)})
        self.system = self.system.like(settings)

    def sent(self) -> int:
        """POSTs that reached our NetSuite."""
        return self.system.posts()

    def held(self) -> dict[str, str]:
        """What our NetSuite holds: internal id by external id."""
        return {one["externalId"]: one["id"] for one in self.here.account.records()}

    def count(self) -> Count:
        """What the sandbox holds against what the billing system wanted, without asking our tables."""
        return compare(self.should, self.here.account, prefixes=self.prefixes, answered=self.answered)

    def all_posted(self) -> bool:
        """Whether nothing of ours waits, is held, rejected or different any more, and the month is closed for good."""
        closed = self.system.state.execute(
            "select from billing.closed_months where period = %s and state = 'hard'", [PERIOD]
        ).fetchone()
        return closed is not None and self.states() <= {"posted", "gone"}


@contextmanager
def open_world(
    server_url: str, state_url: str, source_url: str, here: Place, other: Place, folder: Path, documents: int
) -> Iterator[World]:
    """An empty billing system, a database with our schema, and two empty NetSuites.

    A batch that could not be sent is asked for again at once; all else is as shipped, NetSuite's waiting times scaled.
    """
    folder.mkdir(parents=True, exist_ok=True)
    other.account.fresh()
    with ExitStack() as stack:
        batches = BatchSettings(lease_seconds=1, stale_lock_minutes=0, retry_seconds=0)
        home = folder / "a home"
        system = stack.enter_context(
            System.open(state_url, source_url, here.sandbox, here.account, home=home, batches=batches)
        )
        yield World(server_url, system, here, other, folder, documents, stack)
