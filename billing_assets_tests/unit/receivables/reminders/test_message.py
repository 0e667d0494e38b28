"""What customers read: the words, the amounts and dates in their language, and the mail around them."""

from datetime import timedelta
from decimal import Decimal
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from billing_assets.receivables.reminders.due import Next, Noted
from billing_assets.receivables.reminders.errors import TemplateWrong
from billing_assets.receivables.reminders.invoices import Invoice, Reminder
from billing_assets.receivables.reminders.message import Templates, message, message_id, usable_address
from billing_assets.receivables.reminders.policy import StepEntry
from proving.world.reminders import DUE, LADDER, NOON, contact, shipped_policy, shipped_templates

LANGUAGES = ("en", "de", "fr")


def made(
    step: str = "due",
    *,
    open_amount: str = "1234.5",
    paid: str = "0",
    covered: str = "0",
    currency: str = "GBP",
    number: str = "536365",
    noted: dict[str, Noted] | None = None,
    **who: Any,
) -> Reminder:
    """`open_amount` is what is asked for, `covered` what credits cover beside it."""
    terms = shipped_policy().terms("")
    customer = contact("12346", **who)
    balance = Decimal(open_amount) + Decimal(covered)
    invoice = Invoice(
        f"INV-{number}",
        "netsuite",
        "1",
        number,
        "12346",
        "",
        currency,
        DUE - timedelta(days=30),
        DUE,
        balance + Decimal(paid),
        balance,
        NOON,
        noted or {},
    )
    found = next(one for one in terms.ladder if one.name == step)
    place = shipped_policy().place(customer, terms)
    return Reminder(
        invoice, Next(found, DUE, NOON, ()), terms, place, customer, "a@example.com", Decimal(covered), balance
    )


def wire(reminder: Reminder, days: int = 0) -> EmailMessage:
    """The mail as it arrives."""
    text = shipped_templates().text(reminder, DUE + timedelta(days=days))
    found = message_from_bytes(message(reminder, text, NOON).as_bytes(), policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def bodies(mail: EmailMessage) -> tuple[str, str]:
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    return plain.get_content(), html.get_content()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", LADDER)
def test_every_template_says_number_date_and_amount_in_text_and_in_html(step: str, language: str) -> None:
    for paid, in_favour, name, days in (("0", "0", None, 0), ("500", "80.25", "Peel & Co <x>", 1), ("0", "1", "P", 15)):
        reminder = made(step, paid=paid, covered=in_favour, name=name, language=language)
        mail = wire(reminder, days)
        amount, day = {
            "en": ("£1,234.50", "4 November 2026"),
            "de": ("1.234,50 £", "4. November 2026"),
            "fr": ("1 234,50 £GB", "4 novembre 2026"),
        }[language]
        for body in bodies(mail):
            plain = " ".join(body.split())
            assert "536365" in plain
            assert day in plain
            assert amount in plain
        text, html = bodies(mail)
        assert max(map(len, text.splitlines())) <= 78
        assert "Peel & Co" not in html
        assert ("Peel &amp; Co" in html) is (name == "Peel & Co <x>")
        assert "src=" not in html
        assert "http" not in html
        assert "\n\n\n" not in text
        assert "536365" in mail["Subject"]
        assert mail["Content-Language"] == language


SENT, CAME_BACK, MAYBE = (Noted(state, None) for state in ("sent", "bounced", "unknown"))
TO_ANOTHER = Noted("sent", None, None, to_customer=False)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("noted", "reminders", "wrote"),
    [
        ({}, 0, False),
        ({"overdue_7": CAME_BACK}, 0, False),
        ({"overdue_7": MAYBE}, 0, False),
        ({"before_due": Noted("skipped", None), "overdue_7": TO_ANOTHER}, 0, False),
        ({"due": SENT}, 0, True),
        ({"due": SENT, "overdue_7": SENT}, 1, True),
        ({"overdue_7": SENT, "overdue_14": Noted("deferred", NOON)}, 1, True),
        ({"renamed": SENT}, 0, True),
    ],
)
def test_a_letter_speaks_of_what_this_customer_was_really_sent(
    noted: dict[str, Noted], reminders: int, wrote: bool, language: str
) -> None:
    mail = wire(made("overdue_14", noted=noted, language=language), 14)
    first, second = {
        "en": ("Reminder", "Second reminder"),
        "de": ("Zahlungserinnerung", "Zweite Zahlungserinnerung"),
        "fr": ("Rappel", "Deuxième rappel"),
    }[language]
    before = {"en": "wrote to you before", "de": "bereits wegen", "fr": "déjà écrit"}[language]
    assert mail["Subject"].partition(":")[0].strip() == (second if reminders else first)
    for body in bodies(mail):
        assert (before in " ".join(body.split())) is wrote
    assert (second in bodies(mail)[1]) is bool(reminders)


def test_a_third_reminder_is_not_called_the_second() -> None:
    days = {"a": 5, "b": 9, "overdue_14": 14}
    steps = tuple(StepEntry(name=name, days=after, template="overdue_again") for name, after in days.items())
    reminder = made("overdue_14", noted={"a": SENT, "b": SENT})
    reminder = reminder._replace(terms=reminder.terms.model_copy(update={"steps": steps}))
    assert wire(reminder, 14)["Subject"].startswith("Another reminder:")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_letter_asks_for_what_is_left_and_says_what_was_deducted(language: str) -> None:
    mail = wire(made("due", open_amount="60", covered="40", language=language))
    asked, deducted, total = {
        "en": ("£60.00", "£40.00", "£100.00"),
        "de": ("60,00 £", "40,00 £", "100,00 £"),
        "fr": ("60,00 £GB", "40,00 £GB", "100,00 £GB"),
    }[language]
    label = {"en": "Still to be paid:", "de": "Noch zu zahlen:", "fr": "Reste à payer :"}[language]
    plain, html = (" ".join(body.split()) for body in bodies(mail))
    assert f"{label} {asked}" in plain
    for body in (plain, html):
        assert body.count(deducted) == 2, "in the list, and in the sentence that says so"
        assert total in body


class _Said(HTMLParser):
    """The words of a mail that stand by themselves, whatever direction those beside them have, and the others."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.at, self.alone, self.others = "", [""], [""]
        self.feed(html.partition("<body")[2])

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.at = tag

    def handle_endtag(self, tag: str) -> None:
        self.at = ""

    def handle_data(self, data: str) -> None:
        (self.alone if self.at == "bdi" else self.others).append(data)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", LADDER)
def test_a_name_from_right_to_left_turns_no_number_or_amount_beside_it_around(step: str, language: str) -> None:
    name, number = "שירותי חיפה (12)", "אב-1"
    reminder = made(step, paid="500", covered="80.25", name=name, number=number, language=language)
    said = _Said(bodies(wire(reminder, 15))[1])
    others = " ".join(said.others)
    assert {name, number, "12346"} <= set(said.alone)
    assert sum("£" in one for one in said.alone) == 5, "asked for, total, settled, and credits twice"
    assert not any(one in others for one in (name, number, "12346", "£"))


def test_the_mail_is_what_mail_programs_and_servers_expect() -> None:
    mail = wire(made(language="de", name="Käthe Größe"))
    assert mail.get_content_type() == "multipart/alternative"
    parts = list(mail.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {part["Content-Transfer-Encoding"] for part in parts} == {"quoted-printable"}
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    assert mail["From"] == "Example Billing <receivables@example.com>"
    assert mail["Reply-To"] == "receivables@example.com"
    assert mail["To"] == "Käthe Größe <a@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"] == "Wed, 04 Nov 2026 12:00:00 +0000"
    content = message(made(), shipped_templates().text(made(), DUE), NOON).as_bytes()
    assert content.isascii()
    assert all(len(line) < 200 and line.endswith(b"\r") for line in content.split(b"\n")[:-1])


def test_a_reminder_that_comes_again_has_the_same_message_id_and_another_one_has_another() -> None:
    again = made(open_amount="7", name="renamed", language="fr")
    assert message_id(made()) == message_id(again) == wire(made())["Message-ID"]
    others = [made("overdue_7"), made(number="536366")]
    assert len({message_id(one) for one in (made(), *others)}) == 3


_PIECES = [
    "=?utf-8?q?x=0d=0aBcc=3a_evil=40x.com?=",
    "=?utf-8?b?eA0KDQp5?=",
    "<b@example.com>, ",
    '"',
    "\\",
    "=",
    "?",
    "ä",
    "Peel ",
]
texts = st.text() | st.lists(st.sampled_from(_PIECES), max_size=20).map("".join)


@settings(max_examples=60)
@example("=?utf-8?q?x=0d=0aBcc=3a_evil=40x.com?=", "=?utf-8?q?x=0d=0a=0d=0aPay_me?=", "=?utf-8?q?d=0d=0ae?=")
@example('Smith <boss@example.com>, Jones and "' + "a very long name, " * 8, "1", "en")
@example('<boss@evil.com>, \\" x""\\ "<boss@evil.com>, \\ "\\ \\""" " "\\"\\', "1", "en")
@given(texts, texts, texts)
def test_nothing_that_stands_in_the_billing_system_becomes_a_header(name: str, number: str, language: str) -> None:
    wanted = list(wire(made()).keys())
    reminder = made(name=name, number=number, language=language)
    mail = wire(reminder)
    assert list(mail.keys()) == wanted
    assert not any("\r" in value or "\n" in value for value in mail.values())
    assert bodies(mail)[0].split() == shipped_templates().text(reminder, DUE).plain.split()
    assert [address.addr_spec for address in mail["To"].addresses] == ["a@example.com"]


@pytest.mark.parametrize("name", ["x\r\nBcc: all@example.com", "x\nSubject: y", '"<b@example.com>, c@example.com"'])
def test_a_name_cannot_add_a_recipient(name: str) -> None:
    mail = wire(made(name=name))
    assert mail["Bcc"] is None
    assert mail["Subject"] == "Invoice 536365 is due today"
    assert [address.addr_spec for address in mail["To"].addresses] == ["a@example.com"]


@pytest.mark.parametrize(
    ("email", "usable"),
    [
        (" anna@example.com ", "anna@example.com"),
        ("o'neil+bills@sub.example.co.uk", "o'neil+bills@sub.example.co.uk"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@firm.local", "anna@firm.local"),
        ("anna@example.invalid", "anna@example.invalid"),
        ("anna", None),
        ("anna@localhost", None),
        ("Anna <anna@example.com>", None),
        ("a@example.com, b@example.com", None),
        ("a@example.com;b@example.com", None),
        ("a@example.com\r\nRCPT TO:<b@example.com>", None),
        ("a b@example.com", None),
        ("a..b@example.com", None),
        ("änna@example.com", None),
        ("=?utf-8?q?a?=@example.com", None),
        ("a@-example.com", None),
        ("a@" + "x" * 64 + ".com", None),
        ("", None),
        (None, None),
    ],
)
def test_only_one_plain_address_is_written_to(email: str | None, usable: str | None) -> None:
    assert usable_address(email) == usable


@given(st.text() | st.from_regex(r"\A[a-z.=?_!']{1,9}@[a-zé.-]{1,9}\Z"))
def test_an_address_goes_into_an_envelope_and_a_header_without_harm(email: str) -> None:
    found = usable_address(email)
    assert found is None or (found.isascii() and not set(found) & set(" \r\n<>,;"))
    assert found is None or Address(addr_spec=found).addr_spec == found


@pytest.mark.parametrize(
    ("language", "country", "amount", "day"),
    [
        ("en", "GB", "£1,234.50", "4 November 2026"),
        ("en-US", "GB", "£1,234.50", "November 4, 2026"),
        ("EN", "US", "£1,234.50", "November 4, 2026"),
        ("de-CH", None, "£ 1\u2019234.50", "4. November 2026"),
        ("fr_CA", None, "1 234,50 £", "4 novembre 2026"),
        ("nl", "NL", "£1,234.50", "4 November 2026"),  # there are no Dutch templates: as the ladder says, in English
        (None, None, "£1,234.50", "4 November 2026"),
        ("../../etc", "??", "£1,234.50", "4 November 2026"),
    ],
)
def test_amounts_and_dates_are_written_as_the_customer_writes_them(
    language: str | None, country: str | None, amount: str, day: str
) -> None:
    plain = " ".join(bodies(wire(made(language=language, country=country)))[0].split())
    assert amount in plain
    assert day in plain


@pytest.mark.parametrize(
    ("currency", "open_amount", "amount"),
    [("JPY", "1234", "JP¥1,234"), ("KWD", "1.5", "KWD 1.500"), ("GBP", "2.345", "£2.345"), ("XXQ", "2", "XXQ 2.00")],
)
def test_an_amount_has_the_decimals_of_its_currency_and_loses_none(
    currency: str, open_amount: str, amount: str
) -> None:
    plain = " ".join(bodies(wire(made(currency=currency, open_amount=open_amount)))[0].split())
    assert f"Amount due: {amount}" in plain


def test_templates_of_ones_own_win_and_what_they_lack_comes_from_those_that_ship(tmp_path: Path) -> None:
    (tmp_path / "nl").mkdir()
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "due.txt.j2").write_text("Subject: Own {{ invoice.number }}\n\nPay {{ money(invoice.open) }}.\n")
    for kind, text in (("txt", "Subject: Rekening\n\nBetalen: {{ customer.name }}\n"), ("html", "{{ customer.name }}")):
        (tmp_path / "nl" / f"due.{kind}.j2").write_text(text)
    templates = Templates(tmp_path)
    templates.check(shipped_policy())
    own = templates.text(made(), DUE)
    assert (own.subject, own.plain) == ("Own 536365", "Pay £1,234.50.\n")
    assert "is due today" in own.html
    dutch = templates.text(made(language="nl-BE", name="A & B"), DUE)
    assert (dutch.language, dutch.subject) == ("nl", "Rekening")
    assert (dutch.plain, dutch.html) == ("Betalen: A & B\n", "A &amp; B")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Subject: x\n\n{{ invoice.nummer }}", "nummer"),
        ("Subject: x\n\n{{ nothing }}", "nothing"),
        ("Subject: x\n\n{% if %}", "line 3"),
        ("Pay now", "Subject:"),
        ("Subject: x\nTo: y\n\nz", "Subject:"),
        ("Subject: x\n\n", "then the text"),
    ],
)
def test_a_wrong_template_is_named_with_what_is_wrong(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "due.txt.j2").write_text(text)
    with pytest.raises(TemplateWrong, match=r"en/due\.txt\.j2") as caught:
        Templates(tmp_path).text(made(), DUE)
    assert problem in str(caught.value)


def test_a_template_that_extends_what_is_not_there_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "due.txt.j2").write_text("{% extends 'en/nothing.txt.j2' %}")
    with pytest.raises(TemplateWrong, match=r"no file en/nothing\.txt\.j2"):
        Templates(tmp_path).check(shipped_policy())
