"""What `billing doctor` says of one subject, for the rooms' `doctor` modules."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from billing_assets.foundation.database.urls import without_secrets
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.runtime import Runtime


class Unwell(Exception):  # noqa: N818  it is a finding
    """Something answered, but not as it should."""


class Unproven(Exception):  # noqa: N818  it is a finding
    """Nothing is wrong as far as can be seen, and something could not be checked; the message says what to do."""


_FAULTS = (BillingError, Unwell, psycopg.Error, OSError)


class Checked(NamedTuple):
    """One thing looked at: whether it is well, what was seen, and what to do where it is not.

    `proven` is false where nothing is wrong as far as can be seen, and something could not be checked.
    """

    what: str
    well: bool
    said: str
    proven: bool = True


def looked(what: str, look: Callable[[Runtime], str], runtime: Runtime) -> Checked:
    """Looks at one subject; what is wrong with it is what was found, and hides no other."""
    try:
        return Checked(what, True, look(runtime))
    except Unproven as error:
        return Checked(what, True, str(error), proven=False)
    except _FAULTS as error:
        return Checked(what, False, str(error))
    except SQLAlchemyError as error:
        reason = getattr(error, "orig", None) or type(error).__name__  # its own text has the statement in it
        ours = runtime.settings.database_url
        said = without_secrets(str(reason), ours.get_secret_value() if ours else None)
        return Checked(what, False, " ".join(said.split()))


def few(names: Sequence[str], shown: int = 5) -> str:
    """The first of some names, and that there are more."""
    return ", ".join(names[:shown]) + (" …" if len(names) > shown else "")


def near(hint: list[str]) -> str:
    """The nearest right name, as a question, where there is one."""
    return f" (did you mean {hint[0]}?)" if hint else ""
