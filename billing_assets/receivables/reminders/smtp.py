"""The mail server: one connection for a whole run, and what each of its answers proves about one mail.

Nothing that the server says is passed on but its codes: its texts repeat addresses.
"""

import re
import smtplib
import ssl
from enum import StrEnum
from ipaddress import ip_address
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from billing_assets.foundation.settings import SettingsError, variable
from billing_assets.receivables.reminders.addresses import ascii_host
from billing_assets.receivables.reminders.errors import MailServerError

_COMMAND_SECONDS = 60.0
_ANSWER_SECONDS = 600.0
"""RFC 5321 gives a server ten minutes to say what became of a mail; a client that hangs up earlier does not know."""

_STATUS = re.compile(rb"\b([245]\.\d{1,3}\.\d{1,3})\b")
_OF_THE_ADDRESS = re.compile(r"5\.1\.(?![78]$)\d+|5\.2\.\d+|5\.4\.1")
"""RFC 3463: the recipient's address, or its mailbox; 5.1.7 and 5.1.8 are the sender's. Exchange Online says 5.4.1."""

_OF_THE_ADDRESS_BY_CODE = (550, 551, 552, 553)  # where the server gives no status
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


class Delivery(StrEnum):
    SENT = "sent"  # the server took it
    LATER = "deferred"  # surely not taken, may be taken later
    NEVER = "bounced"  # refused for good, for the address
    UNKNOWN = "unknown"  # the text left, or may have, and no answer proves what became of it


class Answer(NamedTuple):
    """What became of a mail: the server's code (550) and enhanced status (5.1.1), where it gave them."""

    delivery: Delivery
    code: int | None = None
    status: str | None = None


class Server(NamedTuple):
    """A mail server as its URL names it."""

    tls: bool
    host: str
    port: int
    user: str | None
    password: str | None

    @property
    def local(self) -> bool:
        """Whether it is this machine."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def parse_server(url: SecretStr | None) -> Server:
    """`smtp[s]://[user:password@]host[:port]`. Raises SettingsError, which does not repeat it, for its password."""
    name = variable("reminders.smtp_url")
    if url is None:
        raise SettingsError(
            f"{name} is not set: it names the mail server, e.g. smtp://user:password@mail.example.com:587."
        )
    try:
        parts = urlsplit(url.get_secret_value().strip())
        port, host = parts.port, ascii_host(parts.hostname or "")
    except ValueError:
        parts, port, host = urlsplit(""), None, ""
    if parts.scheme not in ("smtp", "smtps") or not host or parts.path.strip("/") or parts.query:
        raise SettingsError(
            f"{name} is no address of a mail server. Write smtp://user:password@host:587 (STARTTLS) or "
            "smtps://user:password@host:465; percent-encode what is special in user and password."
        )
    tls = parts.scheme == "smtps"
    user, password = (unquote(part) if part else None for part in (parts.username, parts.password))
    return Server(tls, host, port or (465 if tls else 587), user, password)


class Mailer:
    """One connection, made on first use and again after it broke. `helo` is the domain that we say we are.

    For each mail first `offer`, then either `hand_over` or `withdraw`.
    """

    def __init__(self, server: Server, helo: str) -> None:
        self._server = server
        self._helo = helo
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._smtp is not None and error is None:
            try:
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                self._drop()
        self._drop()

    def greet(self) -> None:
        """Connects and logs in, and sends nothing. Raises MailServerError."""
        self._smtp = self._smtp or self._connect()

    def offer(self, sender: str, recipient: str) -> Answer | None:
        """Names sender and recipient: None if the server would take a mail, else what it says to that recipient.

        Raises MailServerError where the server cannot be reached or does not want us.
        """
        smtp = self._from(sender)
        try:
            code, said = smtp.rcpt(recipient)
        except (OSError, smtplib.SMTPException):
            self._drop()
            return Answer(Delivery.LATER)
        if code in (250, 251):
            return None
        answer = _answer(code, said)
        self._drop() if code == 421 else self.withdraw()
        return answer if answer.delivery in (Delivery.LATER, Delivery.NEVER) else Answer(Delivery.LATER, code)

    def withdraw(self) -> None:
        """Takes an offer back."""
        try:
            if self._smtp is None or self._smtp.rset()[0] != 250:
                self._drop()
        except (OSError, smtplib.SMTPException):
            self._drop()

    def hand_over(self, content: bytes) -> Answer:
        """Sends the mail that was offered, and waits for what the server says to it. Never raises."""
        smtp = self._smtp
        if smtp is None or smtp.sock is None:
            return Answer(Delivery.LATER)
        try:
            code, said = smtp.docmd("DATA")
        except (OSError, smtplib.SMTPException):
            self._drop()
            return Answer(Delivery.LATER)  # without its text no server has a mail
        if code != 354:
            answer = _answer(code, said)
            self.withdraw()
            return answer if answer.delivery in (Delivery.LATER, Delivery.NEVER) else Answer(Delivery.LATER, code)
        try:
            smtp.sock.settimeout(_ANSWER_SECONDS)
            smtp.send(_LEADING_DOT.sub(b"..", content).removesuffix(b"\r\n") + b"\r\n.\r\n")
            code, said = smtp.getreply()
            smtp.sock.settimeout(_COMMAND_SECONDS)
        except (OSError, smtplib.SMTPException):
            self._drop()
            return Answer(Delivery.UNKNOWN)
        answer = _answer(code, said)
        if code == 421 or answer.delivery is Delivery.UNKNOWN:
            self._drop()
        return answer

    def _from(self, sender: str) -> smtplib.SMTP:
        """The connection, on which the sender was named. A server may end one after so many mails, or so much time."""
        if self._smtp is not None:
            try:
                if self._smtp.mail(sender)[0] == 250:
                    return self._smtp
            except (OSError, smtplib.SMTPException):
                pass
            self._drop()
        self._smtp = self._connect()
        try:
            code, said = self._smtp.mail(sender)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise MailServerError(f"ends the connection ({type(error).__name__}).") from None
        if code != 250:
            raise MailServerError(f"does not take mail from {sender} ({_codes(code, said)}).")
        return self._smtp

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        where = f"{server.host}:{server.port}"
        smtp: smtplib.SMTP | None = None
        try:
            if server.tls:
                smtp = smtplib.SMTP_SSL(
                    server.host, server.port, local_hostname=self._helo, timeout=_COMMAND_SECONDS, context=_trust()
                )
            else:
                smtp = smtplib.SMTP(server.host, server.port, local_hostname=self._helo, timeout=_COMMAND_SECONDS)
                smtp.ehlo_or_helo_if_needed()
                if smtp.has_extn("starttls") or not server.local:  # to another machine nothing goes in the open
                    smtp.starttls(context=_trust())
            smtp.ehlo_or_helo_if_needed()
            if server.user is not None:
                smtp.login(server.user, server.password or "")
        except smtplib.SMTPAuthenticationError as error:
            problem = f"{where} refuses the login ({error.smtp_code}). Check {variable('reminders.smtp_url')}."
        except ssl.SSLCertVerificationError as error:
            problem = f"{where} has a certificate that is not trusted: {error.verify_message}."
        except smtplib.SMTPResponseException as error:
            problem = f"{where} does not want us ({error.smtp_code})."
        except smtplib.SMTPNotSupportedError:
            problem = f"{where} offers no STARTTLS (or no login), and mail goes to no other machine in the open."
        except (OSError, smtplib.SMTPException) as error:
            problem = f"{where} cannot be reached or does not answer as one ({type(error).__name__})."
        else:
            return smtp
        _close(smtp)
        raise MailServerError(problem)

    def _drop(self) -> None:
        _close(self._smtp)
        self._smtp = None


def _trust() -> ssl.SSLContext:
    """This machine's authorities; certificate and host name are verified."""
    return ssl.create_default_context()


def _close(smtp: smtplib.SMTP | None) -> None:
    if smtp is not None:
        smtp.close()


def _answer(code: int, said: bytes) -> Answer:
    found = _STATUS.search(said)
    status = found[1].decode() if found else None
    match code // 100:
        case 2:
            return Answer(Delivery.SENT, code, status)
        case 4:
            return Answer(Delivery.LATER, code, status)
        case 5:
            # "554 5.7.1 relay access denied" goes to a sender without a login, or on a block list: it may be fixed.
            of_the_address = _OF_THE_ADDRESS.fullmatch(status) if status else code in _OF_THE_ADDRESS_BY_CODE
            return Answer(Delivery.NEVER if of_the_address else Delivery.LATER, code, status)
    return Answer(Delivery.UNKNOWN, code, status)


def _codes(code: int, said: bytes) -> str:
    answer = _answer(code, said)
    return " ".join(str(part) for part in (answer.code, answer.status) if part)
