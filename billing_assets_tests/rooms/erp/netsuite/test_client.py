"""The client against a wire that fails in every way: what it knows afterwards, and that nothing was sent twice."""

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stamina
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.erp.netsuite.errors import (
    NetSuiteAnswerUnreadable,
    NetSuiteForbidden,
    NetSuiteLoginRefused,
    NetSuiteNotFound,
    NetSuiteQueryRefused,
    NetSuiteUnavailable,
)
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.posting.answers import Exists, Landed, NotSent, Refused, Unauthorized, Unknown
from proving.world.raw_server import Behaviour, Call, certificate_settings, login, raw_server, write_key
from proving.world.waiting import PATIENCE_SECONDS

BODY = b'{"externalId": "INV-1"}'


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_key(tmp_path / "key.pem")


def envelope(status: int, code: str, text: str) -> bytes:
    return json.dumps({"status": status, "o:errorDetails": [{"detail": text, "o:errorCode": code}]}).encode()


def test_a_create_is_one_post_with_the_headers_that_netsuite_needs(key: Path) -> None:
    with raw_server(Call.landed) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert client.create("invoice", BODY) == Landed("647")
        client.close()
    (call,) = server.calls
    assert call.body == BODY
    lines = call.head.split("\r\n")
    assert lines[0] == "POST /services/rest/record/v1/invoice HTTP/1.1"
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert headers["content-type"] == "application/json"
    assert headers["x-netsuite-propertynamevalidation"] == "Error"
    assert headers["authorization"] == "Bearer token-1"


def test_a_thread_keeps_its_connection_and_its_token(key: Path) -> None:
    with raw_server(Call.landed) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        for _ in range(20):
            assert client.create("invoice", BODY) == Landed("647")
    assert server.connections == 1 + 1  # one for the login
    assert len(server.logins) == 1


def close(call: Call) -> None:
    """FIN without an answer."""


def reset(call: Call) -> None:
    call.reset()


def half_a_head(call: Call) -> None:
    call.connection.sendall(b"HTTP/1.1 204 No Content\r\nLocation: /services/rest/reco")


def reset_in_the_head(call: Call) -> None:
    half_a_head(call)
    call.reset()


def half_a_refusal(call: Call) -> None:
    body = envelope(400, "INVALID_CONTENT", "Invalid Field Value")
    call.connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n%s" % (len(body) + 1, body))


def ten_megabytes(call: Call) -> None:
    call.answer(400, envelope(400, "INVALID_CONTENT", "x" * 10_000_000))


def endless(call: Call) -> None:
    call.connection.sendall(b"HTTP/1.1 500 Error\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        call.connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def garbage(call: Call) -> None:
    call.connection.sendall(b"\x00\x01\x02 this is not HTTP\r\n\r\n")


def bad_gateway(call: Call) -> None:
    call.answer(502, b"<html><title>502 Bad Gateway</title></html>", Content_Type="text/html")


def bad_gzip(call: Call) -> None:
    call.answer(400, b"this is not gzip", Content_Encoding="gzip")


@pytest.mark.parametrize(
    "behaviour",
    [
        close,
        reset,
        half_a_head,
        reset_in_the_head,
        half_a_refusal,
        ten_megabytes,
        endless,
        garbage,
        bad_gateway,
        bad_gzip,
    ],
)
def test_after_a_broken_exchange_nobody_knows_and_nothing_is_sent_again(behaviour: Behaviour, key: Path) -> None:
    with raw_server(behaviour) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert isinstance(client.create("invoice", BODY), Unknown)
        time.sleep(0.1)
        assert server.posts == 1


def test_a_connection_that_breaks_after_the_head_of_a_204_has_landed(key: Path) -> None:
    def landed_then_reset(call: Call) -> None:
        call.landed()
        time.sleep(0.05)
        call.reset()

    with raw_server(landed_then_reset) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert client.create("invoice", BODY) == Landed("647")


def test_silence_is_unknown_after_the_timeout(key: Path) -> None:
    over = threading.Event()

    def silent(call: Call) -> None:
        over.wait()

    with raw_server(silent) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key, timeout_seconds=0.4))
        began = time.monotonic()
        assert isinstance(client.create("invoice", BODY), Unknown)
        assert time.monotonic() - began > 0.3
        over.set()
        assert server.posts == 1


def test_a_body_that_trickles_does_not_hold_a_lane_for_longer_than_the_timeout(key: Path) -> None:
    over = threading.Event()

    def trickle(call: Call) -> None:
        call.connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 100000\r\n\r\n")
        while not over.wait(0.05):
            call.connection.sendall(b" ")

    with raw_server(trickle) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key, timeout_seconds=0.5))
        assert isinstance(client.create("invoice", BODY), Unknown)
        assert not over.is_set(), "it trickles on"
        over.set()


def test_a_connection_that_dies_while_the_second_document_is_under_way_is_unknown_and_not_sent_again(key: Path) -> None:
    """urllib3 and browsers may re-send on a stale keep-alive connection; a POST that bills must not."""

    def first_only(call: Call) -> bool:
        return call.number == 1 and call.landed()

    with raw_server(first_only) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert client.create("invoice", BODY) == Landed("647")
        assert isinstance(client.create("invoice", BODY), Unknown)
        assert server.posts == 2


def test_a_connection_that_was_closed_while_idle_is_opened_again(key: Path) -> None:
    def landed_then_close(call: Call) -> None:
        call.landed()

    with raw_server(landed_then_close) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        for _ in range(3):
            assert client.create("invoice", BODY) == Landed("647")
            time.sleep(0.05)
        assert server.posts == 3


def test_bytes_after_a_204_are_not_taken_for_the_next_answer(key: Path) -> None:
    def two_answers(call: Call) -> bool:
        head = b"HTTP/1.1 204 No Content\r\nLocation: /services/rest/record/v1/invoice/%d\r\n\r\n"
        call.connection.sendall(head % call.number + (head % 999 if call.number == 1 else b""))
        return True

    with raw_server(two_answers) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert client.create("invoice", BODY) == Landed("1")
        time.sleep(0.05)
        assert client.create("invoice", BODY) == Landed("2")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_nobody_else_gets_the_document(status: int, key: Path) -> None:
    with raw_server(Call.landed) as elsewhere:

        def redirect(call: Call) -> bool:
            return call.answer(status, Location=f"{elsewhere.base_url}/services/rest/record/v1/invoice")

        with raw_server(redirect) as server:
            client = NetSuiteClient(certificate_settings(server.base_url, key))
            assert isinstance(client.create("invoice", BODY), Unknown)
    assert elsewhere.calls == []


def token_based(url: str, secret: str = "x" * 8) -> NetSuiteSettings:
    secrets = dict.fromkeys(("consumer_key", "consumer_secret", "token_id", "token_secret"), secret)
    return NetSuiteSettings.model_validate(
        {"account": "1234567", "base_url": url, "auth": "tba", "timeout_seconds": 2, **secrets}
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_refused_connection_and_an_unknown_host_were_surely_not_sent() -> None:
    refused = NetSuiteClient(token_based(f"http://127.0.0.1:{free_port()}")).create("invoice", BODY)
    assert isinstance(refused, NotSent)
    assert "refused" in refused.reason
    assert isinstance(NetSuiteClient(token_based("https://netsuite.invalid")).create("invoice", BODY), NotSent)


def test_a_server_that_has_gone_since_the_last_document_got_nothing(key: Path) -> None:
    def landed_then_close(call: Call) -> None:
        call.landed()

    with raw_server(landed_then_close) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert client.create("invoice", BODY) == Landed("647")
    assert isinstance(client.create("invoice", BODY), NotSent)


def test_a_proxy_that_does_not_connect_us_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda call: call.answer(502)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        found = NetSuiteClient(token_based("https://netsuite.invalid")).create("invoice", BODY)
    assert [call.head.split()[0] for call in proxy.calls] == ["CONNECT"]
    assert isinstance(found, NotSent)
    assert "502" in found.reason


def test_a_server_that_speaks_no_tls_gets_nothing_to_see() -> None:
    with raw_server(Call.landed) as server:
        client = NetSuiteClient(token_based(server.base_url.replace("http:", "https:")))
        assert isinstance(client.create("invoice", BODY), NotSent)
    assert server.calls == []


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    key_file = write_key(folder / "tls.pem", key)
    with key_file.open("ab") as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key_file)
    return context


def test_a_server_without_a_trusted_certificate_gets_nothing_to_see(tmp_path: Path) -> None:
    with raw_server(Call.landed, tls=self_signed(tmp_path)) as server:
        found = NetSuiteClient(token_based(server.base_url)).create("invoice", BODY)
    assert isinstance(found, NotSent)
    assert "certificate" in found.reason.lower()
    assert server.calls == []


def test_a_login_that_is_down_means_not_sent_and_one_that_refuses_stops_the_run(key: Path) -> None:
    with raw_server(Call.landed, on_login=lambda call: call.answer(503)) as server:
        assert isinstance(NetSuiteClient(certificate_settings(server.base_url, key)).create("invoice", BODY), NotSent)

    def no(call: Call) -> bool:
        return call.answer(400, b'{"error": "invalid_client"}')

    with raw_server(Call.landed, on_login=no) as refusing:
        found = NetSuiteClient(certificate_settings(refusing.base_url, key)).create("invoice", BODY)
    assert isinstance(found, Unauthorized)
    assert "BILLING_NETSUITE__CERTIFICATE_ID" in found.detail
    assert server.calls == refusing.calls == []


def test_an_expired_token_is_renewed_once_and_the_document_sent_again(key: Path) -> None:
    def only_the_second_token(call: Call) -> bool:
        if "Bearer token-1\r\n" in call.head:
            return call.answer(401, envelope(401, "INVALID_LOGIN", "Invalid login attempt."))
        return call.landed()

    with raw_server(only_the_second_token) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        with ThreadPoolExecutor(8) as pool:
            barrier = threading.Barrier(8)

            def create(_: int) -> object:
                barrier.wait(PATIENCE_SECONDS)
                return client.create("invoice", BODY)

            assert set(pool.map(create, range(8))) == {Landed("647")}
        assert len(server.logins) == 2  # the expired one, and one for all eight


def test_a_login_that_stays_refused_is_not_tried_for_ever(key: Path) -> None:
    with raw_server(lambda call: call.answer(401)) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert isinstance(client.create("invoice", BODY), Unauthorized)
        assert server.posts == 2
        with pytest.raises(NetSuiteLoginRefused):
            client.get("record/v1/invoice/1")
    with raw_server(lambda call: call.answer(401)) as server:
        assert isinstance(NetSuiteClient(token_based(server.base_url)).create("invoice", BODY), Unauthorized)
        assert server.posts == 1  # there is no token to renew


def test_one_refused_login_on_a_question_is_survived_as_it_is_on_a_create(key: Path) -> None:
    """Too many parallel calls have shown as 401, too."""

    def second(call: Call) -> bool:
        if call.number == 1:
            return call.answer(401, envelope(401, "INVALID_LOGIN", "Invalid login attempt."))
        return call.answer(200, b'{"integrationLimitType": "none", "items": []}')

    ask: list[Callable[[NetSuiteClient], object]] = [
        lambda client: client.suiteql_page("SELECT 1", limit=1, offset=0),
        NetSuiteClient.ask_for_life,
        NetSuiteClient.concurrency_limit,
    ]
    for one in ask:
        with raw_server(second) as server:
            one(NetSuiteClient(token_based(server.base_url)))
            assert len(server.calls) == 2

    def twice(call: Call) -> bool:
        return login(call) if call.number > 1 else call.answer(401, b'{"error": "invalid_client"}')

    with raw_server(second, on_login=twice) as server:
        NetSuiteClient(certificate_settings(server.base_url, key)).ask_for_life()


@pytest.mark.parametrize(
    "secret",
    ["errorDetails", "o:errorCode", "INVALID_KEY", "already exists", "https://", 'a "quoted" one', "Überall-1"],
)
def test_an_answer_is_understood_before_the_secrets_that_it_repeats_are_masked(secret: str) -> None:
    said = f"Invalid login with {secret}: this record already exists."
    body = envelope(400, "USER_ERROR", f"{'.' * 1_995}{secret}") + b" "
    both = envelope(400, "USER_ERROR", said)
    with raw_server(lambda call: call.answer(400, both if call.number == 1 else body)) as server:
        client = NetSuiteClient(token_based(server.base_url, secret))
        exists = client.create("invoice", BODY)
        cut = client.create("invoice", BODY)
        with pytest.raises(NetSuiteQueryRefused) as refused:
            client.suiteql_page("SELECT 1", limit=1, offset=0)
    assert isinstance(exists, Exists)
    assert isinstance(cut, Refused)
    for told in (exists.detail, cut.detail, str(refused.value), refused.value.detail):
        assert secret not in told
        assert secret[:5] not in told.removeprefix("NetSuite"), "nor its beginning, where a long text is cut"


def test_reads_are_repeated_until_netsuite_answers(key: Path) -> None:
    def at_the_fourth(call: Call) -> bool | None:
        if call.number == 1:
            return call.answer(503, b"<html>")
        if call.number == 2:
            return None
        if call.number == 3:
            return call.answer(429, Retry_After="0")
        return call.answer(200, b'{"total": 1234567890123456.10, "count": 2}')

    with raw_server(at_the_fourth) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, key))
        assert client.get("record/v1/invoice/1") == {"total": "1234567890123456.10", "count": "2"}
        assert len(server.calls) == 4


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, envelope(400, "INVALID_PARAMETER", "Invalid search query."), NetSuiteQueryRefused),
        (403, envelope(403, "INSUFFICIENT_PERMISSION", "no"), NetSuiteForbidden),
        (404, envelope(404, "NONEXISTENT_ID", "no"), NetSuiteNotFound),
        (200, b"<html>a captive portal</html>", NetSuiteAnswerUnreadable),
        (200, b"[]", NetSuiteAnswerUnreadable),
    ],
)
def test_a_read_that_will_not_get_better_fails_at_once(
    status: int, body: bytes, kind: type[Exception], key: Path
) -> None:
    with raw_server(lambda call: call.answer(status, body)) as server:
        with pytest.raises(kind):
            NetSuiteClient(certificate_settings(server.base_url, key)).suiteql_page("SELECT 1", limit=1, offset=0)
        assert len(server.calls) == 1


def test_reads_from_a_server_that_is_gone_end_with_the_cause_named() -> None:
    with stamina.set_testing(True, attempts=2), pytest.raises(NetSuiteUnavailable, match="refused"):
        NetSuiteClient(token_based(f"http://127.0.0.1:{free_port()}")).get("record/v1/invoice/1")
