"""The routes, and the gate in front of NetSuite's paths."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from billing_assets.sandbox.kit import control as kit_control
from billing_assets.sandbox.kit.control import Handler
from billing_assets.sandbox.kit.traffic import counted
from billing_assets.sandbox.netsuite import catalog, control, errors, governance, jobs, queries, records
from billing_assets.sandbox.netsuite.authentication import TOKEN_PATH, Authentication, TokenRefusedError, base_url
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.credentials import make_credentials
from billing_assets.sandbox.netsuite.references import References
from billing_assets.sandbox.netsuite.store import Store
from billing_assets.sandbox.netsuite.switches import Switches

_REST = "/services/rest"
_log = logging.getLogger(__name__)


def open_app(folder: Path, switches: Switches) -> Starlette:
    """The account kept in this folder as an ASGI application; a new one gets credentials, currencies and months."""
    credentials = make_credentials(folder)
    store = Store(folder)
    references = References(store)
    authentication = Authentication(credentials, store)
    store.commit()
    return _app(
        Sandbox(
            credentials=credentials,
            store=store,
            references=references,
            authentication=authentication,
            switches=switches,
        )
    )


def _app(sandbox: Sandbox) -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        runner = asyncio.create_task(jobs.run_pending(sandbox))
        yield
        runner.cancel()
        sandbox.readers.shutdown(wait=True)
        sandbox.store.close()

    def rest(path: str, handler: Handler[Sandbox], *methods: str) -> Route:
        return Route(_REST + path, _gated(sandbox, handler), methods=list(methods))

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
        *kit_control.routes(sandbox, control.CALLS),
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


def _gated(sandbox: Sandbox, handler: Handler[Sandbox]) -> Callable[[Request], Awaitable[Response]]:
    """Count, limit, authenticate and delay a request; turn refusals into NetSuite's answers."""

    async def answer(request: Request, admitted: bool) -> Response:
        switches = sandbox.switches
        try:
            # the whole body first: a client that gives up while we wait must not take its request back
            await request.body()
            if not admitted:
                await _refuse(switches)
            sandbox.authentication.check(request, switches.timestamp_skew_seconds)
            latency = switches.latency_seconds()
            if latency:
                await asyncio.sleep(latency)
            return await handler(sandbox, request)
        except errors.NetSuiteError as error:
            return _refusal(sandbox, request, error)

    return counted(sandbox.traffic, handler.__name__.strip("_"), lambda: sandbox.switches.concurrency_limit, answer)


async def _refuse(switches: Switches) -> NoReturn:
    """A request beyond the account's limit."""
    if switches.over_limit == "429":
        raise errors.concurrency_exceeded()
    await asyncio.sleep(switches.over_limit_401_seconds)
    raise errors.invalid_login()


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
