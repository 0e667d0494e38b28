"""TLS verification cannot be switched off, by accident or on purpose: real servers with real, wrong certificates."""

import ipaddress
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from billing_assets.erp.netsuite.client import NetSuiteClient
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.sections import AlertSettings
from billing_assets.operations.alerts.causes import daemon_silent
from billing_assets.operations.alerts.send import AlertDeliveryError, deliver
from billing_assets.posting.answers import Landed, NotSent
from proving.world.raw_server import Call, certificate_settings, raw_server, write_key

BODY = b'{"externalId": "INV-1"}'
NOW = datetime.now(UTC)


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority")])
        own = self._certificate(self._name, self._key.public_key(), NOW + timedelta(days=1), None, ca=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def server(self, *, host: str = "127.0.0.1", ended: bool = False) -> ssl.SSLContext:
        """What a server needs whose certificate is for `host`, expired if `ended`."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            named = x509.DNSName(host)
        until = NOW - timedelta(hours=1) if ended else NOW + timedelta(hours=1)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._certificate(name, key.public_key(), until, named, ca=False)
        file = write_key(self._folder / f"{host}-{ended}.pem", key)
        with file.open("ab") as out:
            out.write(certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _certificate(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePublicKey,
        until: datetime,
        named: x509.GeneralName | None,
        *,
        ca: bool,
    ) -> x509.Certificate:
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=2))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if named is not None:
            made = made.add_extension(x509.SubjectAlternativeName([named]), critical=False)
        return made.sign(self._key, hashes.SHA256())


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that this machine trusts, as `REQUESTS_CA_BUNDLE` says."""
    found = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(found.file))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return found


def create(folder: Path, context: ssl.SSLContext) -> tuple[object, int]:
    """What the client says, and how many requests of any sort, logins included, reached the server."""
    with raw_server(Call.landed, tls=context) as server:
        client = NetSuiteClient(certificate_settings(server.base_url, write_key(folder / "client.pem")))
        found = client.create("invoice", BODY)
        client.close()
        return found, len(server.calls) + len(server.logins)


def test_a_server_with_a_certificate_of_a_trusted_authority_is_spoken_to(authority: Authority, tmp_path: Path) -> None:
    assert create(tmp_path, authority.server()) == (Landed("647"), 2)


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        (lambda authority: authority.server(ended=True), "expired"),
        (lambda authority: authority.server(host="elsewhere.example"), "mismatch|doesn't match|not valid for"),
        (lambda authority: authority.server(host="127.0.0.2"), "mismatch|doesn't match|not valid for"),
        (lambda authority: Authority(authority.file.parent).server(), "verify failed|signature"),
    ],
    ids=["expired", "for another host", "for another address", "of an authority that nobody trusts"],
)
def test_a_wrong_certificate_gets_neither_login_nor_document(
    authority: Authority, tmp_path: Path, context: Callable[[Authority], ssl.SSLContext], reason: str
) -> None:
    bundle = authority.file.read_bytes()
    served = context(authority)
    authority.file.write_bytes(bundle)
    found, requests = create(tmp_path, served)
    assert requests == 0
    assert isinstance(found, NotSent)
    assert "certificate" in found.reason.lower()
    assert any(part in found.reason.lower() for part in reason.split("|")), found.reason


@pytest.mark.parametrize("value", ["", "0", "false", "False", "no", "none", "/nowhere"])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_no_value_of_a_variable_means_no_verification(
    variable: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    for name in ("PYTHONHTTPSVERIFY", "REQUESTS_VERIFY", "SSL_VERIFY", "CURL_INSECURE"):
        monkeypatch.setenv(name, "0")
    found, requests = create(tmp_path, Authority(tmp_path).server())
    assert requests == 0
    assert isinstance(found, NotSent)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_leads_a_login_or_a_document_into_the_open(
    status: int, authority: Authority, tmp_path: Path
) -> None:
    with raw_server(Call.landed) as plain:

        def away(call: Call) -> bool:
            return call.answer(status, Location=plain.base_url + call.head.split(" ")[1])

        for on_login in (away, None):
            with raw_server(away, tls=authority.server(), **({"on_login": on_login} if on_login else {})) as server:
                settings = certificate_settings(server.base_url, write_key(tmp_path / "client.pem"))
                assert not isinstance(NetSuiteClient(settings).create("invoice", BODY), Landed)
        assert plain.connections == 0


@pytest.mark.parametrize("switch", ["no", "false", "0", "No"])
def test_an_alert_channel_that_switches_verification_off_is_not_used(switch: str, state_url: str) -> None:
    alert = daemon_silent(None, NOW, 1)
    assert alert is not None
    with raw_server(lambda call: call.answer(200)) as channel, connect(state_url) as state:
        urls = (SecretStr(f"json://user:secret@{channel.base_url[7:]}/path?verify={switch}"),)
        with pytest.raises(AlertDeliveryError, match="verify=") as refused:
            deliver(state, [alert], AlertSettings(urls=urls), "qa")
        assert channel.connections == 0
    assert "secret" not in str(refused.value)
