"""The machine: from all messages of a service point to their states, pairs and candidates. Pure functions.

The result depends on the set of messages, the decisions and the clock alone, never on the order in which messages
came: what they make of each other is found again from all of them each time (Source: X12 867 and 810 guides of ERCOT
and of the eastern utilities, and what operators do).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from billing_assets.metering.usage.candidates import propose
from billing_assets.metering.usage.facts import Decided, Fact, Options, Outcome, Settled
from billing_assets.metering.usage.pairing import Paired, pair
from billing_assets.metering.usage.states import Kind, Purpose, State
from billing_assets.metering.usage.versions import Entry, Standing, judge

_STATES = {
    Standing.DUPLICATE: State.DUPLICATE,
    Standing.CONFLICT: State.HELD,
    Standing.HELD: State.HELD,
    Standing.WAITING: State.WAITING,
    Standing.REJECTED: State.REJECTED,
    Standing.CANCELLED: State.SUPERSEDED,
}


def settle(
    facts: Iterable[Fact],
    now: datetime,
    decided: Decided = Decided(),  # noqa: B008  immutable
    options: Options = Options(),  # noqa: B008
    elsewhere: frozenset[str] = frozenset(),
) -> Settled:
    """What became of the messages of one service point.

    `elsewhere`: ids of usage of other points that charges here name. Raises ValueError where the points differ.
    """
    by_kind: dict[Kind, list[Fact]] = {Kind.USAGE: [], Kind.CHARGES: []}
    points = set()
    for fact in facts:
        no_charges = fact.kind is Kind.USAGE and fact.utility in options.without_charges
        by_kind[fact.kind].append(fact._replace(alone=True) if no_charges else fact)
        points.add(fact.point)
    if len(points) > 1:
        raise ValueError("Settle one service point at a time.")
    usage = judge(by_kind[Kind.USAGE], decided, options)
    charges = judge(by_kind[Kind.CHARGES], decided, options)
    paired = pair(usage, charges, decided, options, elsewhere)
    settled = Settled(pairs=paired.pairs)
    for entry in usage + charges:
        settled.outcomes[entry.fact.message] = _outcome(entry, paired, decided)
    settled.candidates = propose(usage, charges, paired, settled.outcomes, now, options)
    return settled


def settle_points(
    facts: Iterable[Fact],
    now: datetime,
    decided: Decided = Decided(),  # noqa: B008
    options: Options = Options(),  # noqa: B008
) -> dict[str, Settled]:
    """The same for the messages of many points; charges that name the usage of another are found."""
    by_point: dict[str, list[Fact]] = defaultdict(list)
    usage: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_point[fact.point].append(fact)
        if names_usage(fact) and fact.message not in decided.rejected:
            usage[fact.id].append(fact)
    return {
        point: settle(own, now, decided, options, named_elsewhere(own, usage))
        for point, own in sorted(by_point.items())
    }


def names_usage(fact: Fact) -> bool:
    """Whether charges may name this message as their usage."""
    return fact.kind is Kind.USAGE and fact.purpose is not Purpose.CANCEL


def named_elsewhere(own: Iterable[Fact], usage: Mapping[str, Iterable[Fact]]) -> frozenset[str]:
    """The ids that charges here name and usage of other points has. Ids of two utilities may be equal by chance."""
    return frozenset(
        fact.cross_reference
        for fact in own
        if fact.cross_reference
        and any(
            one.point != fact.point and (one.utility == fact.utility or not (one.utility and fact.utility))
            for one in usage.get(fact.cross_reference, ())
        )
    )


def _outcome(entry: Entry, paired: Paired, decided: Decided) -> Outcome:
    partner = paired.partner.get(entry)
    if entry.standing is Standing.LIVE:
        state, codes, other = _live(entry, partner, paired, decided)
    elif entry.standing is Standing.EFFECTIVE:
        state, codes, other = _cancel(entry, paired)
    elif entry.standing is Standing.CANCELLED and entry.billed:
        state, codes, other = State.RESTATED, [], entry.other
    else:
        state, codes, other = _STATES[entry.standing or Standing.HELD], list(entry.codes), entry.other
        if state is State.HELD:
            codes += _content(entry, decided)
    fact = entry.fact
    return Outcome(
        state,
        tuple(dict.fromkeys(codes)),
        other.fact.message if other else None,
        max(fact.arrived_at, other.fact.arrived_at) if other else fact.arrived_at,
        entry.live,
        entry.gap_from,
        entry.target.fact.message if entry.target and fact.purpose is Purpose.REPLACE else None,
        entry.cancelled_by.fact.message if entry.cancelled_by else None,
    )


def _live(
    entry: Entry, partner: Entry | None, paired: Paired, decided: Decided
) -> tuple[State, list[str], Entry | None]:
    if entry.billed:
        return State.BILLED, [], partner
    codes = _holds(entry, decided)
    if entry in paired.elsewhere:
        codes.append("PAIR_ESI")
    if partner is not None and partner.standing is Standing.CANCELLED:
        return State.HELD, ["HALF_CANCEL", *codes], partner.cancelled_by
    if codes:
        return State.HELD, codes, entry.other or partner
    if entry.fact.alone:
        return State.READY, [], partner
    if partner is not None and (partner.billed or _good(partner, decided)):
        return State.READY, [], partner
    if entry.fact.kind is Kind.USAGE:
        return State.WAITING, ["WAIT_CHARGES"], partner
    named = partner or paired.names.get(entry)
    return State.WAITING, ["WAIT_USAGE" if named else "ORPHAN_CHARGES"], named


def _cancel(entry: Entry, paired: Paired) -> tuple[State, list[str], Entry | None]:
    """A cancel with effect waits for its twin: usage and charges are cancelled as a pair."""
    partner = paired.partner.get(entry.target) if entry.target else None
    if partner is not None and partner.standing is not Standing.CANCELLED:
        return State.WAITING, ["HALF_CANCEL"], partner
    return State.READY, [], entry.target


def _good(entry: Entry, decided: Decided) -> bool:
    """Whether nothing but its pair could keep it from being billed."""
    return entry.live and not _holds(entry, decided)


def _holds(entry: Entry, decided: Decided) -> list[str]:
    return entry.codes + _content(entry, decided)


def _content(entry: Entry, decided: Decided) -> list[str]:
    """What its reader holds it for, unless a person released it; and whether its point is ours."""
    held = [code for code in entry.fact.codes if (entry.fact.message, code) not in decided.released]
    return [*held, "NO_SERVICE_POINT"] if entry.fact.message in decided.not_ours else held
