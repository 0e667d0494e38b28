"""What an answer to a create means for its document: the outcome to be recorded, and whether the run goes on."""

from billing_assets.domain.documents import State
from billing_assets.netsuite.dispatch import Request
from billing_assets.netsuite.errors import (
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
from billing_assets.netsuite.store import Outcome

_UNKNOWN_IN_A_ROW = 20
"""After so many answers without an outcome, one after the other, NetSuite is not well: the run stops sending."""


def outcome_of(request: Request, answer: Answer, seconds: float, *, again: bool) -> Outcome:
    """The row for the log. While the same attempt is sent again, its document stays `posting`."""

    def outcome(name: str, state: State, **facts: str | int | None) -> Outcome:
        rounded = round(seconds, 4)
        return Outcome(request.document, request.attempt, name, state, seconds=rounded, **facts)  # type: ignore[arg-type]

    not_landed = State.POSTING if again else State.LOCKED
    match answer:
        case Landed(netsuite_id):
            return outcome("landed", State.POSTED, http_status=204, netsuite_id=netsuite_id)
        case Exists(status, code, detail):
            return outcome("exists", State.POSTING, http_status=status, code=code, detail=detail)
        case Refused(status, code, path, detail, known):
            state = State.REJECTED if known else State.POSTING
            return outcome("refused", state, http_status=status, code=code, path=path, detail=detail)
        case Retry(status, code, detail):
            return outcome("retry", not_landed, http_status=status, code=code, detail=detail)
        case Unauthorized(detail):
            return outcome("retry", not_landed, http_status=401, code="INVALID_LOGIN", detail=detail)
        case Forbidden(code, detail):
            return outcome("retry", not_landed, http_status=403, code=code, detail=detail)
        case NotSent(reason):
            return outcome("not_sent", not_landed, detail=reason)
        case Unknown(http_status, reason):
            return outcome("unknown", State.POSTING, http_status=http_status, detail=reason)


def reason_to_stop(answer: Answer) -> str | None:
    """Why no further document fares better before a person fixes the cause, or None."""
    match answer:
        case Unauthorized(detail):
            return f"NetSuite refused the login: {detail}"
        case Forbidden(code, detail):
            return f"NetSuite's role lacks a permission ({code}): {detail}"
        case _:
            return None


def sign_of_an_outage(answer: Answer, unknown_in_a_row: int) -> str | None:
    """Why no further document fares better now although a later one may, or None."""
    match answer:
        case NotSent(cause):
            return f"NetSuite cannot be reached: {cause}"
        case Retry(_, code, detail, throttled=True):
            return f"NetSuite's account is too busy ({code}): {detail}"
        case Unknown(_, cause) if unknown_in_a_row >= _UNKNOWN_IN_A_ROW:
            return f"{unknown_in_a_row} answers in a row had no outcome, the last: {cause}"
        case _:
            return None
