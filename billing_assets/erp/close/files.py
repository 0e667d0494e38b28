"""Close packs for browsers: the links in the metadata of `month_close` lead here.

No login of its own, as the web UI has none: both stand behind the same proxy (docs/operations.md).
"""

import re

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from billing_assets.erp.close import store
from billing_assets.foundation.database.connection import connect

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_AS_IT_IS = {"X-Content-Type-Options": "nosniff"}  # a browser takes nothing of it for a page
_TYPES = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def application(database_url: str) -> Starlette:
    """The application over a database of ours."""

    def pack_file(request: Request) -> Response:
        period, digest, ending = (request.path_params[name] for name in ("period", "digest", "ending"))
        with connect(database_url, application="billing files") as connection:
            found = store.pack_by_digest(connection, period, digest)
        if found is None or ending not in _TYPES:
            # Of the address nothing but a month is repeated: it may be anybody's text.
            month = f" of {period}" if _MONTH.fullmatch(period) else ""
            return PlainTextResponse(
                f"There is no such file{month}. A pack is replaced when its month changes, unless the month was "
                "closed on it: open the link of the last materialization.",
                status_code=404,
                headers=_AS_IT_IS,
            )
        content = found.statement if ending == "pdf" else found.workbook
        headers = {
            "Content-Disposition": f"{'inline' if ending == 'pdf' else 'attachment'}; "
            f'filename="month-close-{found.period}.{ending}"',
            **_AS_IT_IS,
        }
        return Response(content, media_type=_TYPES[ending], headers=headers)

    path = "/close/{period}/{digest}/{name}.{ending}"
    return Starlette(routes=[Route(path, pack_file, methods=["GET"])])


def serve(database_url: str, host: str, port: int) -> None:
    """Serves until the process is stopped."""
    uvicorn.run(application(database_url), host=host, port=port, log_level="warning")
