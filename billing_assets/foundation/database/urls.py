"""Database URLs in messages: the address that may be shown, and texts of drivers with no part of a URL's secrets."""

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_SHOWN_OPTIONS = frozenset(
    {
        "application_name", "applicationintent", "charset", "connect_timeout", "database", "driver", "dsn", "encrypt",
        "host", "hostaddr", "mars_connection", "multisubnetfailover", "port", "server", "sslmode", "tds_version",
        "timeout", "trusted_connection", "trustservercertificate",
    }
)  # fmt: skip
"""Options of a URL or an ODBC connection string whose values are no secrets. Any other may be."""

_ODBC_PART = re.compile(r"\s*([^=;]+?)\s*=\s*(\{(?:[^}]|\}\})*\}|[^;]*)\s*(?:;|$)")
_USER = re.compile(r"\A[^:/]*(?::[^@]*)?@")  # as SQLAlchemy reads user and password
_SUBSTRING = 4  # characters of a secret from which on it is masked inside of words, too


def address(url: URL) -> str:
    """Host, port and database of a URL: all that is shown of it.

    A password with an unquoted `@` reads on in what looks like host or database, so of these only what follows the last
    one is shown; where an option has an `@`, none of them can be trusted.
    """
    odbc = {key.lower(): value.strip("{}") for key, value in _odbc_parts(url)}
    options = {key.lower(): value for key, value in _options(url)}
    if any("@" in text for text in (*options, *options.values())) or _has_read_on(url):
        return odbc.get("server") or odbc.get("dsn") or "…"
    database = url.database or odbc.get("database", "")
    if "@" in database:
        return database.rsplit("@", 1)[1]
    host = (url.host or options.get("host") or odbc.get("server") or odbc.get("dsn") or "this machine").rsplit("@")[-1]
    return f"{host}{f':{url.port}' if url.port else ''}/{database}"


def without_secrets(text: str, url: URL | str | None) -> str:
    """A text, of a driver mostly, with everything masked that may be a secret of the URL, as it is there or quoted."""
    if isinstance(url, str):
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            parsed = None
        if parsed is None or has_unquoted(url, parsed):
            return without(text, re.split(r"[:/?&=@;\s]+", url.partition("://")[2] or url))
        url = parsed
    return without(text, _secrets(url)) if url is not None else text


def has_unquoted(text: str, url: URL) -> bool:
    """Whether a URL reads a part of its user or password as something else: an `@` or `?` in them is not quoted."""
    behind_user = _USER.sub("", text.partition("://")[2], count=1)
    options = behind_user.partition("?")[2].split("&")
    return "@" in (url.host or "") or any("@" in one and "=" not in one for one in options)


def without(text: str, secrets: Iterator[str] | list[str]) -> str:
    """The text with these masked; short ones only where they are words of their own."""
    forms = {form for one in secrets for form in (one, *(f(one) for f in (quote, quote_plus, unquote, unquote_plus)))}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= _SUBSTRING:
            text = text.replace(form, "***")
        elif form:
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "***", text)
    return text


def _secrets(url: URL) -> Iterator[str]:
    """The parts of a URL that may be secrets, or parts of one that was not quoted."""
    hidden = [str(url.password or "")]
    hidden += [value for key, value in _options(url) if key.lower() not in _SHOWN_OPTIONS]
    hidden += [value for key, value in _odbc_parts(url) if key.lower() not in _SHOWN_OPTIONS]
    if url.host and "@" in url.host:  # the rest of the password
        hidden.append(url.host.rsplit("@", 1)[0])
    if url.database and "@" in url.database:
        hidden += [url.database.rsplit("@", 1)[0], url.host or "", str(url.port or "")]
    options = [*url.query, *(value for _, value in _options(url))]
    if any("@" in one for one in options) or _has_read_on(url):
        hidden += [*options, url.host or "", url.database or ""]
    for one in hidden:
        yield one
        yield from re.split(r"[@;{}]", one)


def _has_read_on(url: URL) -> bool:
    """`reader@host:1/billing?password=a@b` is a user, a password and a host to SQLAlchemy."""
    return "@" in (url.username or "") and bool(re.search(r"[/?]", str(url.password or "")))


def _options(url: URL) -> Iterator[tuple[str, str]]:
    for key, value in url.query.items():
        if key.lower() != "odbc_connect":
            yield from ((key, one) for one in ([value] if isinstance(value, str) else value))


def _odbc_parts(url: URL) -> Iterator[tuple[str, str]]:
    for key, value in url.query.items():
        if key.lower() == "odbc_connect":
            for text in [value] if isinstance(value, str) else value:
                yield from _ODBC_PART.findall(text)
                yield from (("pwd", one) for one in _ODBC_PART.sub("", text).split(";"))  # what is no key=value
