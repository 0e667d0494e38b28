"""The HTTP server: routes, the gate in front of NetSuite's paths, and the process around them."""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn
from filelock import FileLock
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from billing_assets.sandbox.netsuite import catalog, control, errors, governance, jobs, queries, records
from billing_assets.sandbox.netsuite.authentication import TOKEN_PATH, Authentication, TokenRefusedError, base_url
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.credentials import make_credentials
from billing_assets.sandbox.netsuite.faults import ABORT, DroppedConnection
from billing_assets.sandbox.netsuite.references import References
from billing_assets.sandbox.netsuite.store import Store
from billing_assets.sandbox.netsuite.switches import Switches

Handler = Callable[[Sandbox, Request], Awaitable[Response]]
_REST = "/services/rest"
_log = logging.getLogger(__name__)


def open_sandbox(folder: Path, switches: Switches) -> Sandbox:
    """The account kept in this folder; a new one is set up with credentials, currencies and months."""
    credentials = make_credentials(folder)
    store = Store(folder)
    references = References(store)
    authentication = Authentication(credentials, store)
    store.commit()
    return Sandbox(credentials, store, references, authentication, switches)


def make_app(sandbox: Sandbox) -> Starlette:
    """The ASGI application."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        runner = asyncio.create_task(jobs.run_pending(sandbox))
        yield
        runner.cancel()
        sandbox.readers.shutdown(wait=True)
        sandbox.store.close()

    def rest(path: str, handler: Handler, *methods: str) -> Route:
        return Route(_REST + path, _gated(sandbox, handler), methods=list(methods))

    def admin(path: str, handler: Handler, method: str) -> Route:
        return Route("/sandbox/" + path, _local_only(sandbox, handler), methods=[method])

    routes = [
        rest("/record/v1/{type}", _create, "POST"),
        rest("/query/v1/suiteql", queries.query, "POST"),
        Route(TOKEN_PATH, _token(sandbox), methods=["POST"]),
        rest("/record/v1/metadata-catalog", catalog.catalog, "GET"),
        rest("/record/v1/metadata-catalog/{type}", catalog.record_schema, "GET"),
        rest("/record/v1/{type}", queries.collection, "GET"),
        rest("/record/v1/{type}/{ref}", _read, "GET"),
        rest("/record/v1/{type}/{ref}", _update, "PUT", "PATCH"),
        rest("/record/v1/{type}/{ref}", _delete, "DELETE"),
        rest("/record/v1/{type}/{ref}/!transform/{target}", _transform, "POST"),
        rest("/record/v1/{type}/{ref}/{sublist}", _sublist, "GET"),
        rest("/system/v1/governanceLimits", governance.limits, "GET"),
        rest("/async/v1/job/{job}", jobs.show_job, "GET"),
        rest("/async/v1/job/{job}/task", jobs.show_tasks, "GET"),
        rest("/async/v1/job/{job}/task/{task}", jobs.show_task, "GET"),
        rest("/async/v1/job/{job}/task/{task}/result", jobs.show_result, "GET"),
        admin("references", control.put_references, "POST"),
        admin("references", control.get_references, "GET"),
        admin("switches", control.get_switches, "GET"),
        admin("switches", control.put_switches, "PUT"),
        admin("summary", control.summary, "GET"),
        admin("records", control.records, "GET"),
        admin("requests", control.requests, "GET"),
        admin("reset", control.reset, "POST"),
        admin("void", control.void, "POST"),
        admin("payments", control.load_payments, "POST"),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _create(sandbox: Sandbox, request: Request) -> Response:
    record_type = records.transaction_type(request.path_params["type"])
    if "respond-async" in request.headers.get("prefer", "").lower():
        return await jobs.submit(sandbox, request, record_type)
    return await records.create(sandbox, request, record_type)


async def _read(sandbox: Sandbox, request: Request) -> Response:
    return await records.read(sandbox, request, request.path_params["type"], request.path_params["ref"])


async def _update(sandbox: Sandbox, request: Request) -> Response:
    return await records.update(sandbox, request, request.path_params["type"], request.path_params["ref"])


async def _delete(sandbox: Sandbox, request: Request) -> Response:
    return await records.delete(sandbox, request, request.path_params["type"], request.path_params["ref"])


async def _transform(sandbox: Sandbox, request: Request) -> Response:
    path = request.path_params
    return await records.transform(sandbox, request, path["type"], path["ref"], path["target"])


async def _sublist(sandbox: Sandbox, request: Request) -> Response:
    path = request.path_params
    return await records.read_sublist(sandbox, request, path["type"], path["ref"], path["sublist"])


def _gated(sandbox: Sandbox, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Count, limit, authenticate and delay a request; turn refusals into NetSuite's answers."""

    async def endpoint(request: Request) -> Response:
        traffic = sandbox.traffic
        traffic.operations[f"{request.method} {handler.__name__.strip('_')}"] += 1
        admitted = traffic.in_flight < sandbox.switches.concurrency_limit
        traffic.in_flight += admitted
        traffic.most_in_flight = max(traffic.most_in_flight, traffic.in_flight)
        try:
            response = await _answer(sandbox, request, handler, admitted=admitted)
        except errors.NetSuiteError as error:
            response = _refusal(sandbox, request, error)
        except asyncio.CancelledError:
            response = DroppedConnection()  # only the server's own end cancels a request
        finally:
            traffic.in_flight -= admitted
        traffic.statuses["dropped" if isinstance(response, DroppedConnection) else str(response.status_code)] += 1
        return response

    return endpoint


async def _answer(sandbox: Sandbox, request: Request, handler: Handler, *, admitted: bool) -> Response:
    switches = sandbox.switches
    # the whole body first: a client that gives up while we wait must not take its request back
    await request.body()
    if not admitted:
        if switches.over_limit == "429":
            raise errors.concurrency_exceeded()
        await asyncio.sleep(switches.over_limit_401_seconds)
        raise errors.invalid_login()
    sandbox.authentication.check(request, switches.timestamp_skew_seconds)
    latency = switches.latency_seconds()
    if latency:
        await asyncio.sleep(latency)
    return await handler(sandbox, request)


def _refusal(sandbox: Sandbox, request: Request, error: errors.NetSuiteError) -> Response:
    headers = {"Content-Type": "application/vnd.oracle.resource+json; type=error"}
    if error.status == 401:
        headers["WWW-Authenticate"] = sandbox.authentication.challenge(request.headers.get("authorization", ""))
    return JSONResponse(error.envelope(), status_code=error.status, headers=headers)


def _token(sandbox: Sandbox) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode(errors="replace")))
        try:
            answer = sandbox.authentication.issue(
                given, base_url(request) + TOKEN_PATH, sandbox.switches.token_lifetime_seconds
            )
        except TokenRefusedError as error:
            _log.warning("token refused: %s", error)
            return JSONResponse({"error": error.error, "error_description": str(error)}, status_code=error.status)
        await sandbox.store.committed()
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    return endpoint


def _local_only(sandbox: Sandbox, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if request.client is None or not ip_address(request.client.host).is_loopback:
            return JSONResponse({"error": "only from the machine itself"}, status_code=403)
        return await handler(sandbox, request)

    return endpoint


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also lets a handler cut its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut what is still being worked on: a caller that is owed an answer sees a reset, as at a real outage."""
        await asyncio.sleep(0.05)  # what is nearly done may finish
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)


def serve(folder: Path, host: str, port: int, switches: Switches) -> None:
    """Run until SIGTERM or SIGINT. Writes DIR/server.json once the server listens.

    Raises OSError if the address is taken or the folder cannot be used, filelock.Timeout if another one serves it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # two servers on one folder would each believe their own index of external ids
    with FileLock(folder / "lock", timeout=2), socket.create_server((host, port), backlog=1024) as listener:
        sandbox = open_sandbox(folder, switches)
        bound_port = listener.getsockname()[1]
        address = f"http://{f'[{host}]' if ':' in host else host}:{bound_port}"

        def announce() -> None:
            write_atomically(folder / "server.json", {"base_url": address, "pid": os.getpid()})
            _log.info("listening on %s", address)

        config = uvicorn.Config(
            make_app(sandbox),
            http=_Protocol,
            loop="auto",
            access_log=False,
            log_config=None,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            proxy_headers=False,
        )
        _Server(config, announce).run(sockets=[listener])


def write_atomically(file: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file so that a reader sees the old or the new one, never a part."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(file)
