"""A customer system's HTTP API as a process of its own: pages of records, a login, and every fault by a switch."""

import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from billing_assets.sandbox.kit import command, control
from billing_assets.sandbox.kit.lost_answers import DroppedConnection, gateway_page
from billing_assets.sandbox.kit.process import Kind
from billing_assets.sandbox.kit.switches import LatencySwitches
from billing_assets.sandbox.kit.traffic import counted

CLIENT, SECRET = "billing", "s3cret-of-the-api"


class Switches(LatencySwitches):
    """What it does otherwise than a healthy API."""

    paging: Literal["cursor", "link", "header"] = "cursor"
    total: int | Literal["right", "none"] = "none"
    empty_pages: bool = Field(False, description="An empty page comes before each")
    repeat_pages: bool = Field(False, description="Each page comes twice, and the first record of the next with it")
    same_cursor: bool = Field(False, description="The second page has the cursor of the first")
    foreign_link: bool = False
    etag: bool = False
    tokens_end: int = Field(0, description="So many requests find their token no longer valid")
    refuse_login: bool = False
    next_429: int = Field(0, description="So many requests are to come again later")
    retry_after: str = "0"
    next_503: int = 0
    next_dropped: int = 0
    body: str | None = Field(None, description="Every answer instead of a page")
    status: int = 200


@dataclass(kw_only=True)
class Api(control.Sandbox[Switches]):
    """Its records by resource, as it was given them."""

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: int = 0
    asked: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        """Forgets its records."""
        self.records = {}


def open_app(_folder: Path, switches: Switches) -> Starlette:
    """Its routes."""
    api = Api(switches=switches)

    async def token(request: Request, _admitted: bool) -> Response:
        form = (await request.body()).decode()
        login = request.headers.get("authorization", "")
        if api.switches.refuse_login or not login.startswith("Basic ") or "client_credentials" not in form:
            return JSONResponse({"error": f"invalid_client {SECRET}"}, status_code=401)
        api.tokens += 1
        return JSONResponse({"access_token": f"token-{api.tokens}", "token_type": "Bearer", "expires_in": 3600})

    async def records(request: Request, _admitted: bool) -> Response:
        one = api.switches
        for name, answer in (
            ("next_dropped", DroppedConnection()),
            ("next_503", gateway_page(503)),
            ("next_429", Response(status_code=429, headers={"Retry-After": one.retry_after})),
        ):
            if left := getattr(one, name):
                setattr(one, name, left - 1)
                return answer
        if request.headers.get("authorization") != f"Bearer token-{api.tokens}":
            return Response(status_code=401)
        if one.tokens_end:
            one.tokens_end -= 1
            api.tokens += 1000
            return Response(status_code=401)
        if one.body is not None:
            return Response(one.body, status_code=one.status)
        return page(api, request)

    async def keep(api: Api, request: Request) -> Response:
        api.records = await request.json()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/token", counted(api.traffic, "token", lambda: 99, token), methods=["POST"]),
            Route("/v1/{resource}", counted(api.traffic, "records", lambda: 99, records), methods=["GET"]),
            *control.routes(api, [("POST", "records", keep)]),
        ]
    )


def page(api: Api, request: Request) -> Response:
    """A page by its cursor, which says where it begins and whether it came before."""
    one, found = api.switches, api.records.get(request.path_params["resource"], [])
    since = request.query_params.get("updated_since", "")
    groups = {_day(row) for row in found if (row.get("updated_at") or since) >= since}
    found = [row for row in found if _day(row) in groups]
    tag = f'"{hashlib.sha256(json.dumps(found).encode()).hexdigest()}"'
    if one.etag and request.headers.get("if-none-match") == tag:
        return Response(status_code=304)
    limit = int(request.query_params["limit"])
    at, step = map(int, request.query_params.get("cursor", "0.0").split("."))
    here = found[at : at + limit]
    then: tuple[int, int] | None = (at + limit, 0)
    if one.empty_pages and step == 0:
        here, then = [], (at, 1)
    if one.repeat_pages:
        here, then = found[at : at + limit + 1], (at, 1) if step == 0 else (at + limit, 0)
    if one.same_cursor:
        then = (limit, 0)
    if then and then[0] >= len(found):
        then = None
    said: dict[str, Any] = {"records": here}
    if one.total != "none":
        said["total"] = len(found) if one.total == "right" else one.total
    headers = {"ETag": tag} if one.etag else {}
    if then:
        query = f"limit={limit}&updated_since={since}&cursor={then[0]}.{then[1]}".replace("+", "%2B")
        link = f"{'https://elsewhere.example' if one.foreign_link else ''}{request.url.path}?{query}"
        if one.paging == "cursor":
            said["next_cursor"] = f"{then[0]}.{then[1]}"
        elif one.paging == "link":
            said["next"] = link
        else:
            headers["Link"] = f'<{link}>; rel="next"'
    return JSONResponse(said, headers=headers)


def _day(row: dict[str, Any]) -> tuple[object, ...]:
    """A stream's day comes whole; any other record stays alone."""
    if "starts_at" in row:
        return row["nmi"], row["suffix"], row["day"]
    return tuple(sorted((name, str(value)) for name, value in row.items()))


API = Kind(
    "metering API",
    "billing_assets_tests.rooms.metering.extraction.metering_api",
    lambda _folder: (CLIENT, SECRET),
)

if __name__ == "__main__":
    sys.exit(command.run(API.module, Switches, open_app))
