"""The SQL of tariff prices: rows that count have neither gap nor overlap, and one that would make some is held."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.extracts.codes import LOADS
from billing_assets.metering.import_engine.findings import sentence_of


class Of(NamedTuple):
    """What a price is of."""

    tariff: str
    component: str
    place: str


class Price(NamedTuple):
    """A price from a day until before another; `line`: in its extract."""

    valid_from: date
    valid_until: date | None
    price: Decimal
    unit: str
    currency: str
    file: int
    line: int

    @property
    def says(self) -> tuple[object, ...]:
        """Without where it came from."""
        return self[:5]


class Ruled(NamedTuple):
    """What became of the prices of one thing. `fault`: code and sentence by which `held` are held."""

    counts: tuple[Price, ...]
    held: tuple[Price, ...]
    fault: tuple[str, str] | None = None


def rule(now: Sequence[Price], waiting: Sequence[Price], incoming: Sequence[Price]) -> Ruled:
    """Which prices of one thing count. A price takes the place of the one from the same day; those that are held
    already are tried again with what is new. Pure."""
    newest: dict[date, Price] = {}
    for one in incoming:
        if newest.setdefault(one.valid_from, one).says != one.says:
            return Ruled((), tuple(incoming), _said("TARIFF_TWICE", begin=one.valid_from))
    fault = None
    for tried in ({one.valid_from: one for one in waiting} | newest, newest):
        merged = {one.valid_from: one for one in now} | tried
        found = _fault([merged[day] for day in sorted(merged)])
        if found is None:
            return Ruled(tuple(tried.values()), ())
        fault = fault or found
    return Ruled((), tuple(newest.values()), fault)


def _fault(prices: Sequence[Price]) -> tuple[str, str] | None:
    for one, after in pairwise(prices):
        until = one.valid_until
        if until is None or until > after.valid_from:
            return _said("TARIFF_OVERLAP", begin=one.valid_from, end=until or "open", next=after.valid_from)
        if until < after.valid_from:
            return _said("TARIFF_GAP", begin=until, next=after.valid_from)
    return None


def _said(code: str, **facts: object) -> tuple[str, str]:
    return code, sentence_of(LOADS[code], **facts)


def load(
    connection: Connection, file: int, rows: Iterable[tuple[int, Mapping[str, Any]]]
) -> tuple[int, int, str | None]:
    """Loads the prices of an extract, in the caller's transaction: how many came, how many of them are held, and by
    what the first."""
    incoming: dict[Of, list[Price]] = defaultdict(list)
    for line, one in rows:
        price = Price(one["valid_from"], one["valid_until"], one["price"], one["unit"], one["currency"], file, line)
        incoming[Of(one["tariff"], one["component"], one["place"] or "")].append(price)
    connection.execute("lock table billing.tariff_prices in share row exclusive mode")
    held, sentence = 0, None
    here = _here(connection, incoming)
    for of, prices in incoming.items():
        now, waiting = here[of, "counts"], here[of, "held"]
        ruled = rule(now, waiting, prices)
        counting = {one.valid_from: one.says for one in now}
        new = [one for one in ruled.counts if counting.get(one.valid_from) != one.says]
        _replace(connection, of, "counts", [one.valid_from for one in new])
        _replace(connection, of, "held", [one.valid_from for one in (*ruled.counts, *ruled.held)])
        _insert(connection, of, new, None)
        if ruled.fault:
            refused = [one for one in ruled.held if counting.get(one.valid_from) != one.says]
            _insert(connection, of, list({one.valid_from: one for one in refused}.values()), ruled.fault)
            held += len(refused)
            sentence = sentence or f"{' '.join(filter(None, of))}: {ruled.fault[1]}"
    return sum(map(len, incoming.values())), held, sentence


def _here(connection: Connection, wanted: Iterable[Of]) -> dict[tuple[Of, str], list[Price]]:
    found: dict[tuple[Of, str], list[Price]] = defaultdict(list)
    tariffs, components, places = zip(*wanted, strict=True) if wanted else ((), (), ())
    rows = connection.execute(
        """
        select p.* from billing.tariff_prices as p
        join unnest(%s::text[], %s::text[], %s::text[]) as w (tariff, component, place)
            using (tariff, component, place)
        where p.replaced_at is null""",
        [list(tariffs), list(components), list(places)],
    )
    for row in rows:
        price = Price(*(row[name] for name in Price._fields))
        found[Of(row["tariff"], row["component"], row["place"]), row["state"]].append(price)
    return found


def _replace(connection: Connection, of: Of, state: str, days: list[date]) -> None:
    if days:
        connection.execute(
            """
            update billing.tariff_prices set replaced_at = clock_timestamp()
            where (tariff, component, place, state) = (%s, %s, %s, %s) and valid_from = any (%s)
                and replaced_at is null""",
            [*of, state, days],
        )


def _insert(connection: Connection, of: Of, prices: Sequence[Price], fault: tuple[str, str] | None) -> None:
    for one in prices:
        connection.execute(
            """
            insert into billing.tariff_prices (tariff, component, place, valid_from, valid_until, price, unit, currency,
                file, line, state, code, sentence)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [*of, *one, "held" if fault else "counts", *(fault or (None, None))],
        )
