"""Where the columns of a mapping are in a file: by the names in its head, or by their numbers."""

from dataclasses import dataclass

from billing_assets.metering.import_engine.csv_mapping import EVERY_OTHER, Channel, ColumnMapping, Source


class NoColumnError(LookupError):
    """A column of the mapping is not in the file. `column`: its name or number."""

    def __init__(self, column: object) -> None:
        super().__init__(f"there is no column {column}")
        self.column = column


@dataclass(frozen=True)
class Columns:
    """Places of columns; None: the mapping has none.

    `values`: the columns of quantities with their channels; a channel of None is that of the row.
    """

    width: int | None
    point: int | None
    serial: int | None
    channel: int | None
    quality: int | None
    start: int | None
    end: int | None
    date: int | None
    label: int | None
    cost: int | None
    price: int | None
    values: list[tuple[int, Channel | None]]


def columns(mapping: ColumnMapping, head: list[str] | None) -> Columns:
    """The columns of a file. `head`: its last head line; None: it has none. Raises NoColumnError."""
    names: dict[str, int] = {}
    for at, name in enumerate(head or []):
        names.setdefault(name.strip(), at)

    def place(column: str | int | None) -> int | None:
        if column is None:
            return None
        if isinstance(column, int):
            if head is not None and column >= len(head):
                raise NoColumnError(column)
            return column
        if column not in names:
            raise NoColumnError(column)
        return names[column]

    def of(source: Source | None) -> int | None:
        return place(source.column) if source else None

    times, wide = mapping.times, mapping.wide
    found = {
        "point": of(mapping.point),
        "serial": of(mapping.serial),
        "channel": of(mapping.channel),
        "quality": of(mapping.quality),
        "start": place(times.start),
        "end": place(times.end),
        "date": place(times.date),
        "label": place(times.label),
        "cost": place(mapping.cost.column) if mapping.cost else None,
        "price": place(mapping.cost.price) if mapping.cost else None,
    }
    if wide:
        first = place(wide.first) or 0
        if head is not None and first + wide.count > len(head):
            raise NoColumnError(f"{wide.count} columns from {wide.first} on")
        return Columns(len(head) if head else None, values=[(first + at, None) for at in range(wide.count)], **found)
    return Columns(
        len(head) if head else None, values=_values(mapping, head, names, found, place(mapping.value)), **found
    )


def _values(
    mapping: ColumnMapping,
    head: list[str] | None,
    names: dict[str, int],
    taken: dict[str, int | None],
    value: int | None,
) -> list[tuple[int, Channel | None]]:
    if value is not None:
        return [(value, None if mapping.channel else next(iter(mapping.channels.values())))]
    found: list[tuple[int, Channel | None]] = []
    for name, channel in mapping.channels.items():
        if name == EVERY_OTHER:
            continue
        at = names.get(name) if head is not None else int(name) if name.isdecimal() else None
        if at is None:
            raise NoColumnError(name)
        if not channel.ignore:
            found.append((at, channel))
    every = mapping.channels.get(EVERY_OTHER)
    if every and head is not None:
        known = {names[name] for name in mapping.channels if name in names} | set(taken.values())
        for at, name in enumerate(head):
            if at not in known:
                found.append((at, every.model_copy(update={"suffix": name.strip() or str(at)})))
    return found
