"""Why a file was not read to its end. What is wrong with its content is a finding, never an error."""

from billing_assets.foundation.errors import BillingError


class ReadingError(BillingError):
    """A file was not read to its end. `file`: its id."""

    def __init__(self, file: int, name: str, what: str) -> None:
        super().__init__(f"File {file} ({name}): {what}")
        self.file = file


class BusyError(ReadingError):
    """Another process wrote to the same streams; it goes well the next time."""

    retryable = True


class UnforeseenContentError(ReadingError):
    """Its reader, or our database, did not expect what is in it. The file is kept; the other files are read."""


class NoSuchFileError(BillingError):
    """There is no raw file, or no message, of this number."""
