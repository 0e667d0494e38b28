"""Why a batch of files is not delivered."""

from billing_assets.foundation.errors import BillingError


class BegunElsewhereError(BillingError):
    """The delivery of a batch began in another folder than the settings name, and not all of that is settled there."""

    def __init__(self, batch: str, section: str, other: str, ours: str) -> None:
        super().__init__(
            f"The delivery of {batch} began at {other}, where a file must be looked up first, and the settings name "
            f"{ours}. Set BILLING_{section.upper()}__* back, deliver {batch}, then change them."
        )
