"""Which address the client calls, and which it refuses."""

import pytest

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.wire import NetSuiteSettingsError, base_url
from billing_assets.erp.settings import NetSuiteSettings


@pytest.mark.parametrize(
    ("account", "url"),
    [
        ("1234567", "https://1234567.suitetalk.api.netsuite.com"),
        ("1234567_SB1", "https://1234567-sb1.suitetalk.api.netsuite.com"),
        ("TSTDRV1234567", "https://tstdrv1234567.suitetalk.api.netsuite.com"),
    ],
)
def test_the_address_follows_from_the_account(account: str, url: str) -> None:
    assert base_url(NetSuiteSettings(account=account)) == url


@pytest.mark.parametrize("url", ["https://x.example/", "http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:1"])
def test_an_address_of_ones_own_is_taken(url: str) -> None:
    assert base_url(NetSuiteSettings(base_url=url)) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://1234567.suitetalk.api.netsuite.com",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1",
        "ftp://x",
        "x.example",
        "https://",
        "https://user:secret@x.example",
        "https://x.example?q=1",
        "https://x.example:port",
        "",
    ],
)
def test_an_address_that_would_carry_secrets_in_the_open_is_refused(url: str) -> None:
    with pytest.raises(NetSuiteSettingsError, match="BILLING_NETSUITE__BASE_URL") as refused:
        base_url(NetSuiteSettings(base_url=url))
    assert "secret" not in str(refused.value)


def test_an_account_that_is_none_is_refused() -> None:
    with pytest.raises(NetSuiteSettingsError, match="BILLING_NETSUITE__ACCOUNT"):
        base_url(NetSuiteSettings(account="evil.example/"))


@pytest.mark.parametrize("account", [None, "", " "])
def test_without_an_account_there_is_no_client(account: str | None) -> None:
    with pytest.raises(NetSuiteSettingsError, match="BILLING_NETSUITE__ACCOUNT is not set"):
        NetSuiteClient(NetSuiteSettings(account=account, base_url="http://127.0.0.1:1"))
