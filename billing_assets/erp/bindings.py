"""What our database belongs to: one NetSuite account at one host, one environment, the databases of its sources, and
the prefixes of the external ids that it ever used.

The first attempt binds it, the first staging binds its source. From then on every start and every run compares, and a
difference is refused: in another account a lost answer would be "proven absent" and sent again. Only a person moves a
binding, with a name and a reason, and never while an answer may still be out.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from billing_assets.erp import accounts
from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.runtime import BoundElsewhereError
from billing_assets.foundation.settings import SettingsError, variable

_LOCK = "select pg_advisory_xact_lock(hashtextextended('billing bindings', 0))"
_HOW = '--by "<who>" --why "<why>"`'
_OTHER_DATABASE = f"or give this deployment a database of its own ({variable('database_url')})"


class Subject(StrEnum):
    """What a database is bound to, and `billing move` moves."""

    ACCOUNT = "account"
    HOST = "host"
    ENVIRONMENT = "environment"
    SOURCE = "source"
    PREFIX = "prefix"


Decide = Callable[[str, str], int]
"""Writes down what a person decided (what about, what); its row in `billing.decisions`."""


class MoveRefusedError(SettingsError):
    """A binding cannot be moved now, or not there; the message says why."""


@dataclass(frozen=True)
class Named:
    """What the settings of a process name. `account` and `host` are None where none is set, `prefixes` (by kind) empty
    where the mapping cannot be read: what needs them says so itself."""

    account: str | None
    host: str | None
    environment: str
    prefixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


class Entry(NamedTuple):
    """A row of the history: what was bound to which value, when, and by whom (None: by a run)."""

    subject: Subject
    name: str
    value: str
    decided_by: str | None
    why: str | None
    bound_at: datetime


class Moved(NamedTuple):
    """From what to what a binding was moved. `was` is None where nothing was bound, `changed` false where it was there
    already."""

    was: str | None
    now: str
    changed: bool


@dataclass(frozen=True)
class _Bound:
    """What the database is bound to: the last value by subject and name, every prefix and every source ever bound, and
    whether anything was ever attempted."""

    last: Mapping[tuple[str, str], str]
    history: list[dict[str, Any]]
    attempted: bool

    def of(self, subject: Subject, name: str = "") -> str | None:
        return self.last.get((subject, name))

    def ever(self, subject: Subject) -> list[tuple[str, str]]:
        """Name and value of everything that was ever bound."""
        return [(row["name"], row["value"]) for row in self.history if row["subject"] == subject]


def compare(connection: Connection, named: Named) -> None:
    """Refuses settings that name something else than this database is bound to. Raises BoundElsewhereError."""
    _compare(_read(connection), named)


def bind(connection: Connection, named: Named, run_id: str) -> None:
    """Binds what is not bound yet, before the first attempt is committed; call while the documents are locked.

    A move that is under way is waited for: it is refused while a document is locked, and what it wrote is compared.
    Raises BoundElsewhereError.
    """
    with connection.transaction():
        connection.execute(_LOCK)
        bound = _read(connection)
        _compare(bound, named)
        wanted = [(Subject.ACCOUNT, "", named.account), (Subject.HOST, "", named.host)]
        wanted.append((Subject.ENVIRONMENT, "", named.environment))
        wanted += [(Subject.PREFIX, kind, prefix) for kind, prefix in named.prefixes.items()]
        for subject, name, value in wanted:
            if value is not None and bound.of(subject, name) is None:
                _add(connection, subject, name, value, run_id)


def compare_source(
    connection: Connection, name: str, identity: str, names: Collection[str] = (), setting: str = variable("source.url")
) -> None:
    """Refuses a source whose database is not the one that was staged from. `names`: of every source of the settings;
    `setting`: where this one's URL is. Raises BoundElsewhereError."""
    _compare_source(_read(connection), name, identity, names, setting)


def bind_source(connection: Connection, name: str, identity: str, run_id: str, names: Collection[str] = ()) -> None:
    """Binds a source to its database, if it is not bound yet; call in the transaction of its first staging.

    `names` as for `compare_source`. Raises BoundElsewhereError.
    """
    bound = _read(connection)
    _compare_source(bound, name, identity, names, variable("source.url"))
    if bound.of(Subject.SOURCE, name) is None:
        _add(connection, Subject.SOURCE, name, identity, run_id)


def prefixes(connection: Connection) -> list[tuple[str, str]]:
    """Kind and prefix of every external id that we ever gave, the latest last."""
    return _read(connection).ever(Subject.PREFIX)


def entries(connection: Connection) -> list[Entry]:
    """Everything that was ever bound, in its order."""
    rows = connection.execute(
        """
        select b.subject, b.name, b.value, w.decided_by, w.why, b.bound_at
        from billing.bindings as b left join billing.decisions as w on w.id = b.decision_id order by b.id"""
    ).fetchall()
    return [Entry(**row | {"subject": Subject(row["subject"])}) for row in rows]


def bound_in_words(connection: Connection) -> str:
    """What the database is bound to, in one line."""
    bound = _read(connection)
    if bound.of(Subject.ACCOUNT) is None:
        place = "not bound to an account yet: the first attempt binds it"
    else:
        place = f"{_place(bound)}, environment {bound.of(Subject.ENVIRONMENT)}"
    sources = [f"source {name}: {value}" for (subject, name), value in bound.last.items() if subject == Subject.SOURCE]
    return "; ".join([place, *sources])


def loud(named: Named) -> str | None:
    """What an operator should hear of although nothing is refused: a production account outside of `prod`."""
    if named.environment != "prod" and named.account and accounts.is_production(named.account):
        return f"{named.account} is a production account, and {variable('env')} is {named.environment}"
    return None


def move(
    connection: Connection,
    subject: Subject,
    named: Named,
    decide: Decide,
    leave: Callable[[Connection], None] = lambda _: None,
) -> Moved:
    """Moves the binding to what the settings name now: `account` (with its host), `environment` or `prefix`.

    `leave` does in the same transaction what leaving the old one takes. Moving to where it is already changes nothing.
    Raises MoveRefusedError, also while documents are locked or posting.
    """
    with connection.transaction():
        connection.execute(_LOCK)
        bound = _read(connection)
        wanted = _wanted(subject, named)
        was, now = _in_words(bound, subject), " and ".join(value for _, _, value in wanted)
        steps = [one for one in wanted if bound.of(one[0], one[1]) != one[2]]
        if subject is Subject.ACCOUNT:
            now = f"{named.account} at {named.host}"
        if not steps:
            return Moved(was, now, changed=False)
        _nothing_out(connection)
        if subject is Subject.PREFIX:
            _apart(bound, named.prefixes)
        decision = decide(subject.value, f"moved to {now}")
        for one, name, value in steps:
            _add(connection, one, name, value, decision=decision)
        leave(connection)
        return Moved(was, now, changed=True)


def move_source(connection: Connection, name: str, identity: str, decide: Decide) -> Moved:
    """Confirms another database as the one of a source, or a source's first one. One that was ever confirmed stays so.

    Allowed while documents are on their way: staging touches none of those.
    """
    bound = _read(connection)
    was = bound.of(Subject.SOURCE, name) or ", ".join(f"{one}: {value}" for one, value in bound.ever(Subject.SOURCE))
    if (name, identity) in bound.ever(Subject.SOURCE):
        return Moved(was or None, identity, changed=False)
    with connection.transaction():
        decision = decide(f"source {name}", f"confirmed {identity}")
        _add(connection, Subject.SOURCE, name, identity, decision=decision)
    return Moved(was or None, identity, changed=True)


def follow_sandbox(connection: Connection, account: str, host: str, decide: Decide) -> None:
    """Notes where the sample's own sandbox listens now: it is the same one, whatever its port.

    Nothing where our database is bound to no account, or to another one.
    """
    with connection.transaction():
        connection.execute(_LOCK)
        bound = _read(connection)
        if (
            bound.of(Subject.ACCOUNT) == account
            and _is_loopback(bound.of(Subject.HOST))
            and bound.of(Subject.HOST) != host
        ):
            _add(connection, Subject.HOST, "", host, decision=decide(Subject.HOST.value, f"moved to {host}"))


def _is_loopback(host: str | None) -> bool:
    return (host or "").startswith("127.0.0.1:")


def _read(connection: Connection) -> _Bound:
    rows = connection.execute(
        """
        select b.subject, b.name, b.value, a.attempted
        from (select exists (select from billing.posting_attempts)  -- of all that was posted long ago only totals stay
                  or exists (select from billing.posted_totals) as attempted) as a
        left join billing.bindings as b on true order by b.id"""
    ).fetchall()
    history = [row for row in rows if row["subject"] is not None]
    last = {(row["subject"], row["name"]): row["value"] for row in history}
    return _Bound(last, history, rows[0]["attempted"])


def _add(
    connection: Connection,
    subject: Subject,
    name: str,
    value: str,
    run_id: str | None = None,
    *,
    decision: int | None = None,
) -> None:
    connection.execute(
        """
        insert into billing.bindings (subject, name, value, run_id, decision_id) values (%s, %s, %s, %s, %s)
        on conflict (subject, name, value) where subject = 'source' do nothing""",
        [subject, name, value, run_id, decision],
    )


def _compare(bound: _Bound, named: Named) -> None:
    account, host = bound.of(Subject.ACCOUNT), bound.of(Subject.HOST)
    environment = bound.of(Subject.ENVIRONMENT)
    if named.account is not None and account is not None and (named.account, named.host) != (account, host):
        raise BoundElsewhereError(
            f"This database belongs to NetSuite account {_place(bound)}, and the settings name {named.account} at "
            f"{named.host}. Nothing is sent or looked up there. Correct {variable('netsuite.account')} and "
            f"{variable('netsuite.base_url')}, {_OTHER_DATABASE}. If it is meant: `billing move account {_HOW}."
        )
    if environment is not None and named.environment != environment:
        raise BoundElsewhereError(
            f"This database belongs to the environment {environment}, and {variable('env')} is {named.environment}. "
            f"Correct {variable('env')}, {_OTHER_DATABASE}. If it is meant: `billing move environment {_HOW}."
        )
    if environment is None and not bound.attempted and (found := loud(named)):
        raise BoundElsewhereError(
            f"{found}. Set {variable('env')}=prod, or name a sandbox account in {variable('netsuite.account')}. If it "
            f"is meant: `billing move environment {_HOW}."
        )
    for kind, prefix in named.prefixes.items():
        last = bound.of(Subject.PREFIX, kind)
        if last is not None and last != prefix:
            raise BoundElsewhereError(
                f"External ids of kind {kind} begin with {last} here, and the mapping says {prefix}: what was sent as "
                f"{last}… would be sent again as {prefix}…. Put {last} back into `external_id` of the mapping. If a "
                f"new prefix is meant: `billing move prefix {_HOW}; what was sent under {last} is then still sought."
            )


def _compare_source(bound: _Bound, name: str, identity: str, names: Collection[str], setting: str) -> None:
    confirmed = bound.ever(Subject.SOURCE)
    if not confirmed or (name, identity) in confirmed:
        return
    how = f"`billing move source {_HOW}"
    if bound.of(Subject.SOURCE, name) is None:
        if {one for one, _ in confirmed} <= {*names}:
            return  # one more beside those that are known, and none of them under another name
        known = ", ".join(f"{one} ({value})" for one, value in confirmed)
        raise BoundElsewhereError(
            f"This database was staged from {known}, and {variable('source.name')} is {name} ({identity}). The name is "
            f"part of every document's key: under another one all documents would be new. Put the name back. If it is "
            f"another billing system: {how}."
        )
    known = " or ".join(value for one, value in confirmed if one == name)
    raise BoundElsewhereError(
        f"The source {name} is the database {known}, and {setting} leads to {identity}. Nothing was "
        f"staged. Correct {setting}. If the billing system moved there, or this is its replica: {how}."
    )


def _wanted(subject: Subject, named: Named) -> list[tuple[Subject, str, str]]:
    if subject is Subject.ENVIRONMENT:
        return [(subject, "", named.environment)]
    if subject is Subject.PREFIX:
        return [(subject, kind, prefix) for kind, prefix in named.prefixes.items()]
    if named.account is None or named.host is None:
        raise MoveRefusedError(f"{variable('netsuite.account')} is not set: it names the account to move to.")
    return [(Subject.ACCOUNT, "", named.account), (Subject.HOST, "", named.host)]


def _in_words(bound: _Bound, subject: Subject) -> str | None:
    if subject is Subject.ACCOUNT:
        return _place(bound) if bound.of(subject) else None
    return " and ".join(value for (one, _), value in bound.last.items() if one == subject) or None


def _place(bound: _Bound) -> str:
    return f"{bound.of(Subject.ACCOUNT)} at {bound.of(Subject.HOST)}"


def _nothing_out(connection: Connection) -> None:
    rows = connection.execute(
        """
        select state, count(*) as n from billing.staged_invoices where state in ('locked', 'posting')
        group by 1 order by 1"""
    ).fetchall()
    if rows:
        counts = " and ".join(f"{row['n']:,} {row['state']}" for row in rows)
        raise MoveRefusedError(
            f"{counts} documents: an answer about them may still be out, and only where they were sent can they be "
            "looked up. Let their runs end under the settings as they were (`billing status`), then move."
        )


def _apart(bound: _Bound, now: Mapping[str, str]) -> None:
    """No external id under a new prefix may ever be one under an old prefix of another document."""
    for kind, prefix in now.items():
        for was_kind, was in bound.ever(Subject.PREFIX):
            same = kind == was_kind and prefix == was
            if not same and (prefix.startswith(was) or was.startswith(prefix)):
                raise MoveRefusedError(
                    f"The prefix {prefix} of kind {kind} and {was}, which was used for kind {was_kind}, begin with one "
                    "another: two documents could come to share an external id. Choose another one."
                )
