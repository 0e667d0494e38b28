"""NetSuite's own calls of the control API: seed references, count what is held, void, load payments."""

import asyncio
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing_assets.sandbox.kit.control import Handler, refused
from billing_assets.sandbox.netsuite import bodies, errors
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.records import save_new, transaction_type
from billing_assets.sandbox.netsuite.references import ReferenceConflictError, parse_rows
from billing_assets.sandbox.netsuite.store import money

_MOST_RECORDS = 1000


async def put_references(sandbox: Sandbox, request: Request) -> Response:
    """POST /sandbox/references: add or replace entries of the account's lists. All or nothing."""
    try:
        lists = parse_rows(json.loads(await request.body()))
        sandbox.references.check(lists)
    except (ValueError, KeyError, AttributeError, TypeError, ReferenceConflictError) as error:
        return _refused(error)
    for name, rows in lists.items():
        sandbox.references.upsert(name, rows)
    sandbox.store.commit()
    return JSONResponse(sandbox.references.counts())


async def get_references(sandbox: Sandbox, _request: Request) -> Response:
    """GET /sandbox/references: how many entries each list has."""
    return JSONResponse(sandbox.references.counts())


async def summary(sandbox: Sandbox, _request: Request) -> Response:
    """GET /sandbox/summary: counts and totals of what is held, and of the create POSTs."""
    _, rows = await _read(sandbox, "SELECT type, count(*), sum(total_e4) FROM record GROUP BY type")
    held = {type_: (count, total) for type_, count, total in rows}
    counters = sandbox.store.counters
    shown: dict[str, Any] = {}
    for record_type in ("invoice", "creditMemo", "customerPayment"):
        count, total = held.get(record_type, (0, 0))
        shown[record_type] = {"count": count, "total": money(total)}
    shown["posts"] = {name: counters.get(name, 0) for name in ("received", "created", "refused_duplicate")}
    return JSONResponse(shown)


async def records(sandbox: Sandbox, request: Request) -> Response:
    """GET /sandbox/records?type=&limit=&offset=: what is held, in order of creation, lines included."""
    try:
        limit = min(int(request.query_params.get("limit", 100)), _MOST_RECORDS)
        offset = int(request.query_params.get("offset", 0))
    except ValueError as error:
        return _refused(error)
    type_ = request.query_params.get("type", "").lower()
    where = "WHERE :type = '' OR lower(type) = :type"
    bound = {"type": type_, "limit": limit, "offset": offset}
    _, rows = await _read(
        sandbox,
        "SELECT id, type, external_id, total_e4, currency, entity, tranid, trandate, subsidiary, memo"  # noqa: S608
        f" FROM record {where} ORDER BY id LIMIT :limit OFFSET :offset",
        bound,
    )
    _, [(total,)] = await _read(sandbox, f"SELECT count(*) FROM record {where}", bound)  # noqa: S608
    ids = json.dumps([row[0] for row in rows])
    _, line_rows = await _read(
        sandbox,
        "SELECT record, item, quantity, rate, amount_e4, description FROM line"
        " WHERE record IN (SELECT value FROM json_each(?)) AND n > 0 ORDER BY record, n",
        (ids,),
    )
    lines: dict[int, list[dict[str, Any]]] = {}
    for record, item, quantity, rate, amount, description in line_rows:
        lines.setdefault(record, []).append(
            {"item": item, "quantity": quantity, "rate": rate, "amount": money(amount), "description": description}
        )
    items = [
        {
            "id": str(id_),
            "type": record_type,
            "externalId": external,
            "total": money(total_e4),
            "currency": sandbox.references.row("currency", currency).name,
            "entity": entity,
            "subsidiary": subsidiary,
            "tranId": tranid,
            "tranDate": trandate,
            "memo": memo,
            "posted_times": sandbox.store.posted_times.get((external or "").lower(), 0),
            "lines": {"count": len(lines.get(id_, [])), "items": lines.get(id_, [])},
        }
        for id_, record_type, external, total_e4, currency, entity, tranid, trandate, subsidiary, memo in rows
    ]
    return JSONResponse({"totalResults": total, "limit": limit, "offset": offset, "items": items})


async def void(sandbox: Sandbox, request: Request) -> Response:
    """POST /sandbox/void: what a user does with the button Void. `{"type": …, "id": …}`; id may be `eid:EXT`."""
    try:
        given = dict(json.loads(await request.body()))
        record = sandbox.find(transaction_type(str(given["type"])), str(given["id"]))
        if record is None:
            raise errors.not_found()
        if record.voided:
            raise errors.voided()
        if sandbox.store.applied_to(record.id):
            raise errors.linked()
    except (ValueError, TypeError, KeyError, errors.NetSuiteError) as error:
        return _refused(error)
    sandbox.store.void(record)
    await sandbox.store.committed()
    return Response(status_code=204)


async def load_payments(sandbox: Sandbox, request: Request) -> Response:
    """POST /sandbox/payments: many customer payments in one call, `{"payments": [body, …]}`.

    Each is checked as one that is posted. One whose external id is there already is left out, so that a load can be
    repeated; the first that is refused ends the call, and what went before it stays.
    """
    created = known = 0
    try:
        for body in bodies.load(await request.body())["payments"]:
            if str(body["externalId"]).lower() in sandbox.store.by_external:
                known += 1
                continue
            save_new(sandbox, "customerPayment", body, "error")
            created += 1
    except (ValueError, TypeError, KeyError, errors.NetSuiteError) as error:
        await sandbox.store.committed()
        return refused(f"payment {created + known + 1}: {error}; {created} before it were saved")
    await sandbox.store.committed()
    return JSONResponse({"created": created, "known": known})


async def _read(sandbox: Sandbox, sql: str, bound: Any = ()) -> tuple[list[str], list[tuple[Any, ...]]]:
    return await asyncio.get_running_loop().run_in_executor(sandbox.readers, sandbox.store.read, sql, bound)


def _refused(error: Exception) -> Response:
    return refused(f"unknown or missing: {error}" if isinstance(error, KeyError) else str(error))


CALLS: tuple[tuple[str, str, Handler[Sandbox]], ...] = (
    ("POST", "references", put_references),
    ("GET", "references", get_references),
    ("GET", "summary", summary),
    ("GET", "records", records),
    ("POST", "void", void),
    ("POST", "payments", load_payments),
)
"""Method, path under /sandbox, handler."""
