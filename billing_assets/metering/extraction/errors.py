"""Why nothing was extracted. No message has a secret, a token or a value of a record."""

from billing_assets.foundation.errors import BillingError


class ExtractionError(BillingError):
    """A source was not read; nothing was stored of it, and its watermark stays."""


class ExtractionBusyError(ExtractionError):
    """Another process extracts the same resource."""

    retryable = True

    def __init__(self, source: str, resource: str) -> None:
        super().__init__(f"Another process extracts {resource} of {source} now. It is done by that one.")


class ApiError(ExtractionError):
    """The API cannot be used as it answers. `resource`: what was asked for."""

    system = "the metering API"

    def __init__(self, resource: str, what: str) -> None:
        super().__init__(f"The metering API, asked for {resource}: {what}")
        self.resource = resource


class ApiUnavailableError(ApiError):
    """The API did not answer, or not in time; later it may."""

    retryable = True


class ApiLoginRefusedError(ApiError):
    """The API refuses our login."""


class CursorRepeatedError(ApiError):
    """The API gave a page's cursor twice: its pages would never end."""


class TotalDiffersError(ApiError):
    """The API gave another number of records than it says that there are."""

    retryable = True
