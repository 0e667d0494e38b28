"""A real SMTP server on loopback that does what a test says at each step of a mail."""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr

from billing_assets.receivables.reminders.smtp import Server, parse_server

Happens = Callable[[str, str], str | None]
"""What happens at a verb (`DATA`: when the text is there) for a recipient: the answer, `drop`, or None for yes."""


@dataclass
class MailServer:
    """`mails` are those that were taken, `arrived` the Message-IDs whose text came, taken or not."""

    port: int = 0
    happens: Happens = lambda _verb, _recipient: None
    mails: list[tuple[str, EmailMessage]] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    connections: int = 0
    secured: list[bool] = field(default_factory=list)

    @property
    def url(self) -> SecretStr:
        """As the setting has it."""
        return SecretStr(f"smtp://127.0.0.1:{self.port}")

    @property
    def server(self) -> Server:
        """As the sender wants it."""
        return parse_server(self.url)

    def recipients(self) -> list[str]:
        """To whom mails went, in order."""
        return [recipient for recipient, _ in self.mails]

    def message_ids(self) -> list[str]:
        """Of the mails that were taken."""
        return [str(mail["Message-ID"]) for _, mail in self.mails]

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answer(server, "MAIL", "") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self._answer(server, "RCPT", address) or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        [recipient] = envelope.rcpt_tos
        self.arrived.append(str(mail["Message-ID"]))
        answer = self._answer(server, "DATA", recipient)
        if answer is None or answer.startswith("2"):
            self.mails.append((recipient, mail))
            self.secured.append(session.ssl is not None)
        return answer or "250 OK"

    def _answer(self, server: SMTP, verb: str, recipient: str) -> str | None:
        answer = self.happens(verb, recipient)
        if answer == "drop":
            transport: Any = server.transport
            transport.abort()
            return "421 gone"
        return answer


class _FreePort(Controller):
    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server(tls: ssl.SSLContext | None = None, **options: Any) -> Iterator[MailServer]:
    """A running server; with `tls` it offers STARTTLS and takes no mail before it."""
    found = MailServer()
    if tls is not None:
        options |= {"tls_context": tls, "require_starttls": True}
    controller = _FreePort(found, hostname="127.0.0.1", port=0, **options)
    controller.start()
    found.port = controller.port
    try:
        yield found
    finally:
        controller.stop()
