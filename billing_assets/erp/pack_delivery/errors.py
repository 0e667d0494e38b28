"""Why the pack of a month is not delivered."""

from billing_assets.foundation.errors import BillingError


class PackDeliveryError(BillingError):
    """A pack cannot be delivered; the message says why, and what to do."""


class NoPackError(PackDeliveryError):
    """The month has no pack to deliver: it is not closed for good, or its pack is not in our database."""
