"""The 824 that tells a sender what a clerk rejected: one interchange for each decision, written before it is sent."""

import io
from collections.abc import Iterable
from datetime import datetime

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.x12.application_advice import GROUP, OTHER, Action, Advice, Reason, Request, build
from billing_assets.foundation.x12.delimiters import Delimiters
from billing_assets.foundation.x12.envelope import read
from billing_assets.foundation.x12.interchange import TransactionSet
from billing_assets.foundation.x12.partners import Partner, Partners
from billing_assets.metering.import_engine import store as files
from billing_assets.metering.import_engine.exchange import store_sets
from billing_assets.metering.import_engine.exchange_store import sender_key
from billing_assets.metering.import_engine.messages import FileReport
from billing_assets.metering.import_engine.opening import LIMITS, Limits, open_content
from billing_assets.metering.import_engine.raw_bytes import opened
from billing_assets.metering.outbound import store
from billing_assets.metering.usage.decision_store import Rejection, rejections

_LONGEST_TEXT = 80
_UNSAID = "Rejected by a person"


def write_advices(connection: Connection, partners: Iterable[Partner], limits: Limits = LIMITS) -> int:
    """Writes the 824 of every rejection that has none, for partners that the settings name; how many.

    Each is committed with its control numbers. Killed in between, the next call goes on; two at once write each once.
    The file of one whose sender is no partner is not read: `without_partner` has those.
    """
    known = Partners(partners)
    written = 0
    for one in rejections(connection):
        if not _is_of_a_partner(one, known):
            continue
        with connection.transaction():
            store.lock_planning(connection)
            if not store.is_answered(connection, one.decision) and (found := _rejected_set(connection, one, limits)):
                partner = known.of(found.group.interchange.isa)
                if partner is not None:
                    advice = build(_advice(one, found, partner.delimiters), "0001")
                    store_sets(connection, partner, "824", {GROUP: [advice]}, one.file, decision=one.decision)
                    written += 1
    return written


def without_partner(connection: Connection, partners: Iterable[Partner], since: datetime) -> list[Rejection]:
    """What was rejected since a time and gets no 824, because its sender is no partner."""
    known = Partners(partners)
    return [one for one in rejections(connection, since) if not _is_of_a_partner(one, known)]


def _is_of_a_partner(one: Rejection, partners: Partners) -> bool:
    return any(sender_key(each.qualifier, each.identifier) in one.senders for each in partners)


def _rejected_set(connection: Connection, one: Rejection, limits: Limits) -> TransactionSet | None:
    """The set as it came, with its group and its interchange; None where the file cannot be read any more."""
    file = files.file_of(connection, one.file)
    if file is None:
        return None
    with opened(connection, file) as source:
        content = open_content(source, FileReport(), limits)
        if content is None:
            return None
        for found in read(io.BufferedReader(content, 262_144), {}):
            if isinstance(found, TransactionSet) and found.position == one.line:
                return found
    return None


def _advice(one: Rejection, found: TransactionSet, delimiters: Delimiters) -> Advice:
    def clean(text: str) -> str:
        """What X12 can carry of it."""
        latin = text.encode("latin-1", "replace").decode("latin-1")
        return "".join(" " if each in delimiters or not each.isprintable() else each for each in latin).strip()

    text = clean(one.why)[:_LONGEST_TEXT].strip()
    return Advice(
        f"R{one.decision}",
        one.decided_at.date(),
        clean(one.id),
        Request.RESEND,
        Action.SET_REJECTED,
        (Reason(one.answer, text or (_UNSAID if one.answer == OTHER else "")),),
        clean(found.type),
        clean(found.control),
        clean(found.group.control),
        (("Q5", clean(one.point)),) if one.point else (),
    )
