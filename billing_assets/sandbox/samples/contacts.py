"""How the sample's customers are reached. The data has nothing of it, so it follows a rule.

Country code and language are those of the customer's country (none for `Unspecified` and the like). The address is
`customer-<number>@example.com`, which RFC 2606 keeps from ever being anybody's; customers whose number ends in 00 have
none, and those whose number ends in 99 have one under `.invalid`, where no mail can arrive.
"""

from typing import NamedTuple


class SampleContact(NamedTuple):
    """The columns that follow the rule."""

    email: str | None
    language: str | None
    country_code: str | None


_COUNTRIES = {
    "Australia": ("AU", "en"),
    "Austria": ("AT", "de"),
    "Bahrain": ("BH", "ar"),
    "Belgium": ("BE", "fr"),
    "Bermuda": ("BM", "en"),
    "Brazil": ("BR", "pt"),
    "Canada": ("CA", "en"),
    "Channel Islands": ("JE", "en"),
    "Cyprus": ("CY", "el"),
    "Czech Republic": ("CZ", "cs"),
    "Denmark": ("DK", "da"),
    "EIRE": ("IE", "en"),
    "Finland": ("FI", "fi"),
    "France": ("FR", "fr"),
    "Germany": ("DE", "de"),
    "Greece": ("GR", "el"),
    "Hong Kong": ("HK", "zh"),
    "Iceland": ("IS", "is"),
    "Israel": ("IL", "he"),
    "Italy": ("IT", "it"),
    "Japan": ("JP", "ja"),
    "Korea": ("KR", "ko"),
    "Lebanon": ("LB", "ar"),
    "Lithuania": ("LT", "lt"),
    "Malta": ("MT", "en"),
    "Netherlands": ("NL", "nl"),
    "Nigeria": ("NG", "en"),
    "Norway": ("NO", "nb"),
    "Poland": ("PL", "pl"),
    "Portugal": ("PT", "pt"),
    "RSA": ("ZA", "en"),
    "Saudi Arabia": ("SA", "ar"),
    "Singapore": ("SG", "en"),
    "Spain": ("ES", "es"),
    "Sweden": ("SE", "sv"),
    "Switzerland": ("CH", "de"),
    "Thailand": ("TH", "th"),
    "USA": ("US", "en"),
    "United Arab Emirates": ("AE", "ar"),
    "United Kingdom": ("GB", "en"),
}


def contact(number: str, country: str) -> SampleContact:
    """The contact of a customer by its number and the name of its country."""
    code, language = _COUNTRIES.get(country, (None, None))
    domain = "example.invalid" if number.endswith("99") else "example.com"
    email = None if number.endswith("00") else f"customer-{number}@{domain}"
    return SampleContact(email, language, code)
