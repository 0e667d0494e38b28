"""Whose the journal is: an account's and a source's."""

from billing_assets.erp.settings import NetSuiteSettings, SourceSettings
from billing_assets.foundation.settings import Settings


def owner(settings: Settings) -> dict[str, str]:
    """What a journal of another installation differs in."""
    return {
        "netsuite_account": settings.of(NetSuiteSettings).account or "",
        "source": settings.of(SourceSettings).name,
    }
