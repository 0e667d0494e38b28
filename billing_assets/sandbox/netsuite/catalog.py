"""GET /record/v1/metadata-catalog: which records there are, and which properties a transaction and its lines have."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing_assets.sandbox.netsuite import bodies, errors
from billing_assets.sandbox.netsuite.authentication import base_url
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.records import RECORD_TYPES
from billing_assets.sandbox.netsuite.references import TYPES

_ELEMENT = "-itemElement"


async def catalog(_sandbox: Sandbox, request: Request) -> Response:
    """The names of all record types, with a link to each one's schema."""
    url = f"{base_url(request)}/services/rest/record/v1/metadata-catalog"
    names = [*RECORD_TYPES.values(), *TYPES]
    return JSONResponse({"items": [{"name": n, "links": [{"rel": "describes", "href": f"{url}/{n}"}]} for n in names]})


async def record_schema(sandbox: Sandbox, request: Request) -> Response:
    """The property names of a transaction and of its lines, with the account's custom fields."""
    name = request.path_params["type"]
    record_type = RECORD_TYPES.get(name.removesuffix(_ELEMENT).lower())
    if record_type is None or sandbox.switches.metadata == "refused":
        raise errors.no_such_resource()
    line = _object(sandbox, bodies.LINE_PROPERTIES, "custcol")
    if name.endswith(_ELEMENT):
        return JSONResponse(line)
    schema = _object(sandbox, bodies.HEADER_PROPERTIES[record_type], "custbody")
    if "item" in schema["properties"]:
        if sandbox.switches.metadata == "linked":
            line = {"$ref": f"/services/rest/record/v1/metadata-catalog/{record_type}{_ELEMENT}"}
        items = {"type": "array", "items": line}
        schema["properties"]["item"] = {"type": "object", "properties": {"items": items}}
    return JSONResponse({"title": record_type, **schema})


def _object(sandbox: Sandbox, names: frozenset[str], custom: str) -> dict[str, Any]:
    fields = [name for name in sandbox.references.ids("customField") if name.startswith(f"{custom}_")]
    properties: dict[str, object] = {name: {} for name in sorted(names)}
    properties |= {name: {"x-ns-custom-field": True} for name in sorted(fields)}
    return {"type": "object", "properties": properties}
