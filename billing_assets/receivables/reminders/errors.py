"""What stops reminders. No message carries an address, a name or a password."""

from billing_assets.foundation.errors import BillingError


class ReminderError(BillingError):
    """Reminders cannot go on; the message says what to do."""


class PolicyError(ReminderError):
    """The ladder file is missing or wrong."""


class ExampleLadder(PolicyError):  # noqa: N818
    """A ladder still has what the one that ships has as an example."""

    def __init__(self, path: str, example: str) -> None:
        self.path = path
        self.example = example
        super().__init__(
            f"{path} is the example that ships: it has {example}. Customers would be asked to pay to a stranger. Copy "
            "config/reminders.yaml, write your own name, addresses and bank account into the copy, and name it in "
            "BILLING_REMINDERS__LADDER."
        )


class TemplateWrong(ReminderError):  # noqa: N818  (an error by its base class)
    """A template is missing, cannot be read, or asks for something that it is not given."""

    def __init__(self, name: str, problem: str) -> None:
        self.name = name
        self.problem = problem
        super().__init__(
            f"The template {name} cannot be used: {problem} "
            "Templates are looked for in BILLING_REMINDERS__TEMPLATES, then among those that ship."
        )


class MailWrong(ReminderError):  # noqa: N818
    """No mail can be made of one reminder: something in it is nothing that a header can hold."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"No mail can be made of it ({problem}). Look at the name and the number in the billing system."
        )


class MailServerError(ReminderError):
    """The mail server cannot be reached, or refuses us rather than an address. What was not sent stays due."""

    retryable = True

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"The mail server {problem} What was not sent stays due and is sent at the next look.")


class SendingElsewhere(ReminderError):  # noqa: N818
    """Another run sends reminders just now."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("Another run sends reminders just now; it sends whatever is due. Nothing was done.")


class PutBack(ReminderError):  # noqa: N818
    """The database was put back under the run that sends."""

    def __init__(self) -> None:
        super().__init__(
            "The database does not have the last reminder that this run sent: it was put back meanwhile. Nothing more "
            "was sent; the next look compares it with the journal first."
        )


class NoContacts(ReminderError):  # noqa: N818
    """There is no query that says where customers can be reached."""

    def __init__(self) -> None:
        super().__init__(
            "There is no contacts.sql beside documents.sql and lines.sql, so no customer can be reminded. "
            "docs/integrator.md has its contract."
        )


class NoSuchReminder(ReminderError):  # noqa: N818
    """No reminder of this invoice and step waits for a person's decision."""

    def __init__(self, number: str, step: str) -> None:
        super().__init__(
            f"No reminder {step} of invoice {number} waits for a decision: none is unknown (or bounced, to be sent "
            "again), or a later step was sent after it. `billing reminders list` shows them."
        )
