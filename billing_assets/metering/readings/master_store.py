"""The SQL of master data: what is new takes the place of what was said before, which is kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.readings.master_data import KINDS, Kind, MasterDataError, Row


class Loaded(NamedTuple):
    """What a load changed of a kind."""

    kind: str
    rows: int
    added: int
    replaced: int


def load(connection: Connection, found: Mapping[str, Iterable[Row]], kinds: Sequence[Kind] = KINDS) -> list[Loaded]:
    """Loads rows by kind, all or none, in the caller's transaction. Raises MasterDataError where two periods of one
    thing overlap."""
    return [_load(connection, kind, found[kind.name]) for kind in kinds if kind.name in found]


def _load(connection: Connection, kind: Kind, rows: Iterable[Row]) -> Loaded:
    names, table = list(kind.columns), f"billing.{kind.table}"
    columns = ", ".join(f'"{name}"' for name in names)
    same_key = " and ".join(f"i.{name} = t.{name}" for name in (*kind.key, "valid_from"))
    ours, theirs = (", ".join(f'{one}."{name}"' for name in names) for one in ("t", "i"))
    connection.execute(f"create temporary table incoming on commit drop as select {columns} from {table} limit 0")
    count = 0
    with connection.cursor() as cursor, cursor.copy(f"copy incoming ({columns}) from stdin") as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])
            count += 1
    # One loader at a time: what two add is compared, too.
    connection.execute(f"lock table {table} in share row exclusive mode")
    replaced = connection.execute(
        f"""
        update {table} as t set replaced_at = clock_timestamp() from incoming as i
        where {same_key} and t.replaced_at is null and ({ours}) is distinct from ({theirs})"""
    ).rowcount
    added = connection.execute(
        f"""
        insert into {table} ({columns})
        select {columns} from incoming as i
        where not exists (select from {table} as t where {same_key} and t.replaced_at is null)"""
    ).rowcount
    key, first = ", ".join(kind.key), kind.key[0]
    overlap = connection.execute(
        f"""
        select * from (
            select {key}, valid_from, valid_until,
                lead(valid_from) over (partition by {key} order by valid_from) as next
            from {table} as t
            where replaced_at is null and {first} in (select {first} from incoming)) as t
        where next < coalesce(valid_until, 'infinity') order by {key} limit 1"""
    ).fetchone()
    connection.execute("drop table incoming")
    if overlap:
        of = " ".join(str(overlap[name]) for name in kind.key)
        until = overlap["valid_until"] or "open"
        what = f"{of} counts from {overlap['valid_from']} (until {until}), and again from {overlap['next']}."
        raise MasterDataError(kind.name, what)
    return Loaded(kind.name, count, added, replaced)
