"""Addresses and hosts as they go into envelopes, headers and the DNS: in ASCII, by IDNA 2008.

Python's own codec `idna` is IDNA 2003: it makes straße.example into strasse.example, which may be somebody else's.
"""

import idna
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

# The library's own switch: it would refuse .local, which a company's mail server may know, and .test and .invalid,
# which serve tests. Of an address that does not exist the mail server tells, as always.
SPECIAL_USE_DOMAIN_NAMES.clear()


def ascii_address(text: str) -> str:
    """One plain address with its domain in ASCII. Raises ValueError, whose words do not repeat it.

    The part before the @ must be ASCII: few servers take another (RFC 6531), and it names a person, so nothing else can
    be written for it.
    """
    try:
        found = validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError:
        raise ValueError("is no address that mail can be sent to") from None
    address = found.ascii_email
    if address is None or "=?" in found.local_part:  # an encoded word (RFC 2047): in a header it is read as another
        raise ValueError("is no address that mail can be sent to")
    return address


def ascii_host(host: str) -> str:
    """A host's name as the DNS has it. Raises ValueError."""
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
