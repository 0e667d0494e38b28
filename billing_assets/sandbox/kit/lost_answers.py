"""Faults of any HTTP server that saves something: answers that are lost, late, cut or a gateway's."""

import asyncio
from collections.abc import Callable
from typing import Literal, get_args

from pydantic import Field, NonNegativeFloat
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from billing_assets.sandbox.kit.faults import FaultRule

LostAnswer = Literal[
    "commit_then_drop",  # saved, the connection is cut without an answer
    "commit_then_500",  # saved, the answer is the server's unexpected error
    "commit_then_delay",  # saved, the answer comes `seconds` later
    "late_commit",  # waits `seconds`, then saves, whether the client is still there or not
    "drop_without_commit",  # the connection is cut, nothing is saved
    "error_500_without_commit",  # the server's unexpected error, nothing is saved
    "html_502",  # a gateway's HTML page (`status` 502, 503 or 504), nothing is saved
]
LOST_ANSWERS: frozenset[str] = frozenset(get_args(LostAnswer))
COMMITTING: frozenset[str] = frozenset({"commit_then_drop", "commit_then_500", "commit_then_delay", "late_commit"})

ABORT = "sandbox.abort"
"""Key in the ASGI scope's extensions: a function that cuts the TCP connection. The kit's server puts it there."""


class LostAnswerRule(FaultRule):
    """A rule whose fault may be one of these."""

    seconds: NonNegativeFloat = Field(
        0.0, description="late_commit: how long the server works before it saves; commit_then_delay: after it"
    )
    status: int = Field(400, ge=400, le=599, description="html_502: the HTTP status")


class DroppedConnection(Response):
    """Cuts the TCP connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"][ABORT]()
        while (await receive())["type"] != "http.disconnect":
            pass


async def before_saving(rule: LostAnswerRule | None, unexpected: Callable[[], Response]) -> Response | None:
    """Wait, or answer in the server's place; None lets the request go on. `unexpected` answers or raises a 500."""
    if rule is None:
        return None
    if rule.fault in COMMITTING:
        if rule.seconds and rule.fault != "commit_then_delay":
            await asyncio.sleep(rule.seconds)
        return None
    if rule.fault == "drop_without_commit":
        return DroppedConnection()
    if rule.fault == "html_502":
        return gateway_page(rule.status if rule.status > 500 else 502)
    return unexpected() if rule.fault == "error_500_without_commit" else None


async def after_saving(rule: LostAnswerRule | None, unexpected: Callable[[], Response]) -> Response | None:
    """What becomes of the answer once the record is saved; None: it is given."""
    if rule is None:
        return None
    if rule.fault == "commit_then_drop":
        return DroppedConnection()
    if rule.fault == "commit_then_500":
        return unexpected()
    if rule.fault == "commit_then_delay":
        await asyncio.sleep(rule.seconds)
    return None


def gateway_page(status: int) -> Response:
    """What a gateway in front of the server answers: HTML."""
    text = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}.get(status, "Error")
    page = f"<html><head><title>{status} {text}</title></head><body><h1>{status} {text}</h1></body></html>\n"
    return HTMLResponse(page, status_code=status)
