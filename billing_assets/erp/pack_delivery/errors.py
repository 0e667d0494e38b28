"""Why the pack of a month is not delivered."""

from billing_assets.foundation.errors import BillingError


class PackDeliveryError(BillingError):
    """A pack cannot be delivered; the message says why, and what to do."""


class NoPackError(PackDeliveryError):
    """The month has no pack to deliver: it is not closed for good, or its pack is not in our database."""


class BegunElsewhereError(PackDeliveryError):
    """Its delivery began in another folder than the settings name, and not all of that is settled there."""

    def __init__(self, period: str, other: str, ours: str) -> None:
        super().__init__(
            f"The delivery of the pack of {period} began at {other}, where a file must be looked up first, and the "
            f"settings name {ours}. Set BILLING_PACK_DELIVERY__* back, deliver {period}, then change them."
        )
