"""When a supervised run waits, for what, and when it ends: a pure function over facts, without a server.

Documents are waited for while staging, a batch's run or a look-up that becomes due can still change them. Whatever
waits for a person (held, rejected, `differs`, drift, a closed month) is an end.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

STAND_STILL = timedelta(minutes=5)
"""So long nothing may reach an end before a run stops waiting, unless a look-up is due later."""

AFTER_DUE = timedelta(minutes=2)
"""How long the run that looks an unknown outcome up may take to start and end."""

SENSOR_LATE = timedelta(seconds=60)
"""So long the sensor may take to ask for a staging before the run stages on its own."""

_BATCHES = 3


class What(StrEnum):
    """What is waited for, in words that follow a number of documents."""

    TO_STAGE = "not staged as billing shows them"
    READY = "ready, without a batch"
    BATCHED = "batched, without a run"
    LOCKED = "being posted"
    UNKNOWN = "sent, outcome unknown"
    UNREAD = "posted, not read back"


@dataclass(frozen=True)
class Group:
    """Documents that are waited for alike: how many, the first numbers, their batches, and until when (UTC)."""

    what: What
    documents: int
    numbers: tuple[str, ...] = ()
    batches: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True)
class Facts:
    """What a look found at a moment of our database's clock. `states`: documents by state.

    `moving` can still move. `unfinished` are batches that are planned or running, whatever is in them. `staging`: a
    staging is asked for or running. `dues`: when a batch's unknown outcomes are looked up again.
    """

    at: datetime
    states: Mapping[str, int]
    moving: tuple[Group, ...] = ()
    unfinished: tuple[str, ...] = ()
    staging: bool = False
    dues: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def to_stage(self) -> Group | None:
        """What staging does not hold as the billing system shows it."""
        return next((one for one in self.moving if one.what is What.TO_STAGE), None)


class Step(StrEnum):
    """What to do after a look."""

    DONE = "done"  # nothing can move any more
    WAIT = "wait"
    STAGE = "stage"  # no one else stages what is to be staged
    GIVE_UP = "give up"  # what can move does not


_ON_THEIR_WAY = frozenset({"ready", "batched", "locked", "posting"})


@dataclass(frozen=True)
class Memory:
    """What is remembered from look to look. `ends`: what had reached an end when something last did, at `moved_at`.

    `dues`: the first time of each batch's look-up since then: a document that is unknown again and again is not waited
    for for ever. `lacking`: what was to be staged, since `lacking_since`. `in_vain`: what a staging of ours left so.
    """

    moved_at: datetime
    ends: object = None
    dues: Mapping[str, datetime] = field(default_factory=dict)
    lacking: Group | None = None
    lacking_since: datetime | None = None
    in_vain: Group | None = None

    def after(self, facts: Facts) -> "Memory":
        """With what a look found."""
        ends = (
            tuple(sorted((state, n) for state, n in facts.states.items() if state not in _ON_THEIR_WAY)),
            sum(facts.states.values()),
            facts.to_stage,
        )
        lacking_since = self.lacking_since if self.lacking == facts.to_stage else facts.at
        seen = replace(self, lacking=facts.to_stage, lacking_since=lacking_since)
        if ends != self.ends:
            return replace(seen, ends=ends, moved_at=facts.at, dues=dict(facts.dues))
        return replace(seen, dues={**facts.dues, **self.dues})

    def staged(self, facts: Facts) -> "Memory":
        """After a staging of ours: what it left as it was, no other will change."""
        return replace(self, in_vain=facts.to_stage)

    @property
    def until(self) -> datetime:
        """Until when it is waited if nothing reaches an end."""
        return max([self.moved_at + STAND_STILL, *(due + AFTER_DUE for due in self.dues.values())])


def still_moving(facts: Facts, memory: Memory, *, only_staging: bool = False) -> list[Group]:
    """What can still move: without what a staging of ours left as it was."""
    return [one for one in facts.moving if (one != memory.in_vain if one.what is What.TO_STAGE else not only_staging)]


def next_step(facts: Facts, memory: Memory, *, only_staging: bool = False) -> Step:
    """What to do after a look that `memory` has seen already. `only_staging`: wait for nothing but staging."""
    moving = still_moving(facts, memory, only_staging=only_staging)
    if not moving and (only_staging or not facts.unfinished):
        return Step.DONE
    lacks = facts.to_stage in moving and not facts.staging
    if lacks and memory.lacking_since is not None and facts.at - memory.lacking_since >= SENSOR_LATE:
        return Step.STAGE
    return Step.GIVE_UP if facts.at > memory.until else Step.WAIT


def waited_for(groups: Iterable[Group], unfinished: Sequence[str] = ()) -> str:
    """What is waited for, for people."""
    named = [_words(one) for one in groups]
    if not named and unfinished:
        named = [f"a run of {_batches(unfinished)}"]
    return " · ".join(named)


def _words(one: Group) -> str:
    more = ", …" if one.documents > len(one.numbers) else ""
    details = [
        f"{', '.join(one.numbers)}{more}" if one.numbers else "",
        _batches(one.batches),
        f"looked up at {one.until.astimezone(UTC):%H:%M:%S} UTC" if one.until else "",
    ]
    said = "; ".join(detail for detail in details if detail)
    return f"{one.documents:,} {one.what}" + (f" ({said})" if said else "")


def _batches(keys: Sequence[str]) -> str:
    more = ", …" if len(keys) > _BATCHES else ""
    return f"batch{'es' if len(keys) > 1 else ''} {', '.join(keys[:_BATCHES])}{more}" if keys else ""
