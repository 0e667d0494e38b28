# ruff: noqa: RUF001 - Cyrillic letters and dashes are what it is about
"""What a header says is what was written, for any text; and a mail goes to the domain that the customer has."""

import random
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.utils import parseaddr
from pathlib import Path

import pytest
from pydantic import SecretStr

from billing_assets.foundation.outside_text import on_one_line
from billing_assets.foundation.settings import SettingsError
from billing_assets.receivables.reminders.headers import SMTP, mailbox_header, text_header
from billing_assets.receivables.reminders.message import message, usable_address
from billing_assets.receivables.reminders.policy import load_policy, parse_mailbox
from billing_assets.receivables.reminders.smtp import parse_server
from billing_assets_tests.unit.receivables.reminders.test_message import made
from billing_assets_tests.unit.receivables.reminders.test_policy import ladder
from proving.world.reminders import DUE, NOON, shipped_templates

SUBJECTS = [
    "Напоминание об оплате: счёт № 536365 от 4 ноября 2026 г. на сумму 1 234,50 ₽ просрочен на 14 дней",
    "€ € Tür – Tür für – 536365 Tür – März",
    "Rechnung " + "äöü " * 20 + "Ende",
]
NAMES = ["z 株式会社 и партнёры 株式会社 ООО", "& Zürich партнёры «Ромашка» Sp.", "партнёры партнёры – Łódź – Straße"]
WORDS = [
    *("Rechnung", "März", "für", "–", "счёт", "№", "просрочен", "株式会社", "😀", "👩‍👩‍👧", "é", "a" * 80, "536365"),
    *("=?utf-8?q?x?=", "?=", "=?", '"', "\\", "<x@y>", ",", "(c)", "_", "𝔘", "\u0301", ";", "@", "1 234,50 ₽"),
]


def wire(name: str = "P", subject: str | None = None) -> bytes:
    reminder = made("due", name=name, language="de")
    text = shipped_templates().text(reminder, DUE)
    return message(reminder, text._replace(subject=subject) if subject else text, NOON).as_bytes()


def subject_of(mail: Message) -> str:
    return str(make_header(decode_header(mail["Subject"])))


def recipient_of(mail: Message) -> tuple[str, str]:
    shown, address = parseaddr(mail["To"].replace("\r\n", ""))
    return str(make_header(decode_header(shown))), address


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_keeps_its_blanks(subject: str) -> None:
    raw = wire(subject=subject)
    assert subject_of(message_from_bytes(raw)) == subject
    assert b"?==?" not in raw.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("name", [*NAMES, "A name that is longer than a line, " * 5 + "& Co.", 'The "Old" \\ Shop'])
def test_a_name_is_written_whole_and_keeps_its_blanks(name: str) -> None:
    assert recipient_of(message_from_bytes(wire(name))) == (name, "a@example.com")


def test_any_text_is_read_as_it_was_written_on_lines_that_every_server_takes() -> None:
    chance = random.Random(14)

    def word() -> str:
        if chance.random() < 0.8:
            return chance.choice(WORDS)
        places = [(33, 127), (0xA0, 0x600), (0x1F300, 0x1F700), (0x3000, 0xD7FF)]
        return "".join(chr(chance.randrange(*chance.choice(places))) for _ in range(chance.randrange(1, 60)))

    for _ in range(1_500):
        subject, name = (on_one_line(" ".join(word() for _ in range(chance.randrange(1, 25)))) for _ in "12")
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = text_header("Subject", subject)
        mail["To"] = mailbox_header("To", name, "a@example.com")
        raw = mail.as_bytes()
        found = message_from_bytes(raw)
        assert subject_of(found) == subject
        assert recipient_of(found) == (name, "a@example.com")
        assert raw.isascii()
        assert b"?==?" not in raw
        assert all(len(line) <= 76 for line in raw.splitlines())


def test_short_plain_text_is_left_as_a_person_would_write_it() -> None:
    assert text_header("Subject", "Invoice 536365 is due today") == "Invoice 536365 is due today"
    assert mailbox_header("To", "Peel & Co", "a@example.com") == "Peel & Co <a@example.com>"
    assert mailbox_header("To", "Peel, Inc.", "a@example.com") == '"Peel, Inc." <a@example.com>'
    assert mailbox_header("To", None, "a@example.com") == "a@example.com"


def test_a_message_id_is_whole_on_its_line_however_long_the_domain(tmp_path: Path) -> None:
    """Delivery reports are recognised by it."""
    sender = f"Cash <kasse@{'mahnungen-und-rechnungen.' * 4}example.com>"
    terms = load_policy(ladder(tmp_path, sender=sender)).terms("")
    reminder = made()._replace(terms=terms)
    raw = message(reminder, shipped_templates().text(reminder, DUE), NOON).as_bytes()
    [line] = [line for line in raw.splitlines() if line.startswith(b"Message-ID:")]
    assert line.endswith(b"mahnungen-und-rechnungen.example.com>")


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("info@straße.example", "xn--strae-oqa.example"),
        ("kasse@fuß.example", "xn--fu-hia.example"),
        ("a@müller.example", "xn--mller-kva.example"),
        ("a@MÜLLER.example", "xn--mller-kva.example"),
        ("a@βόλος.example", "xn--nxasmm1c.example"),  # a final sigma, another domain than one without
    ],
)
def test_a_mail_goes_to_the_domain_that_the_customer_has_and_to_no_other(address: str, domain: str) -> None:
    assert usable_address(address) == f"{address.partition('@')[0]}@{domain}"


@pytest.mark.parametrize("address", ["a@☃.example", "a@xn--a.example", "a@ex\u200dample.com", "a@x_y.example"])
def test_an_address_whose_domain_idna_2008_does_not_know_is_unusable(address: str) -> None:
    assert usable_address(address) is None


def test_the_sender_and_the_mail_server_are_in_the_domains_that_were_written() -> None:
    assert parse_mailbox("Straße GmbH <kasse@straße.example>").addr_spec == "kasse@xn--strae-oqa.example"
    assert parse_server(SecretStr("smtp://mail.straße.example")).host == "mail.xn--strae-oqa.example"
    with pytest.raises(SettingsError, match="no address of a mail server"):
        parse_server(SecretStr("smtp://user:hunter2@☃.example"))


def test_every_mail_asks_machines_not_to_answer() -> None:
    mail = message_from_bytes(wire())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Precedence"] == "bulk"
    assert mail["X-Auto-Response-Suppress"] == "OOF, AutoReply", "with All, Exchange would send no delivery report"
