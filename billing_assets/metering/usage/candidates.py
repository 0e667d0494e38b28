"""What is proposed to invoicing about an invoice: credit, rebill, restatement. The invoice itself never changes."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from billing_assets.metering.usage.facts import Candidate, CandidateKind, CandidateState, Options, Outcome
from billing_assets.metering.usage.pairing import Paired
from billing_assets.metering.usage.states import Kind, Purpose, State
from billing_assets.metering.usage.versions import Entry, Standing


def propose(
    usage: list[Entry],
    charges: list[Entry],
    paired: Paired,
    outcomes: Mapping[int, Outcome],
    now: datetime,
    options: Options,
) -> list[Candidate]:
    """One credit for each invoiced pair that was cancelled, one rebill for each replacement of it."""
    rebills = _rebills(usage, charges, paired, outcomes)
    replaced = {one.original for one in rebills if one.state is CandidateState.DUE}
    found = [*_credits(usage, charges, paired, replaced, now, options), *rebills]
    amounts = {entry.fact.message: entry.fact.amount for entry in usage}
    for one in rebills:
        if one.message in amounts and one.original in amounts:
            found.append(_restatement(one, amounts[one.original], amounts[one.message], options))
    return found


def _credits(
    usage: list[Entry], charges: list[Entry], paired: Paired, replaced: set[int], now: datetime, options: Options
) -> list[Candidate]:
    """A pair on an invoice is one credit, whichever of its halves is cancelled first; usage gives it its number."""
    found = []
    for entry in usage + charges:
        partner = paired.partner.get(entry)
        invoiced = [one for one in (entry, partner) if one is not None and one.billed]
        cancels = [one.cancelled_by for one in invoiced if one.cancelled_by is not None]
        if not cancels or not entry.billed or (entry.fact.kind is Kind.CHARGES and len(invoiced) > 1):
            continue
        cause = min(cancels, key=lambda one: (one.fact.arrived_at, one.fact.message))
        due_at = cause.fact.arrived_at + timedelta(days=options.credit_wait_days)
        whole = len(cancels) == len(invoiced) and (partner is None or partner.standing is Standing.CANCELLED)
        due = (whole and entry.fact.message in replaced) or now >= due_at
        state = CandidateState.DUE if due else CandidateState.WAITING
        found.append(
            Candidate(CandidateKind.CREDIT, entry.fact.message, entry.fact.message, cause.fact.message, state, due_at)
        )
    return found


def _rebills(
    usage: list[Entry], charges: list[Entry], paired: Paired, outcomes: Mapping[int, Outcome]
) -> list[Candidate]:
    found: list[Candidate] = []
    of_usage = set()
    for entry in usage + charges:
        if entry.fact.purpose is not Purpose.REPLACE or not entry.live:
            continue
        original = _billed_before(entry)
        if original is None or (entry.fact.kind is Kind.CHARGES and paired.partner.get(entry) in of_usage):
            continue
        of_usage.add(entry)
        ready = outcomes[entry.fact.message].state in (State.READY, State.BILLED)
        state = CandidateState.DUE if ready else CandidateState.WAITING
        message = entry.fact.message
        found.append(Candidate(CandidateKind.REBILL, message, original.fact.message, message, state))
    return found


def _billed_before(entry: Entry) -> Entry | None:
    """The nearest one on an invoice among those that it replaces, one after the other."""
    seen = {entry}
    while (target := entry.target) is not None and target not in seen:
        if target.billed:
            return target
        if target.fact.purpose is not Purpose.REPLACE:
            return None
        seen.add(target)
        entry = target
    return None


def _restatement(rebill: Candidate, old: Decimal, new: Decimal, options: Options) -> Candidate:
    change = abs(new - old)
    small = change < options.restated_kwh and change * 100 < options.restated_percent * abs(old)
    state = CandidateState.RECORDED if small else CandidateState.DUE
    return Candidate(CandidateKind.RESTATEMENT, rebill.message, rebill.original, rebill.cause, state, None, old, new)
