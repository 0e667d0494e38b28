"""Logging in: what is signed with which key, how often, and what a wrong setting is told."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from billing_assets.erp.netsuite.auth import BearerAuth, authenticator, read_private_key
from billing_assets.erp.netsuite.errors import NetSuiteAnswerUnreadable, NetSuiteLoginRefused, NetSuiteUnavailable
from billing_assets.erp.netsuite.wire import NetSuiteSettingsError
from billing_assets.erp.settings import NetSuiteSettings
from proving.world.raw_server import Call, certificate_settings, raw_server, write_key
from proving.world.waiting import PATIENCE_SECONDS, until


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key.pem")


def signed(auth: requests.auth.AuthBase) -> str:
    request = requests.Request("POST", "http://127.0.0.1/services/rest/record/v1/invoice").prepare()
    header: str | bytes = auth(request).headers["Authorization"]
    return header.decode() if isinstance(header, bytes) else header


@pytest.mark.parametrize(
    ("make", "algorithm"),
    [
        (lambda: rsa.generate_private_key(65537, 3072), "PS256"),
        (lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "ES384"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), "ES512"),
    ],
    ids=["RSA", "P-256", "P-384", "P-521"],
)
def test_the_login_signs_netsuites_claims_with_the_algorithm_of_the_key(
    make: Callable[[], Any], algorithm: str, tmp_path: Path
) -> None:
    key = make()
    with raw_server(Call.landed) as server:
        auth = BearerAuth(certificate_settings(server.base_url, write_key(tmp_path / "key.pem", key)))
        assert signed(auth) == "Bearer token-1"
    (call,) = server.logins
    form = parse_qs(call.body.decode())
    assert form["grant_type"] == ["client_credentials"]
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    (assertion,) = form["client_assertion"]
    url = f"{server.base_url}/services/rest/auth/oauth2/v1/token"
    claims = jwt.decode(assertion, key.public_key(), algorithms=[algorithm], audience=url, issuer="the-client-id")
    assert jwt.get_unverified_header(assertion) == {"alg": algorithm, "kid": "the-certificate", "typ": "JWT"}
    assert claims["scope"] == ["rest_webservices"]
    assert claims["iat"] <= time.time()
    assert 0 < claims["exp"] - claims["iat"] <= 3600


def test_a_token_is_fetched_once_by_one_of_many_threads(key_file: Path) -> None:
    def slow(call: Call) -> bool:
        time.sleep(0.2)
        return call.answer(200, b'{"access_token": "t", "expires_in": 3600}')

    with raw_server(Call.landed, on_login=slow) as server, ThreadPoolExecutor(8) as pool:
        auth = BearerAuth(certificate_settings(server.base_url, key_file))
        assert set(pool.map(lambda _: signed(auth), range(32))) == {"Bearer t"}
        assert len(server.logins) == 1


def test_a_login_that_fails_fails_once_for_all_who_wait_and_is_tried_again_later(key_file: Path) -> None:
    asking: list[int] = []

    def slow_failure(call: Call) -> bool:
        if call.number == 1:
            until(lambda: len(asking) == 8)
            time.sleep(0.3)
            return call.answer(503)
        return call.answer(200, b'{"access_token": "t", "expires_in": "3600"}')

    with raw_server(Call.landed, on_login=slow_failure) as server, ThreadPoolExecutor(8) as pool:
        auth = BearerAuth(certificate_settings(server.base_url, key_file))
        barrier = threading.Barrier(8)

        def attempt(number: int) -> str:
            barrier.wait(PATIENCE_SECONDS)
            asking.append(number)
            with pytest.raises(NetSuiteUnavailable):
                signed(auth)
            return "failed"

        assert list(pool.map(attempt, range(8))) == ["failed"] * 8
        assert len(server.logins) == 1
        assert signed(auth) == "Bearer t"


def test_a_token_is_renewed_before_it_expires(key_file: Path) -> None:
    def short(call: Call) -> bool:
        return call.answer(200, b'{"access_token": "t%d", "expires_in": "1"}' % call.number)

    with raw_server(Call.landed, on_login=short) as server:
        auth = BearerAuth(certificate_settings(server.base_url, key_file))
        assert signed(auth) == signed(auth) == "Bearer t1"
        time.sleep(0.85)
        assert signed(auth) == "Bearer t2"


def test_a_refused_token_is_forgotten_only_if_it_is_still_the_one_in_use(key_file: Path) -> None:
    with raw_server(Call.landed) as server:
        auth = BearerAuth(certificate_settings(server.base_url, key_file))
        first = signed(auth)
        auth.forget(first)
        assert signed(auth) == "Bearer token-2"
        auth.forget(first)  # a thread that comes late with the old one
        assert signed(auth) == "Bearer token-2"


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"{}",
        b'{"access_token": ""}',
        b'{"access_token": 5}',
        b'{"access_token": "a\\r\\nX-Evil: 1"}',
        b"[]",
    ],
)
def test_a_login_that_answers_without_a_token_says_so(answer: bytes, key_file: Path) -> None:
    with raw_server(Call.landed, on_login=lambda call: call.answer(200, answer)) as server:
        auth = BearerAuth(certificate_settings(server.base_url, key_file))
        with pytest.raises(NetSuiteAnswerUnreadable, match="BILLING_NETSUITE__BASE_URL"):
            signed(auth)


def test_a_refused_login_names_what_to_check_and_no_secret(key_file: Path) -> None:
    def no(call: Call) -> bool:
        return call.answer(401, b'{"error": "invalid_client", "error_description": "certificate expired"}')

    with raw_server(Call.landed, on_login=no) as server:
        auth = BearerAuth(certificate_settings(server.base_url, key_file))
        with pytest.raises(NetSuiteLoginRefused, match="certificate expired") as refused:
            signed(auth)
    assert refused.value.http_status == 401
    assert refused.value.netsuite_code == "invalid_client"
    assert "BILLING_NETSUITE__PRIVATE_KEY_FILE" in str(refused.value)
    assert "the-client-id" not in str(refused.value)


def test_every_missing_setting_is_named_with_its_variable(key_file: Path) -> None:
    with pytest.raises(NetSuiteSettingsError) as missing:
        authenticator(NetSuiteSettings.model_validate({"client_id": " ", "private_key_file": key_file}))
    assert missing.value.variables == ("BILLING_NETSUITE__CLIENT_ID", "BILLING_NETSUITE__CERTIFICATE_ID")
    assert all(variable in str(missing.value) for variable in missing.value.variables)
    with pytest.raises(NetSuiteSettingsError, match="BILLING_NETSUITE__TOKEN_SECRET is not set"):
        authenticator(
            NetSuiteSettings.model_validate(
                {"auth": "tba", "consumer_key": "a" * 8, "consumer_secret": "b" * 8, "token_id": "c" * 8}
            )
        )


def refusal(file: Path) -> str:
    with pytest.raises(NetSuiteSettingsError) as refused:
        read_private_key(file)
    assert refused.value.variables == ("BILLING_NETSUITE__PRIVATE_KEY_FILE",)
    assert str(file) in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_is_refused_with_the_cure(mode: int, key_file: Path) -> None:
    key_file.chmod(mode)
    assert f"chmod 600 {key_file}" in refusal(key_file)
    key_file.chmod(0o400)
    read_private_key(key_file)


def test_a_file_that_is_no_usable_key_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "absent.pem")
    text = tmp_path / "text.pem"
    text.touch(0o600)
    text.write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    assert "no private key in PEM form" in refusal(text)
    text.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    assert "passphrase" in refusal(text)
    assert "2048 bits" in refusal(write_key(tmp_path / "small.pem", rsa.generate_private_key(65537, 2048)))
    assert "secp256k1" in refusal(write_key(tmp_path / "bitcoin.pem", ec.generate_private_key(ec.SECP256K1())))
    assert "RSA" in refusal(write_key(tmp_path / "ed.pem", ed25519.Ed25519PrivateKey.generate()))


def test_the_token_based_signature_names_the_realm_in_netsuites_form_and_is_new_each_time() -> None:
    secrets = {name: f"the-{name}" for name in ("consumer_key", "consumer_secret", "token_id", "token_secret")}
    auth = authenticator(NetSuiteSettings.model_validate({"account": "1234567-sb1", "auth": "tba", **secrets}))
    one, other = signed(auth), signed(auth)
    assert one.startswith('OAuth realm="1234567_SB1", ')
    assert 'oauth_signature_method="HMAC-SHA256"' in one
    assert one != other
    assert not [secret for secret in ("the-consumer_secret", "the-token_secret") if secret in one]
