"""GET /record/v1/metadata-catalog, as far as a client needs it to see which records there are."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing_assets.sandbox.netsuite import bodies, errors
from billing_assets.sandbox.netsuite.authentication import base_url
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.records import RECORD_TYPES
from billing_assets.sandbox.netsuite.references import TYPES


async def catalog(_sandbox: Sandbox, request: Request) -> Response:
    """The names of all record types, with a link to each one's schema."""
    url = f"{base_url(request)}/services/rest/record/v1/metadata-catalog"
    names = [*RECORD_TYPES.values(), *TYPES]
    return JSONResponse({"items": [{"name": n, "links": [{"rel": "describes", "href": f"{url}/{n}"}]} for n in names]})


async def record_schema(_sandbox: Sandbox, request: Request) -> Response:
    """The property names of a transaction, and of its lines."""
    record_type = RECORD_TYPES.get(request.path_params["type"].lower())
    if record_type is None:
        raise errors.no_such_resource()
    line = {"type": "object", "properties": {name: {} for name in sorted(bodies.LINE_PROPERTIES)}}
    properties: dict[str, object] = {name: {} for name in sorted(bodies.HEADER_PROPERTIES[record_type])}
    if "item" in properties:
        properties["item"] = {"type": "object", "properties": {"items": {"type": "array", "items": line}}}
    return JSONResponse({"type": "object", "title": record_type, "properties": properties})
