"""The operation governanceLimits: how many requests at once the account allows; administrators only."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing_assets.sandbox.netsuite import errors
from billing_assets.sandbox.netsuite.context import Sandbox


async def limits(sandbox: Sandbox, _request: Request) -> Response:
    """GET governanceLimits. The sandbox has one limit, whichever type it is said to be."""
    kind, limit = sandbox.switches.governance, sandbox.switches.concurrency_limit
    if kind == "forbidden":
        raise errors.permission()
    own = {"integrationConcurrencyLimit": limit} if kind == "integrationSpecific" else {}
    account = {"accountConcurrencyLimit": limit, "accountUnallocatedConcurrencyLimit": limit}
    return JSONResponse({**account, **own, "integrationLimitType": kind})
