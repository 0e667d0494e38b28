"""The eight answers to a request, whatever system it went to: what each says about the item that was sent.

An item counts as *not landed* only where the system itself says so, or nothing left. Everything else, unforeseen
answers included, is `Unknown`, and is looked up before anything else happens to the item.
"""

from dataclasses import dataclass, field

from billing_assets.foundation.errors import BillingError


@dataclass(frozen=True, slots=True)
class Landed:
    """The system has the item. `remote_id` is its own id of it."""

    remote_id: str
    http_status: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Exists:
    """The system has something with this external id. Look it up and compare before believing it is ours.

    `code`: its own, where it may have what it does not show; None where a look-up shows all that it has.
    """

    http_status: int | None
    code: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The system refused the item; sending the same again is refused again.

    `code`, `path` and `detail` join everything that it named. `known` is false where the refusal may yet hide that it
    has the item, or where what it was refused for may have changed since: it is looked up once before it goes to the
    dead letters.
    """

    http_status: int | None
    code: str
    path: str | None
    detail: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Retry:
    """The system did nothing and may accept the same request later. `throttled`: use fewer lanes.

    `retry_after` is the server's wish in seconds.
    """

    http_status: int | None
    code: str
    detail: str
    throttled: bool
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """The login was refused, nothing was processed. Too many parallel calls have shown as this, too."""

    detail: str
    http_status: int | None = field(default=None, compare=False)
    code: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The login may not do this, nothing was processed. No item of the run will fare better."""

    code: str
    detail: str
    http_status: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left this machine (refused, DNS, connect timeout): surely not landed."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The item may be there or not, or come to be there within the system's longest request time."""

    http_status: int | None
    reason: str


Answer = Landed | Exists | Refused | Retry | Unauthorized | Forbidden | NotSent | Unknown


class Unavailable(BillingError):  # noqa: N818  says what is so
    """The outside system cannot be reached, is down or too busy. Later it may work; the message names it."""

    retryable = True
