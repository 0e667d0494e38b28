"""What of one kind (usage or charges) at a point is live, cancelled, replaced, doubled, whatever the other kind has."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, auto

from billing_assets.metering.usage.facts import Decided, Fact, Options
from billing_assets.metering.usage.states import Purpose

Order = tuple[bool, datetime, str, int]


class Standing(Enum):
    """What a message is among those of its kind."""

    LIVE = auto()  # the version of its period
    CANCELLED = auto()
    HELD = auto()  # may not be a version; `codes` say why
    WAITING = auto()  # a replacement whose original is not cancelled; a cancel without original
    DUPLICATE = auto()
    CONFLICT = auto()  # the same id as another, other content
    REJECTED = auto()
    EFFECTIVE = auto()  # a cancel that has cancelled


@dataclass(slots=True, eq=False)
class Entry:
    """A message on its way through the machine. `target`: what it cancels or replaces; `other`: what it hangs on."""

    fact: Fact
    order: Order
    standing: Standing | None = None
    codes: list[str] = field(default_factory=list)
    other: "Entry | None" = None
    target: "Entry | None" = None
    cancelled_by: "Entry | None" = None
    cancelled_at: datetime | None = None  # when the first cancel was sent, whichever came first
    gap_from: date | None = None
    billed: bool = False

    @property
    def sent_at(self) -> datetime:
        """When it was sent, the first time."""
        return self.order[1]

    @property
    def gone(self) -> bool:
        """Whether something may take its place."""
        return self.standing in (Standing.CANCELLED, Standing.REJECTED)

    @property
    def live(self) -> bool:
        """Whether it is the version of its period."""
        return self.standing is Standing.LIVE


def judge(facts: Iterable[Fact], decided: Decided, options: Options) -> list[Entry]:
    """Every message of one kind at one point with its standing, in the order in which they count.

    What is billed counts first, then the time of the message, its control numbers, its arrival.
    """
    everything: list[Entry] = []
    versions: dict[str, Entry] = {}
    cancels: list[Entry] = []
    for is_cancel, entries in _without_doubles(facts, decided):
        everything += entries
        if is_cancel:
            cancels += [entry for entry in entries if entry.standing is None]
        else:
            first = next((entry for entry in entries if entry.standing in (None, Standing.REJECTED)), None)
            if first is not None:
                versions[first.fact.id] = first
    _cancel(cancels, versions, options)
    _replace(versions, decided, options)
    _take_places(versions.values(), decided)
    _hold_estimates(everything)
    _find_gaps(versions.values(), options)
    everything.sort(key=lambda entry: entry.order)
    return everything


def _without_doubles(facts: Iterable[Fact], decided: Decided) -> Iterator[tuple[bool, list[Entry]]]:
    """The messages of each id, the one that counts first; copies and other contents have their standing."""
    same: dict[tuple[bool, str], dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
    for fact in facts:
        same[fact.purpose is Purpose.CANCEL, fact.id][fact.content].append(fact)
    for (is_cancel, _), contents in same.items():
        firsts, copies = [], []
        for group in contents.values():
            # Of equal copies the first to arrive stays what it is, whenever the others were sent.
            group.sort(
                key=lambda one: (one.message not in decided.billed, one.message not in decided.rejected, one.message)
            )
            earliest = min((one.sent_at, one.control) for one in group)
            billed = group[0].message in decided.billed
            first = Entry(group[0], (not billed, *earliest, group[0].message), billed=billed)
            if first.fact.message in decided.rejected:
                first.standing = Standing.REJECTED
            firsts.append(first)
            for fact in group[1:]:
                order = (True, fact.sent_at, fact.control, fact.message)
                copies.append(Entry(fact, order, Standing.DUPLICATE, ["DUP_TRANSACTION"], first))
        firsts.sort(key=lambda entry: (entry.standing is Standing.REJECTED, entry.order))
        for entry in firsts[1:]:
            if entry.standing is None:
                entry.standing, entry.codes, entry.other = Standing.CONFLICT, ["VERSION_CONFLICT"], firsts[0]
        yield is_cancel, firsts + copies


def _cancel(cancels: list[Entry], versions: dict[str, Entry], options: Options) -> None:
    # Of two that name the same the first to arrive has the effect; one that names none takes what those left.
    named = sorted((one for one in cancels if one.fact.refers_to), key=lambda one: one.fact.message)
    unnamed = sorted((one for one in cancels if not one.fact.refers_to), key=lambda one: one.order)
    for cancel in named + unnamed:
        target = (
            versions.get(cancel.fact.refers_to) if cancel.fact.refers_to else _only(_meant(cancel, versions, options))
        )
        cancel.target = cancel.other = target
        if target is None:
            cancel.standing, cancel.codes = Standing.WAITING, ["CANCEL_WITHOUT_ORIGINAL"]
            continue
        target.cancelled_at = min(target.cancelled_at or cancel.sent_at, cancel.sent_at)
        if target.cancelled_by is not None:
            cancel.standing, cancel.codes = Standing.DUPLICATE, ["ALREADY_CANCELLED"]
        else:
            cancel.standing = Standing.EFFECTIVE
            target.cancelled_by = target.other = cancel
            if target.standing is None:
                target.standing = Standing.CANCELLED


def _meant(cancel: Entry, versions: dict[str, Entry], options: Options) -> list[Entry]:
    """Of a cancel that names nothing: what was sent before for nearly the same period, if need be what is cancelled."""
    near = [
        entry
        for entry in versions.values()
        if nearly_same(entry.fact, cancel.fact, options) and entry.order[1:3] < cancel.order[1:3]
    ]
    return [entry for entry in near if entry.cancelled_by is None] or near


def _replace(versions: dict[str, Entry], decided: Decided, options: Options) -> None:
    for entry in versions.values():
        if entry.fact.purpose is not Purpose.REPLACE:
            continue
        if entry.fact.refers_to:
            target = versions.get(entry.fact.refers_to)
        else:
            near = [one for one in versions.values() if one is not entry and nearly_same(one.fact, entry.fact, options)]
            target = _only([one for one in near if one.gone] or near)
        entry.target = None if target is entry else target
        if entry.standing is not None or entry.billed:
            continue
        if entry.target is None:
            if (entry.fact.message, "REPLACE_UNKNOWN") not in decided.released:
                entry.standing, entry.codes = Standing.HELD, ["REPLACE_UNKNOWN"]
        elif not entry.target.gone:
            entry.standing, entry.codes, entry.other = Standing.WAITING, ["REPLACE_WITHOUT_CANCEL"], entry.target


def _take_places(versions: Iterable[Entry], decided: Decided) -> None:
    """Gives each period to the first message for it; what comes later for the same days is held."""
    taken: list[Entry] = []
    for entry in sorted(versions, key=lambda one: one.order):
        if entry.standing is not None:
            continue
        fact = entry.fact
        if not entry.billed and not (fact.alone and fact.start is None and fact.end is None):
            if fact.start is None or fact.end is None or fact.start >= fact.end:
                missing = fact.start is None or fact.end is None
                entry.standing, entry.codes = Standing.HELD, ["NO_PERIOD" if missing else "BAD_PERIOD"]
                continue
            if not _by_itself(fact):
                before = next((one for one in taken if common_days(one.fact, fact)), None)
                if before is not None:
                    same = (before.fact.start, before.fact.end) == (fact.start, fact.end)
                    code = "DUP_PERIOD" if same else "PERIOD_OVERLAP"
                    if (fact.message, code) not in decided.released:
                        entry.standing, entry.codes, entry.other = Standing.HELD, [code], before
                        continue
        entry.standing = Standing.LIVE
        if not _by_itself(fact):
            taken.append(entry)


def _by_itself(fact: Fact) -> bool:
    """Whether it shares its days with others: charges that need no usage do."""
    return fact.alone and fact.kind == "charges"


def _hold_estimates(entries: list[Entry]) -> None:
    """An estimate is not billed while something for the same period is there that may take its place."""
    for entry in entries:
        if not entry.live or entry.billed or not entry.fact.estimated:
            continue
        for one in entries:
            if one.standing is Standing.WAITING and one.target is entry and one.fact.purpose is Purpose.REPLACE:
                entry.codes, entry.other = ["REPLACE_WITHOUT_CANCEL"], one
                break
            staged = one.standing in (Standing.HELD, Standing.WAITING, Standing.CONFLICT)
            same = (one.fact.start, one.fact.end) == (entry.fact.start, entry.fact.end)
            if staged and same and not one.fact.estimated and one.fact.purpose is not Purpose.CANCEL:
                entry.codes, entry.other = ["ACTUAL_STAGED"], one


def _find_gaps(versions: Iterable[Entry], options: Options) -> None:
    """Notes the days that are missing before a version; after a final one none are."""
    last: Fact | None = None
    known = [entry for entry in versions if entry.live and not _by_itself(entry.fact) and entry.fact.start is not None]
    for entry in sorted(known, key=lambda one: (one.fact.start or date.min, one.order)):
        fact = entry.fact
        before = last.end if last is not None and not last.final else None
        if before is not None and fact.start is not None and (fact.start - before).days > options.gap_days:
            entry.gap_from = before
        if last is None or last.end is None or (fact.end is not None and fact.end > last.end):
            last = fact


def common_days(one: Fact, other: Fact) -> int:
    """The days that two periods have in common; none where a date is missing."""
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return 0
    return max((min(one.end, other.end) - max(one.start, other.start)).days, 0)


def nearly_same(one: Fact, other: Fact, options: Options) -> bool:
    """Whether two periods have as much of the longer one in common as is asked for."""
    common = common_days(one, other)
    longest = max((fact.end - fact.start).days for fact in (one, other) if fact.start and fact.end) if common else 0
    return common > 0 and common * 100 >= options.overlap_percent * longest


def _only(entries: list[Entry]) -> Entry | None:
    return entries[0] if len(entries) == 1 else None
