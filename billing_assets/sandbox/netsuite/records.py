"""Create, read, update, delete and transform invoices, credit memos and customer payments."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing_assets.sandbox.netsuite import bodies, errors, payments, presentation
from billing_assets.sandbox.netsuite.authentication import base_url
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.faults import after_saving, before_saving
from billing_assets.sandbox.netsuite.references import ALIASES
from billing_assets.sandbox.netsuite.store import Record
from billing_assets.sandbox.netsuite.switches import Operation

RECORD_TYPES = {"invoice": "invoice", "creditmemo": "creditMemo", "customerpayment": "customerPayment"}
_VALIDATION = "x-netsuite-propertynamevalidation"
_TRANSFORMED = ("entity", "subsidiary", "currency", "exchangeRate", "department", "class", "location")


async def create(sandbox: Sandbox, request: Request, record_type: str) -> Response:
    """POST /record/v1/{type} → 204 and Location."""
    body = bodies.load(await request.body())
    return await save(sandbox, request, record_type, body, "create")


async def save(
    sandbox: Sandbox, request: Request, record_type: str, body: dict[str, Any], operation: Operation
) -> Response:
    """Save a new record, with the faults that strike it. Raises NetSuiteError."""
    external_id = body.get("externalId") if isinstance(body.get("externalId"), str) else None
    sandbox.store.count_post(external_id)
    rule = sandbox.switches.strike(operation, record_type, external_id)
    answer = await before_saving(rule, sandbox.switches)
    if answer is not None:
        return answer
    parsed = save_new(sandbox, record_type, body, validation_mode(request))
    sandbox.store.count("created")
    await sandbox.store.committed()
    return await after_saving(rule) or _saved(request, parsed)


def save_new(sandbox: Sandbox, record_type: str, body: dict[str, Any], validation: str) -> bodies.Parsed:
    """Check and insert in one step of the event loop, so that no second copy can slip in between."""
    external_id = body.get("externalId")
    if isinstance(external_id, str) and external_id.lower() in sandbox.store.by_external:
        sandbox.store.count("refused_duplicate")
        raise errors.already_exists()
    parsed = _parse(sandbox, record_type, body, validation)
    sandbox.store.insert(parsed.record)
    return parsed


async def read(sandbox: Sandbox, request: Request, type_name: str, reference: str) -> Response:
    """GET /record/v1/{type}/{id}: a transaction, opened in edit mode as in NetSuite, or an entry of a list."""
    record_type = RECORD_TYPES.get(type_name.lower())
    if record_type is None:
        return _read_reference(sandbox, request, type_name, reference)
    record = await _open(sandbox, record_type, reference, "read")
    if isinstance(record, Response):
        return record
    expand = request.query_params.get("expandSubResources", "false").lower() == "true"
    return JSONResponse(presentation.show(sandbox, record, base_url(request), expand=expand))


async def read_sublist(sandbox: Sandbox, request: Request, type_name: str, reference: str, name: str) -> Response:
    """GET /record/v1/{type}/{id}/{sublist}: what the links of an unexpanded record point at."""
    record = await _open(sandbox, transaction_type(type_name), reference, "read")
    if isinstance(record, Response):
        return record
    value = presentation.show(sandbox, record, base_url(request), expand=True).get(name)
    if not isinstance(value, dict) or "items" not in value:
        raise errors.no_such_resource()
    return JSONResponse(value)


async def update(sandbox: Sandbox, request: Request, type_name: str, reference: str) -> Response:
    """PUT and PATCH: named fields replace; lines without a `line` key are added unless `?replace=item`.

    A PUT to an `eid:` that does not exist creates the record.
    """
    record_type = transaction_type(type_name)
    body = bodies.load(await request.body())
    by_external = reference[:4].lower() == "eid:"
    if request.method == "PUT" and by_external and reference[4:].lower() not in sandbox.store.by_external:
        parsed = save_new(sandbox, record_type, {**body, "externalId": reference[4:]}, validation_mode(request))
        await sandbox.store.committed()
        return _saved(request, parsed)
    record = await _open(sandbox, record_type, reference, "update")
    if isinstance(record, Response):
        return record
    if record.voided:
        raise errors.voided()
    replaced = {name for value in request.query_params.getlist("replace") for name in value.split(",")}
    merged = _merged(presentation.body_of(record), body, replaced)
    parsed = _parse(sandbox, record_type, merged, validation_mode(request), record.id)
    if record_type == "invoice" and parsed.record.total_e4 < sandbox.store.applied_to(record.id):
        raise errors.user_error("The total may not be less than what is applied to the invoice.")  # [guess]
    wanted = parsed.record.external_id
    if wanted is not None and sandbox.store.by_external.get(wanted.lower(), record.id) != record.id:
        raise errors.already_exists()
    sandbox.store.update(parsed.record, record.external_id)
    await sandbox.store.committed()
    return _saved(request, parsed)


async def delete(sandbox: Sandbox, request: Request, type_name: str, reference: str) -> Response:
    """DELETE /record/v1/{type}/{id} → 204. Refused while something is applied to it."""
    record = await _open(sandbox, transaction_type(type_name), reference, "update")
    if isinstance(record, Response):
        return record
    if sandbox.store.applied_to(record.id):
        raise errors.linked()
    sandbox.store.delete(record)
    await sandbox.store.committed()
    return Response(status_code=204)


async def transform(sandbox: Sandbox, request: Request, type_name: str, reference: str, target: str) -> Response:
    """POST /record/v1/invoice/{id}/!transform/creditMemo: a credit memo of the invoice's lines, applied to it."""
    if transaction_type(type_name) != "invoice" or transaction_type(target) != "creditMemo":
        raise errors.no_such_resource()
    content = await request.body()
    given = bodies.load(content) if content.strip() else {}
    invoice = sandbox.find("invoice", reference)
    if invoice is None:
        raise errors.not_found()
    original = presentation.body_of(invoice)
    body = {name: original[name] for name in _TRANSFORMED if original.get(name) is not None}
    for sublist in ("item", "taxDetails"):
        if sublist in original:
            body[sublist] = original[sublist]
    if "taxDetailsOverride" in original:
        body["taxDetailsOverride"] = original["taxDetailsOverride"]
    body["apply"] = {"items": [{"doc": {"id": str(invoice.id)}, "apply": True}]}
    return await save(sandbox, request, "creditMemo", {**body, **given}, "transform")


def transaction_type(name: str) -> str:
    """The record type that a path names, in any case of letters. Raises NetSuiteError 404."""
    record_type = RECORD_TYPES.get(name.lower())
    if record_type is None:
        raise errors.no_such_resource()
    return record_type


def validation_mode(request: Request) -> str:
    """How unknown property names are treated: error, warning or ignore."""
    mode = request.headers.get(_VALIDATION, "Warning").lower()
    if mode not in {"error", "warning", "ignore"}:
        raise errors.NetSuiteError(
            400, "INVALID_HEADER", "X-NetSuite-PropertyNameValidation must be Error, Warning or Ignore."
        )
    return mode


def record_url(base: str, record: Record) -> str:
    """Where a record is found, as Location gives it."""
    return f"{base}/services/rest/record/v1/{record.type}/{record.id}"


def _parse(
    sandbox: Sandbox, record_type: str, body: dict[str, Any], validation: str, record_id: int = 0
) -> bodies.Parsed:
    strict = validation == "error"
    if record_type == "customerPayment":
        return payments.parse(body, sandbox.account(), strict_names=strict, record_id=record_id)
    return bodies.parse(record_type, body, sandbox.account(), strict_names=strict, record_id=record_id)


async def _open(sandbox: Sandbox, record_type: str, reference: str, operation: Operation) -> Record | Response:
    record = sandbox.find(record_type, reference)
    if record is None:
        raise errors.not_found()
    rule = sandbox.switches.strike(operation, record_type, record.external_id)
    answer = await before_saving(rule, sandbox.switches)
    return record if answer is None else answer


def _read_reference(sandbox: Sandbox, request: Request, type_name: str, reference: str) -> Response:
    list_ = ALIASES.get(type_name.lower())
    if list_ is None:
        raise errors.no_such_resource()
    if reference[:4].lower() == "eid:":
        found = sandbox.references.find_external(list_, reference[4:])
    else:
        found = sandbox.references.find(list_, reference)
    if found is None:
        raise errors.not_found()
    return JSONResponse(presentation.reference_record(sandbox, list_, found, base_url(request), type_name))


def _saved(request: Request, parsed: bodies.Parsed) -> Response:
    headers = {"Location": record_url(base_url(request), parsed.record)}
    if parsed.unknown and validation_mode(request) == "warning":
        # the header's name and wording are a guess; that there is one is documented
        headers["Warning"] = f'299 - "Unknown property names were ignored: {_ascii(", ".join(sorted(parsed.unknown)))}"'
    return Response(status_code=204, headers=headers)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\r", " ").replace("\n", " ")[:1000]


def _merged(current: dict[str, Any], given: dict[str, Any], replaced: set[str]) -> dict[str, Any]:
    """The record's body after the change. A null empties a field."""
    merged = {**current, **given}
    if "item" in given and "item" not in replaced:
        lines = {line["line"]: line for line in current["item"]["items"]}
        added = []
        for line in bodies.sublist(given, "item"):
            if line.get("line") is None:
                added.append(line)
            elif line["line"] in lines:
                lines[line["line"]] = {**lines[line["line"]], **line}
            else:
                raise errors.invalid_reference(str(line["line"]), "line", "item.items.line")
        merged["item"] = {"items": [*lines.values(), *added]}
    for name in ("taxDetails", "apply"):
        if name in given and name in current and name not in replaced:
            merged[name] = {"items": [*current[name]["items"], *bodies.sublist(given, name)]}
    return merged
