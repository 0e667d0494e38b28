"""A reminder as a mail: texts from templates, amounts and dates as the language writes them, MIME as it should be."""

import hashlib
import re
from datetime import date, datetime
from decimal import Decimal
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import jinja2.meta
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency

from billing_assets.foundation.mail import QUIET
from billing_assets.foundation.money import decimals
from billing_assets.foundation.outside_text import on_one_line
from billing_assets.foundation.shipped import shipped
from billing_assets.receivables.reminders.addresses import ascii_address
from billing_assets.receivables.reminders.errors import MailWrong, TemplateWrong
from billing_assets.receivables.reminders.headers import SMTP, Folded, mailbox_header, text_header
from billing_assets.receivables.reminders.invoices import Reminder
from billing_assets.receivables.reminders.policy import Policy, parse_mailbox

TEMPLATES = "config/reminders"
_CODE = re.compile(r"(?<=[A-Z])(?=\d)")  # a currency without a sign: KWD1.500


class Text(NamedTuple):
    """What a template made, in the language that was found."""

    language: str
    subject: str
    plain: str
    html: str


class Templates:
    """The templates: a folder of the integrator's, then those that ship."""

    def __init__(self, folder: Path | None) -> None:
        folders = [path for path in (folder, shipped(TEMPLATES)) if path]
        self._loader = jinja2.FileSystemLoader(folders)
        self._environment = jinja2.Environment(
            loader=self._loader,
            undefined=jinja2.StrictUndefined,
            autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._names = frozenset(self._environment.list_templates())

    def check(self, policy: Policy) -> None:
        """Raises TemplateWrong unless every step has both its templates, and what they extend, in the language of last
        resort. What is wrong with another language keeps back those who read it.
        """
        for terms in policy.all_terms:
            for step in terms.ladder:
                for kind in ("txt", "html"):
                    self._whole(f"{terms.language}/{step.template}.{kind}.j2")

    def _whole(self, name: str) -> None:
        self._template(name)
        source, _, _ = self._loader.get_source(self._environment, name)
        for other in jinja2.meta.find_referenced_templates(self._environment.parse(source)):
            if other is not None:
                self._whole(other)

    def language(self, wanted: str | None, template: str, fallback: str) -> str:
        """The language of the templates for a customer who wants one (`de`, `de-CH`, `DE`, …)."""
        found = re.split(r"[-_]", (wanted or "").strip().lower())[0]
        has = {f"{found}/{template}.{kind}.j2" for kind in ("txt", "html")} <= self._names
        return found if has else fallback

    def text(self, reminder: Reminder, today: date) -> Text:
        """The words of a reminder on a day. Raises TemplateWrong."""
        template = reminder.next.step.template
        language = self.language(reminder.contact.language, template, reminder.terms.language)
        wanted = reminder.contact.language or ""
        own = wanted.strip().lower().startswith(language)
        locale = _locale(language, wanted, reminder.place.country if own else reminder.terms.country)
        values = _values(reminder, today, locale)
        name = f"{language}/{template}.txt.j2"
        head, _, plain = self._render(name, values).lstrip().partition("\n\n")
        if not head.startswith("Subject: ") or "\n" in head or not plain.strip():
            raise TemplateWrong(name, "it begins with `Subject: …` and an empty line, then the text.")
        subject = on_one_line(head.removeprefix("Subject: "))
        return Text(language, subject, plain.strip() + "\n", self._render(f"{language}/{template}.html.j2", values))

    def _render(self, name: str, values: dict[str, Any]) -> str:
        template = self._template(name)
        try:
            return template.render(values)
        except jinja2.TemplateNotFound as error:
            raise TemplateWrong(name, f"there is no file {error.name}.") from None
        except jinja2.TemplateError as error:
            raise TemplateWrong(name, f"{error.message}.") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Of what it was given: the words may have the customer's name.
            raise TemplateWrong(name, f"it fails with {type(error).__name__}.") from None

    def _template(self, name: str) -> jinja2.Template:
        try:
            return self._environment.get_template(name)
        except jinja2.TemplateNotFound as error:
            raise TemplateWrong(name, f"there is no file {error.name}.") from None
        except jinja2.TemplateSyntaxError as error:
            raise TemplateWrong(error.name or name, f"line {error.lineno}: {error.message}") from None
        except UnicodeDecodeError:
            raise TemplateWrong(name, "it is not text in UTF-8.") from None


def written(reminder: Reminder, templates: Templates, now: datetime) -> bytes:
    """The mail as it goes over the wire. Raises TemplateWrong, and MailWrong where its headers cannot be written."""
    text = templates.text(reminder, reminder.place.day(now))
    try:
        return message(reminder, text, now).as_bytes()
    except (MessageError, ValueError, LookupError) as error:
        raise MailWrong(type(error).__name__) from None  # its words have what was to be the header


def message(reminder: Reminder, text: Text, now: datetime) -> EmailMessage:
    """The mail: plain text and HTML, its Message-ID the same however often it is made."""
    mail = EmailMessage(policy=SMTP)
    for header, mailbox in (("From", reminder.terms.sender), ("Reply-To", reminder.terms.reply_to)):
        if mailbox:
            ours = parse_mailbox(mailbox)
            mail[header] = mailbox_header(header, ours.display_name, ours.addr_spec)
    mail["To"] = mailbox_header("To", reminder.contact.name, reminder.address)
    mail["Subject"] = text_header("Subject", text.subject)
    mail["Date"] = format_datetime(now.astimezone(reminder.place.time_zone).replace(microsecond=0))
    mail["Message-ID"] = Folded(message_id(reminder))  # whole, however long the domain: delivery reports name it
    for name, value in QUIET.items():
        mail[name] = value
    mail.set_content(text.plain, charset="utf-8", cte="quoted-printable")
    mail.add_alternative(text.html, subtype="html", charset="utf-8", cte="quoted-printable")
    mail["Content-Language"] = text.language  # last: adding a second text moves such headers to the first one
    return mail


def message_id(reminder: Reminder) -> str:
    """Of invoice and step, and of the decision to repeat it: a mail that comes again, or back, is recognised by it.

    What a person has sent again is another mail: a report about the first one does not speak of it.
    """
    step = reminder.next.step.name
    noted = reminder.invoice.noted.get(step)
    again = f"\n{noted.resolved_at.isoformat()}" if noted and noted.resolved_at else ""
    of = f"{reminder.invoice.key}\n{step}{again}".encode()
    return f"<reminder-{hashlib.sha256(of).hexdigest()[:32]}@{parse_mailbox(reminder.terms.sender).domain}>"


def usable_address(email: str | None) -> str | None:
    """One plain address as it goes into an envelope, its domain in ASCII; None where it is none."""
    try:
        return ascii_address(email or "")
    except ValueError:
        return None


def _values(reminder: Reminder, today: date, locale: Locale) -> dict[str, Any]:
    """What templates are given; docs/integrator.md lists it."""
    invoice, sent = reminder.invoice, reminder.sent_before
    return {
        "invoice": {
            "number": on_one_line(invoice.number),
            "date": invoice.document_date,
            "due": invoice.due_date,
            "total": invoice.total,
            "open": reminder.asked,
            "covered": reminder.covered,
            "paid": invoice.total - invoice.open_amount,
            "days_overdue": max((today - invoice.due_date).days, 0),
        },
        "customer": {"number": on_one_line(invoice.customer), "name": on_one_line(reminder.contact.name or "")},
        "wrote_before": bool(sent),
        "reminders_before": sum(step.days > 0 and step.name in sent for step in reminder.terms.ladder),
        "company": reminder.terms.company.model_dump(),
        "today": today,
        "money": partial(_money, invoice.currency, locale),
        "day": partial(_day, locale),
    }


def _day(locale: Locale, value: date) -> str:
    """As the language writes it, with the day of the month and its month on one line."""
    return format_date(value, format="long", locale=locale).replace(" ", "\u00a0", 1)


def _money(currency: str, locale: Locale, value: Decimal) -> str:
    """As the language writes it, with the currency's decimals, or more where the amount has more."""
    text = format_currency(value, currency, locale=locale, decimal_quantization=decimals(value) <= 2)
    return _CODE.sub("\u00a0", text)


@lru_cache(maxsize=256)
def _locale(language: str, wanted: str, country: str | None) -> Locale:
    """How the language writes numbers and dates where the customer is: British and American dates are not the same."""
    for name in (wanted.strip().replace("-", "_"), f"{language}_{country}"):
        try:
            found = Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
        if found.language == language and found.territory:
            return found
    try:
        return Locale.parse(language)
    except (UnknownLocaleError, ValueError):
        return Locale("en")
