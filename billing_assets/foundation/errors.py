"""The root of all errors that we know, with what the command line, the doctor, alerts and failed steps say of them.

Its message is a sentence for people: what is wrong, and what to do where that is not the same for all of its type.
"""

from typing import Any, ClassVar


class BillingError(Exception):
    """Something is wrong that we know. Anything else that is raised is a fault of ours, or of a library."""

    system: ClassVar[str | None] = None
    """The system that it comes from, as people call it; None: this one."""

    code: ClassVar[str] = "BillingError"
    """The stable name of the problem: that of the type, which is all that Dagster keeps of an error."""

    retryable: ClassVar[bool] = False
    """Whether the same may go well later although no one changed anything."""

    to_do: ClassVar[str | None] = None
    """What to do about every error of the type, where the message does not say it."""

    chapter: ClassVar[str | None] = None
    """The chapter of the runbook that is about it."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.code = cls.__name__


def of_code(code: str) -> type[BillingError] | None:
    """The type of error with this code, among those of the modules that are loaded."""
    kinds = [BillingError]
    for kind in kinds:
        if kind.code == code:
            return kind
        kinds += kind.__subclasses__()
    return None
