"""Both ways to log in, and everything that must not pass."""

import time
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from requests_oauthlib import OAuth1

from proving.world.account import ASSERTION_TYPE, REST, TOKEN_PATH, Account, assertion, error, log_in, request_token

RECORD = f"{REST}/record/v1/customer/17850"


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def test_a_valid_assertion_gives_a_token_that_opens(account: Account) -> None:
    audience = account.base_url + TOKEN_PATH
    answer = request_token(account.base_url, assertion(account.credentials, audience, scope="rest_webservices"))
    assert (answer.status_code, answer.json()["token_type"], answer.json()["expires_in"]) == (200, "Bearer", "3600")
    header = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert requests.get(account.base_url + RECORD, headers=header, timeout=30).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"aud": "https://example.com/token"},
        {"kid": "another"},
        {"scope": ["restlets"]},
        {"scope": None},
        {"exp": None},
        {"exp": "past"},
        {"exp": "far"},
        {"iat": None},
        {"key": _pem(ec.generate_private_key(ec.SECP256R1()))},
        {"key": _pem(rsa.generate_private_key(65537, 2048)), "algorithm": "RS256"},
        {"key": _pem(rsa.generate_private_key(65537, 2048)), "algorithm": "PS256"},
        {"key": "an hmac key that is long enough to be taken", "algorithm": "HS256"},
    ],
    ids="-".join,
)
def test_a_wrong_assertion_gives_no_token(account: Account, changes: dict[str, Any]) -> None:
    now = int(time.time())
    instants = {"past": now - 10, "far": now + 7300}
    changes = {name: instants.get(value, value) if name == "exp" else value for name, value in changes.items()}
    audience = changes.pop("aud", account.base_url + TOKEN_PATH)
    algorithm = changes.pop("algorithm", "ES256")
    answer = request_token(account.base_url, assertion(account.credentials, audience, algorithm, **changes))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_the_token_call_checks_its_form(account: Account) -> None:
    text = assertion(account.credentials, account.base_url + TOKEN_PATH)
    good = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": text,
    }
    for wrong in ({"grant_type": "password"}, {"client_assertion_type": "jwt"}, {"client_assertion": ""}):
        assert requests.post(account.base_url + TOKEN_PATH, data={**good, **wrong}, timeout=30).status_code == 400


@pytest.mark.parametrize("header", ["", "Bearer nonsense", "Basic dXNlcjpwYXNz", "OAuth", "Bearer "])
def test_without_a_valid_login_everything_is_refused_the_same_way(account: Account, header: str) -> None:
    for method, path in (
        ("GET", "/record/v1/invoice/1"),
        ("POST", "/record/v1/invoice"),
        ("POST", "/query/v1/suiteql"),
    ):
        answer = requests.request(
            method, account.base_url + REST + path, headers={"Authorization": header}, json={}, timeout=30
        )
        assert error(answer)[:3] == (401, "INVALID_LOGIN", "Invalid login attempt.")
        assert 'error="' in answer.headers["WWW-Authenticate"]
    assert account.admin("summary")["posts"]["received"] == 0


def test_a_token_expires(account: Account) -> None:
    account.switch(token_lifetime_seconds=1)
    short = log_in(account.base_url, account.credentials)
    assert short.get("/record/v1/customer/17850").status_code == 200
    time.sleep(1.1)
    answer = short.get("/record/v1/customer/17850")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert account.get("/record/v1/customer/17850").status_code == 200, "tokens issued before keep theirs"


def _signed(account: Account, **changes: Any) -> OAuth1:
    own = account.credentials
    options: dict[str, Any] = {
        "client_key": own.consumer_key,
        "client_secret": own.consumer_secret,
        "resource_owner_key": own.token_id,
        "resource_owner_secret": own.token_secret,
        "realm": own.account,
        "signature_method": "HMAC-SHA256",
        **changes,
    }
    return OAuth1(**options)


def test_a_signed_request_opens_query_string_included(account: Account) -> None:
    url = account.base_url + RECORD + "?expandSubResources=true&x=a%20b%2B&y="
    assert requests.get(url, auth=_signed(account), timeout=30).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"client_key": "x"},
        {"client_secret": "x"},
        {"resource_owner_key": "x"},
        {"resource_owner_secret": "x"},
        {"realm": "tstdrv1234567"},
        {"realm": None},
        {"signature_method": "HMAC-SHA1"},
        {"timestamp": "1289000000"},
        {"timestamp": "soon"},
    ],
    ids=lambda changes: "-".join(map(str, next(iter(changes.items())))),
)
def test_a_wrong_signature_is_refused(account: Account, changes: dict[str, Any]) -> None:
    answer = requests.get(account.base_url + RECORD, auth=_signed(account, **changes), timeout=30)
    assert error(answer)[:2] == (401, "INVALID_LOGIN")
    assert answer.headers["WWW-Authenticate"].startswith("OAuth ")


def test_a_changed_request_does_not_fit_its_signature(account: Account) -> None:
    prepared = requests.Request("GET", account.base_url + RECORD, auth=_signed(account)).prepare()
    assert prepared.url is not None
    prepared.url = prepared.url.replace("17850", "13047")
    with requests.Session() as session:
        assert session.send(prepared, timeout=30).status_code == 401


def test_a_nonce_is_used_once_per_timestamp(account: Account) -> None:
    now = int(time.time())
    first, later = (
        _signed(account, nonce="n1", timestamp=str(now)),
        _signed(account, nonce="n1", timestamp=str(now - 1)),
    )
    url = account.base_url + RECORD
    statuses = [requests.get(url, auth=auth, timeout=30).status_code for auth in (first, first, later)]
    assert statuses == [200, 401, 200]
