"""What goes wrong with a folder. Each message names the folder and what to do, and holds no secret."""

from billing_assets.foundation.errors import BillingError


class FolderError(BillingError):
    """A folder did not do what it was asked. `where` is its address."""

    system = "the SFTP server"

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where


class UnreachableError(FolderError):
    """It cannot be reached, or the connection was lost. Later it may work; nothing was left in it."""


class LoginRefusedError(FolderError):
    """The login was refused, or is not complete; no waiting fixes it."""


class HostKeyError(LoginRefusedError):
    """The server shows another host key than the settings name: nothing was sent to it, not even the login."""


class NoAccessError(FolderError):
    """The folder is not there, or the login may not do this in it; no waiting fixes it."""


class AlreadyThereError(FolderError):
    """There is a file of this name already; it was left as it is."""


class NotThereError(FolderError):
    """There is no file of this name."""


class NotDoneError(FolderError):
    """It could not do it, for a reason of its own (a full disk, say); no file got the name."""


class OutcomeUnknownError(FolderError):
    """The connection was lost while the file got its name: it may have it, or get it yet."""
