"""What follows from interchanges that came: their numbers are noted, a 997 goes back, a 997 of theirs settles ours."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.x12 import control_numbers
from billing_assets.foundation.x12.acknowledgement import (
    GROUP,
    SentGroup,
    UnreadableAnswer,
    acknowledge_interchange,
    answers,
    match,
    read_answer,
)
from billing_assets.foundation.x12.control_numbers import Kind
from billing_assets.foundation.x12.envelope import Checks, Seen
from billing_assets.foundation.x12.interchange import Interchange
from billing_assets.foundation.x12.partners import Partner, Partners
from billing_assets.foundation.x12.segments import Segment
from billing_assets.foundation.x12.syntax import segments_of
from billing_assets.foundation.x12.writer import GroupToWrite, InterchangeToWrite, SetToWrite, write
from billing_assets.metering.import_engine import exchange_store, message_store
from billing_assets.metering.import_engine.arrivals import MessageState
from billing_assets.metering.import_engine.exchange_store import OutboundInterchange
from billing_assets.metering.import_engine.messages import FileReport

ANSWER_UNCLEAR = "ANSWER_UNCLEAR"


def checks(connection: Connection, partners: Partners) -> Checks:
    """What only the database and the settings know of an interchange. Without partners every sender is taken."""

    def seen(sender: tuple[str, str], control: str, digest: str) -> Seen:
        before = exchange_store.digest_seen(connection, sender, control)
        return Seen.NO if before is None else Seen.SAME if before == digest else Seen.OTHER

    return Checks(admit=partners.admit if list(partners) else None, seen=seen)


def settle_interchanges(connection: Connection, partners: Partners, file: int, report: FileReport) -> None:
    """Notes the interchanges of a file that was read, and answers them; in the transaction of its verdict."""
    taken = [one for one in report.interchanges if not one.refused and not one.duplicate]
    for one in taken:
        isa = one.isa
        exchange_store.note_received(connection, (isa.sender_qualifier, isa.sender), isa.control, one.digest, file)
    known = [(partner, one) for one in taken if (partner := partners.of(one.isa)) is not None]
    for partner, one in sorted(known, key=lambda pair: pair[0].name):
        _answer(connection, partner, one, file)
        if any(group.type == GROUP for group in one.groups):
            _settle_answers(connection, partner, one, file)


def _answer(connection: Connection, partner: Partner, interchange: Interchange, file: int) -> None:
    sets = list(answers(interchange))
    if not sets and not partner.ta1:
        return
    acknowledged = [acknowledge_interchange(interchange)] if partner.ta1 else []
    store_sets(connection, partner, "997" if sets else "TA1", {GROUP: sets} if sets else {}, file, acknowledged)


def store_sets(
    connection: Connection,
    partner: Partner,
    kind: str,
    groups: dict[str, list[SetToWrite]],
    file: int | None = None,
    acknowledged: Iterable[tuple[str, ...]] = (),
    decision: int | None = None,
) -> int:
    """Stores an interchange for a partner with these sets by group type (GS01), to be sent; its id. In the caller's
    transaction, which takes its control numbers. Raises UnwritableX12Error."""
    (control,) = control_numbers.take(connection, partner.name, Kind.INTERCHANGE)
    numbers = control_numbers.take(connection, partner.name, Kind.GROUP, len(groups)) if groups else range(0)
    to_write = [
        GroupToWrite(group, partner.our_group_identifier, partner.group_identifier, number, sets)
        for number, (group, sets) in zip(numbers, groups.items(), strict=True)
    ]
    content = write(
        InterchangeToWrite(
            partner.our_qualifier,
            partner.our_identifier,
            partner.qualifier,
            partner.identifier,
            control,
            partner.environment,
            datetime.now(UTC),
            to_write,
            tuple(acknowledged),
            partner.delimiters,
        )
    )
    sent = [SentGroup(one.type, str(one.control), tuple((s.type, s.control) for s in one.sets)) for one in to_write]
    waits = any(one.type != GROUP for one in sent)
    name = f"{re.sub(r'[^A-Za-z0-9_-]', '_', partner.name)}-{control:09}-{kind}.x12"
    return exchange_store.store_outbound(
        connection,
        OutboundInterchange(partner.name, kind, control, sent, name, content, file, decision, awaits_997=waits),
    )


def _settle_answers(connection: Connection, partner: Partner, interchange: Interchange, file: int) -> None:
    states = []
    for message, line, text in exchange_store.answers_in(connection, file):
        wrong = _settle(connection, partner, message, segments_of(text, interchange.isa.delimiters, line))
        held = MessageState(message, "held", ANSWER_UNCLEAR, wrong)
        states.append(MessageState(message, "ready") if wrong is None else held)
    message_store.set_states(connection, states)


def _settle(connection: Connection, partner: Partner, message: int, segments: Iterable[Segment]) -> str | None:
    """What a 997 means for what we sent; why it is unclear, if it is."""
    answer = read_answer(segments)
    if isinstance(answer, UnreadableAnswer):
        return answer.sentence
    found = exchange_store.sent_group(connection, partner.name, answer.group, answer.control)
    if found is None:
        return f"The 997 answers the group {answer.group} {answer.control}, which was never sent to {partner.name}."
    interchange, sent = found
    matched = match(answer, sent)
    if not matched.clear:
        return " ".join(matched.wrong)
    said = answer.acknowledgement if answer.acknowledgement in {"A", "E", "P"} else "R"
    exchange_store.acknowledge(connection, interchange, said, message)
    return None
