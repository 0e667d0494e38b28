"""What keeps months from being closed and reminders from being sent, where the journal or a restore is the reason."""

from pathlib import Path

from billing_assets.foundation.errors import BillingError


class JournalError(BillingError):
    """The journal cannot be used, or a restore is not confirmed; the message says what to do."""

    chapter = "a-restored-backup"


class JournalUnusable(JournalError):  # noqa: N818  (an error by its base class)
    """The folder, or a file in it, cannot be read or written."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(
            f"The journal {path} cannot be used: {problem}. No month is closed and no reminder is sent without it. "
            "Give the user that runs billing a folder with free space there, or name another with BILLING_JOURNAL."
        )


class ForeignJournal(JournalError):  # noqa: N818
    """The folder holds the journal of another database, or an older one of this database."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(
            f"The journal in {path} does not belong to this database: {problem} Nothing was read from it or written to "
            "it. BILLING_JOURNAL must name one and the same folder on all machines of this database; an empty folder "
            "begins a new journal."
        )


class RestoreUnconfirmed(JournalError):  # noqa: N818
    """The database was put back to an earlier time, and no person confirmed what the journal cannot prove."""


class NothingToConfirm(JournalError):  # noqa: N818
    """No restore waits for this confirmation."""

    def __init__(self, what: str) -> None:
        super().__init__(f"No restore waits for a confirmation of {what}. `billing restore list` shows what does.")
