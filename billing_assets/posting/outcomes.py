"""What an answer to a request means for its item: the outcome to be recorded, and whether the run goes on."""

from billing_assets.posting.answers import (
    Answer,
    Exists,
    Forbidden,
    Landed,
    NotSent,
    Refused,
    Retry,
    Unauthorized,
    Unknown,
)
from billing_assets.posting.attempts import AnItem, Outcome
from billing_assets.posting.dispatch import Request
from billing_assets.posting.states import ItemState

_UNKNOWN_IN_A_ROW = 20
"""After so many answers without an outcome, one after the other, the system is not well: the run stops sending."""


def outcome_of(request: Request[AnItem], answer: Answer, seconds: float, *, again: bool) -> Outcome:
    """The row for the log. While the same attempt is sent again, its item stays `posting`."""

    def outcome(name: str, state: ItemState, **facts: str | int | None) -> Outcome:
        rounded = round(seconds, 4)
        return Outcome(request.item.id, request.attempt, name, state, seconds=rounded, **facts)  # type: ignore[arg-type]

    not_landed = ItemState.POSTING if again else ItemState.LOCKED
    match answer:
        case Landed(remote_id, status):
            return outcome("landed", ItemState.POSTED, http_status=status, remote_id=remote_id)
        case Exists(status, code, detail):
            return outcome("exists", ItemState.POSTING, http_status=status, code=code, detail=detail)
        case Refused(status, code, path, detail, known):
            state = ItemState.REJECTED if known else ItemState.POSTING
            return outcome("refused", state, http_status=status, code=code, path=path, detail=detail)
        case Retry(status, code, detail):
            return outcome("retry", not_landed, http_status=status, code=code, detail=detail)
        case Unauthorized(detail, status, code):
            return outcome("retry", not_landed, http_status=status, code=code, detail=detail)
        case Forbidden(code, detail, status):
            return outcome("retry", not_landed, http_status=status, code=code, detail=detail)
        case NotSent(reason):
            return outcome("not_sent", not_landed, detail=reason)
        case Unknown(http_status, reason):
            return outcome("unknown", ItemState.POSTING, http_status=http_status, detail=reason)


def reason_to_stop(system: str, answer: Answer) -> str | None:
    """Why no further item fares better before a person fixes the cause, or None."""
    match answer:
        case Unauthorized(detail):
            return f"{system} refused the login: {detail}"
        case Forbidden(code, detail):
            return f"Our login to {system} lacks a permission ({code}): {detail}"
        case _:
            return None


def sign_of_an_outage(system: str, answer: Answer, unknown_in_a_row: int) -> str | None:
    """Why no further item fares better now although a later one may, or None."""
    match answer:
        case NotSent(cause):
            return f"{system} cannot be reached: {cause}"
        case Retry(_, code, detail, throttled=True):
            return f"{system}'s account is too busy ({code}): {detail}"
        case Unknown(_, cause) if unknown_in_a_row >= _UNKNOWN_IN_A_ROW:
            return f"{unknown_in_a_row} answers in a row had no outcome, the last: {cause}"
        case _:
            return None
