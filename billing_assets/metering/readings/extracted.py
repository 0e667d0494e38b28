"""Extracts of master data and prices: loaded when their file was read, in the transaction of its verdict."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from billing_assets.foundation.database.connection import Connection
from billing_assets.metering.import_engine.extracts.codes import LOADS
from billing_assets.metering.import_engine.extracts.contract import text_of
from billing_assets.metering.import_engine.extracts.reader import extract_of
from billing_assets.metering.readings import master_store, tariff_store
from billing_assets.metering.readings.master_data import KINDS, Kind, MasterDataError, Row, read_row

_BY_NAME = {kind.name: kind for kind in KINDS}
_Records = Iterable[tuple[int, Mapping[str, Any]]]
_SAME = {"point": "nmi", "serial": "serial_number"}
_INSTALLED = {**_SAME, "valid_from": "installed_from", "valid_until": "installed_until"}
_SUPPLIED = {**_SAME, "valid_from": "supplied_from", "valid_until": "supplied_until"}
KINDS_OF: dict[str, dict[str, Mapping[str, str]]] = {
    "devices": {"meters": _INSTALLED, "registers": _SAME},
    "service_points": {"service_points": _SAME, "supply_periods": _SUPPLIED},
}
"""By resource the kinds of master data that its records have, and the fields of columns that are called otherwise."""
RESOURCES = frozenset({*KINDS_OF, "tariffs"})
"""What is loaded here; the others are readings."""


def load(connection: Connection, file: int, source: BinaryIO) -> None:
    """Loads an accepted extract, all of its master data or none; what is held, and why, is noted. Of readings
    nothing."""
    found = extract_of(source)
    if found is None or found[0].name not in RESOURCES:
        return
    resource, records = found[0].name, found[1]
    if resource == "tariffs":
        count, held, sentence = tariff_store.load(connection, file, records)
    else:
        count, held, sentence = _load_master_data(connection, resource, list(records))
    connection.execute(
        "insert into billing.extract_loads (file, resource, records, held, sentence) values (%s, %s, %s, %s, %s)",
        [file, resource, count, held, sentence],
    )


def _load_master_data(
    connection: Connection, resource: str, records: list[tuple[int, Mapping[str, Any]]]
) -> tuple[int, int, str | None]:
    try:
        with connection.transaction():
            kinds = KINDS_OF[resource]
            master_store.load(connection, {name: rows_of(_BY_NAME[name], records, kinds[name]) for name in kinds})
    except MasterDataError as error:
        return len(records), len(records), LOADS["MASTER_DATA"].sentence.format(why=error)
    return len(records), 0, None


def rows_of(kind: Kind, records: _Records, fields: Mapping[str, str]) -> Iterator[Row]:
    """The rows of a kind, each once: a point has a record for each account. Raises MasterDataError."""
    seen: dict[tuple[Any, ...], Row] = {}
    for line, record in records:
        texts = {name: text_of(record.get(fields.get(name, name))) or "" for name in kind.columns}
        if not texts["valid_from"] and kind.name == "supply_periods":
            continue  # the point is vacant
        row = read_row(kind, texts, f"line {line}")
        key = (*(row[name] for name in kind.key), row["valid_from"])
        if key not in seen:
            seen[key] = row
            yield row
        elif seen[key] != row:
            raise MasterDataError(f"line {line}", f"{kind.name} {' '.join(map(str, key))} is there with other values.")
