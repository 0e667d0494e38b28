"""What a fault does to a request, before and after its record is saved."""

import asyncio
from collections.abc import Callable

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from billing_assets.sandbox.netsuite import errors
from billing_assets.sandbox.netsuite.switches import COMMITTING, FaultRule, Switches

ABORT = "sandbox.abort"
"""Key in the ASGI scope's extensions: a function that cuts the TCP connection."""

_REFUSALS: dict[str, Callable[[], errors.NetSuiteError]] = {
    "workflow_lock": errors.workflow_lock,
    "refuse_workflow": errors.workflow_lock,
    "refuse_record_changed": errors.record_changed,
    "refuse_permission": errors.permission,
    "refuse_unauthorized": errors.invalid_login,
    "refuse_concurrency": errors.concurrency_exceeded,
    "error_500_without_commit": errors.unexpected,
}


class DroppedConnection(Response):
    """Cuts the TCP connection instead of answering."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"][ABORT]()
        while (await receive())["type"] != "http.disconnect":
            pass


async def before_saving(rule: FaultRule | None, switches: Switches) -> Response | None:
    """Wait, refuse (NetSuiteError) or answer in the server's stead; None lets the request go on."""
    if rule is None:
        return None
    if rule.fault in COMMITTING:
        if rule.seconds and rule.fault != "commit_then_delay":
            await asyncio.sleep(rule.seconds)
        return None
    if rule.fault == "drop_without_commit":
        return DroppedConnection()
    if rule.fault == "html_502":
        return _gateway_page(rule.status if rule.status > 500 else 502)
    if rule.fault == "refuse_request_limit":
        raise errors.request_limit(switches.request_limit_status)
    if rule.fault == "refuse":
        raise errors.NetSuiteError(rule.status, rule.code, rule.detail, rule.path)
    raise _REFUSALS[rule.fault]()


async def after_saving(rule: FaultRule | None) -> Response | None:
    """What becomes of the answer after the record was saved; None: it is given."""
    if rule is not None and rule.fault == "commit_then_drop":
        return DroppedConnection()
    if rule is not None and rule.fault == "commit_then_500":
        raise errors.unexpected()
    if rule is not None and rule.fault == "commit_then_delay":
        await asyncio.sleep(rule.seconds)
    return None


def _gateway_page(status: int) -> Response:
    text = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}.get(status, "Error")
    page = f"<html><head><title>{status} {text}</title></head><body><h1>{status} {text}</h1></body></html>\n"
    return HTMLResponse(page, status_code=status)
