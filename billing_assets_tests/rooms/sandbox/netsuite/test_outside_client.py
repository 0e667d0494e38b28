"""The package `netsuite`, which knows nothing of us, works with the sandbox by token-based authentication."""

import asyncio
from typing import Any

import pytest
from netsuite import Config, TokenAuth
from netsuite.exceptions import NetsuiteAPIRequestError
from netsuite.rest_api import NetSuiteRestApi

from proving.world.account import Account, invoice


class LocalApi(NetSuiteRestApi):  # type: ignore[misc]
    """The outside client with another address."""

    def __init__(self, base_url: str, config: Config) -> None:
        super().__init__(config)
        self._base_url = base_url

    def _make_url(self, subpath: str) -> str:
        return f"{self._base_url}/services/rest{subpath}"


def _api(account: Account, **changes: str) -> LocalApi:
    own = account.credentials
    keys = {
        "consumer_key": own.consumer_key,
        "consumer_secret": own.consumer_secret,
        "token_id": own.token_id,
        "token_secret": own.token_secret,
        **changes,
    }
    return LocalApi(account.base_url, Config(account=own.account, auth=TokenAuth(**keys)))


def test_the_outside_client_creates_reads_updates_and_queries(account: Account) -> None:
    async def work() -> tuple[Any, ...]:
        api = _api(account)
        created = await api.post("/record/v1/invoice", json=invoice())
        await api.patch("/record/v1/invoice/eid:INV-1", json={"memo": "hello £"})
        shown = await api.get("/record/v1/invoice/eid:INV-1", params={"expandSubResources": "true"})
        found = await api.suiteql("SELECT id, externalid, foreigntotal FROM transaction WHERE externalid = 'INV-1'")
        everything = await api.suiteql("SELECT * FROM Transaction", limit=5, offset=0)
        catalog = await api.openapi(["invoice"])
        return created, shown, found, everything, catalog

    created, shown, found, everything, catalog = asyncio.run(work())
    assert created is None
    assert (shown["total"], shown["memo"], len(shown["item"]["items"])) == (20.4, "hello £", 2)
    assert found["items"] == [{"links": [], "id": "1", "externalid": "INV-1", "foreigntotal": "20.4"}]
    assert (everything["count"], everything["hasMore"]) == (1, False)
    assert catalog["items"]


def test_the_outside_client_is_told_why(account: Account) -> None:
    misspelt = _api(account).post("/record/v1/invoice", json=invoice(memmo="x"))
    with pytest.raises(NetsuiteAPIRequestError, match="memmo"):
        asyncio.run(misspelt)
    with pytest.raises(NetsuiteAPIRequestError, match="INVALID_LOGIN"):
        asyncio.run(_api(account, token_secret="wrong").get("/record/v1/customer/17850"))
