"""POST /query/v1/suiteql."""

import asyncio
import time
from decimal import Decimal
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing_assets.sandbox.netsuite import bodies, filters, records, suiteql
from billing_assets.sandbox.netsuite.authentication import base_url
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.errors import NetSuiteError
from billing_assets.sandbox.netsuite.faults import before_saving
from billing_assets.sandbox.netsuite.switches import Switches

_PAGE = 1000


async def query(sandbox: Sandbox, request: Request) -> Response:
    """One page of a SuiteQL query. Raises NetSuiteError."""
    answer = await before_saving(sandbox.switches.strike("suiteql", None, None), sandbox.switches)
    if answer is not None:
        return answer
    preferences = {part.strip().lower() for part in request.headers.get("prefer", "").split(",")}
    if "transient" not in preferences:
        raise NetSuiteError(400, "INVALID_HEADER", "The required header Prefer: transient is missing.")
    body = bodies.load(await request.body())
    text, bound = body.get("q"), body.get("params", [])
    if not isinstance(text, str) or not isinstance(bound, list):
        raise NetSuiteError(400, "INVALID_CONTENT", "The body must hold the query as q, and params as a list.")
    limit, offset = window(request)
    values = [value if isinstance(value, str | int | None) else str(value) for value in bound]
    run = partial(suiteql.run, subsidiary=sandbox.switches.transaction_subsidiary)
    page = await asyncio.get_running_loop().run_in_executor(
        sandbox.readers,
        run,
        sandbox.store,
        text,
        values,
        _parameters(sandbox.switches),
        limit,
        offset,
        sandbox.switches.suiteql_hidden,
    )
    _round(page.items, sandbox.switches.suiteql_exponents)
    total = min(page.total, suiteql.MOST_ROWS)
    more = offset + len(page.items) < total
    return JSONResponse(
        {
            "links": links(base_url(request) + request.url.path, limit, offset, more=more),
            "count": len(page.items),
            "hasMore": more,
            "items": page.items,
            "offset": offset,
            "totalResults": page.total,
        }
    )


async def collection(sandbox: Sandbox, request: Request) -> Response:
    """GET /record/v1/{type}: the ids of a type of transaction, filtered by `q`. Raises NetSuiteError."""
    record_type = records.transaction_type(request.path_params["type"])
    limit, offset = window(request)
    found, total = await asyncio.get_running_loop().run_in_executor(
        sandbox.readers, filters.ids, sandbox.store, record_type, request.query_params.get("q"), limit, offset
    )
    more = offset + len(found) < total
    url = base_url(request) + request.url.path
    items = [{"links": [{"rel": "self", "href": f"{url}/{one}"}], "id": one} for one in found]
    return JSONResponse(
        {
            "links": links(url, limit, offset, more=more),
            "count": len(items),
            "hasMore": more,
            "items": items,
            "offset": offset,
            "totalResults": total,
        }
    )


def _round(items: list[dict[str, Any]], external_ids: list[str]) -> None:
    """Amounts of these transactions with an exponent, as some answers show large ones: 1.23E+07."""
    names = {one.upper() for one in external_ids}
    for item in items if names else ():
        if str(item.get("externalid", "")).upper() in names:
            amounts = [name for name in item if name.startswith("foreign") or name == "openamount"]
            item.update({name: f"{Decimal(item[name]):.2E}" for name in amounts})


def _parameters(switches: Switches) -> dict[str, Any]:
    line_sign, credit_line_sign = (-1, 1) if switches.line_sign == "ledger" else (1, 1)
    return {
        "cutoff": time.time() - switches.suiteql_lag_seconds if switches.suiteql_lag_seconds else None,
        "credit_sign": -1 if switches.credit_total_sign == "negative" else 1,
        "line_sign": line_sign,
        "credit_line_sign": credit_line_sign,
    }


def window(request: Request) -> tuple[int, int]:
    """`limit` and `offset` of a request. Raises NetSuiteError."""
    try:
        limit = int(request.query_params.get("limit", _PAGE))
        offset = int(request.query_params.get("offset", 0))
    except ValueError as error:
        raise NetSuiteError(400, "INVALID_PARAMETER", "limit and offset must be whole numbers.") from error
    if not 1 <= limit <= _PAGE:
        raise NetSuiteError(400, "INVALID_PARAMETER", f"limit must be between 1 and {_PAGE}.")
    if offset < 0 or offset % limit:
        raise NetSuiteError(400, "INVALID_PARAMETER", "offset must be a multiple of limit.")
    if offset >= suiteql.MOST_ROWS:
        raise NetSuiteError(400, "INVALID_PARAMETER", f"A query gives at most {suiteql.MOST_ROWS} rows.")
    return limit, offset


def links(url: str, limit: int, offset: int, *, more: bool) -> list[dict[str, str]]:
    """The links of a page to itself and its neighbours."""
    found = [{"rel": "self", "href": f"{url}?limit={limit}&offset={offset}"}]
    if more:
        found.append({"rel": "next", "href": f"{url}?limit={limit}&offset={offset + limit}"})
    if offset:
        found.append({"rel": "previous", "href": f"{url}?limit={limit}&offset={offset - limit}"})
    return found
