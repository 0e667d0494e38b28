"""Which charges belong to which usage of a point: by a person's word, reference or period; near ones are suggested."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from billing_assets.metering.usage.facts import Decided, Options, Pair, Rank
from billing_assets.metering.usage.versions import Entry, Standing, nearly_same


@dataclass(slots=True)
class Paired:
    """`partner`: by entry, both ways. `names`: charges whose usage has other charges already. `elsewhere`: charges that
    name the usage of another point."""

    partner: dict[Entry, Entry] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    names: dict[Entry, Entry] = field(default_factory=dict)
    elsewhere: set[Entry] = field(default_factory=set)

    def add(self, usage: Entry, charges: Entry, by: Rank) -> None:
        """Notes a pair."""
        self.partner[usage], self.partner[charges] = charges, usage
        self.pairs.append(Pair(usage.fact.message, charges.fact.message, by))


def pair(
    usage: list[Entry], charges: list[Entry], decided: Decided, options: Options, elsewhere: frozenset[str]
) -> Paired:
    """Pairs the versions of a point, cancelled ones too: of a pair both are cancelled, or a half is missing.

    `elsewhere`: ids of usage of other points that charges here name.
    """
    found = Paired()
    billable = [entry for entry in charges if entry.standing in (Standing.LIVE, Standing.CANCELLED)]
    billable = [entry for entry in billable if not entry.fact.alone]
    kept = [entry for entry in usage if entry.fact.purpose != "01" and entry.standing not in _NO_USAGE]
    for one in billable:
        for other in kept:
            if (other.fact.message, one.fact.message) in decided.confirmed and not (
                {one, other} & found.partner.keys() or _parted(other, one, decided)
            ):
                found.add(other, one, Rank.CONFIRMED)
    _by_reference(kept, billable, decided, elsewhere, found)
    open_charges = [
        one for one in billable if not (one in found.partner or one in found.names or one in found.elsewhere)
    ]
    open_usage = [
        one
        for one in kept
        if one.standing in (Standing.LIVE, Standing.CANCELLED) and one not in found.partner and not one.fact.alone
    ]
    for charge in open_charges:
        fits = (
            one
            for one in open_usage
            if one not in found.partner
            and (one.fact.start, one.fact.end) == (charge.fact.start, charge.fact.end)
            and (one.fact.message, charge.fact.message) not in decided.declined
            and not _parted(one, charge, decided)
            and not _sent_after_cancel(one, charge)
        )
        if (match := next(fits, None)) is not None:
            found.add(match, charge, Rank.PERIOD)
    found.pairs += _suggested(
        [one for one in open_usage if one.live and one not in found.partner],
        [one for one in open_charges if one.live and one not in found.partner],
        decided,
        options,
    )
    return found


_NO_USAGE = frozenset({Standing.DUPLICATE, Standing.CONFLICT, Standing.REJECTED})


def _by_reference(
    usage: list[Entry], charges: list[Entry], decided: Decided, elsewhere: frozenset[str], found: Paired
) -> None:
    by_id = {one.fact.id: one for one in usage}
    for charge in charges:
        if charge in found.partner or not charge.fact.cross_reference:
            continue
        named = by_id.get(charge.fact.cross_reference)
        if named is None:
            if charge.fact.cross_reference in elsewhere:
                found.elsewhere.add(charge)
        elif not _parted(named, charge, decided):
            if named in found.partner:
                found.names[charge] = named
            else:
                found.add(named, charge, Rank.REFERENCE)


def _parted(usage: Entry, charges: Entry, decided: Decided) -> bool:
    """Whether one of the two is cancelled and a person said that the other stays without it."""
    if usage.standing is Standing.CANCELLED and charges.standing is not Standing.CANCELLED:
        return (charges.fact.message, "HALF_CANCEL") in decided.released
    if charges.standing is Standing.CANCELLED and usage.standing is not Standing.CANCELLED:
        return (usage.fact.message, "HALF_CANCEL") in decided.released
    return False


def _sent_after_cancel(usage: Entry, charges: Entry) -> bool:
    """Whether one was sent when the other had been cancelled already: it belongs to what comes instead."""
    return any(
        gone.cancelled_at is not None and one.sent_at > gone.cancelled_at
        for one, gone in ((usage, charges), (charges, usage))
    )


def _suggested(usage: list[Entry], charges: list[Entry], decided: Decided, options: Options) -> Iterable[Pair]:
    """Near matches, where neither has a second one."""
    near = [
        (one, charge)
        for one in usage
        for charge in charges
        if nearly_same(one.fact, charge.fact, options)
        and (one.fact.message, charge.fact.message) not in decided.declined
    ]
    for one, charge in near:
        if sum(one is other or charge is another for other, another in near) == 1:
            yield Pair(one.fact.message, charge.fact.message, Rank.OVERLAP, suggested=True)
