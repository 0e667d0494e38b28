"""The control API under /sandbox: turn switches, count requests, forget. Only from the machine itself."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from billing_assets.sandbox.kit.errors import SwitchError
from billing_assets.sandbox.kit.switches import Switches
from billing_assets.sandbox.kit.traffic import Traffic

SwitchesT = TypeVar("SwitchesT", bound=Switches)


@dataclass(kw_only=True)
class Sandbox(Generic[SwitchesT]):
    """The base of a sandbox's state: how it misbehaves and what was asked of it. A sandbox adds what it holds."""

    switches: SwitchesT
    traffic: Traffic = field(default_factory=Traffic)

    def reset(self) -> None:
        """Forget what was sent to it; what it knew from the start, switches and logins stay."""
        raise NotImplementedError


SandboxT = TypeVar("SandboxT", bound=Sandbox[Any])
Handler = Callable[[SandboxT, Request], Awaitable[Response]]


def routes(sandbox: SandboxT, own: Iterable[tuple[str, str, Handler[SandboxT]]] = ()) -> list[Route]:
    """The control API: what every sandbox answers, and its own calls as (method, name, handler)."""
    calls: list[tuple[str, str, Handler[SandboxT]]] = [
        ("GET", "switches", get_switches),
        ("PUT", "switches", put_switches),
        ("GET", "requests", get_requests),
        ("POST", "reset", reset),
        *own,
    ]
    return [
        Route(f"/sandbox/{name}", _local_only(sandbox, handler), methods=[method]) for method, name, handler in calls
    ]


async def get_switches(sandbox: Sandbox[Any], _request: Request) -> Response:
    """GET /sandbox/switches: all values as they are now, faults counted down."""
    return JSONResponse(sandbox.switches.model_dump())


async def put_switches(sandbox: Sandbox[Any], request: Request) -> Response:
    """PUT /sandbox/switches: the named switches change, the others stay; an unknown or wrong one → 400."""
    try:
        sandbox.switches = sandbox.switches.changed(dict(json.loads(await request.body())))
    except (SwitchError, ValueError, TypeError) as error:
        return refused(str(error))
    return JSONResponse(sandbox.switches.model_dump())


async def get_requests(sandbox: Sandbox[Any], _request: Request) -> Response:
    """GET /sandbox/requests: counters since the start of the process."""
    return JSONResponse(sandbox.traffic.shown())


async def reset(sandbox: Sandbox[Any], _request: Request) -> Response:
    """POST /sandbox/reset: forget what was sent to it, and the counters."""
    sandbox.reset()
    sandbox.traffic.reset()
    return Response(status_code=204)


def refused(text: str) -> Response:
    """400 of the control API."""
    return JSONResponse({"error": text}, status_code=400)


def _local_only(sandbox: SandboxT, handler: Handler[SandboxT]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if request.client is None or not ip_address(request.client.host).is_loopback:
            return JSONResponse({"error": "only from the machine itself"}, status_code=403)
        return await handler(sandbox, request)

    return endpoint
