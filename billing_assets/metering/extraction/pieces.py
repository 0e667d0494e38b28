"""A record as it is extracted: the piece that it belongs to, when it changed, and the line that it becomes. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from billing_assets.metering.import_engine.extracts.contract import VERSION, FieldError, Resource, text_of, values_of


class Record(NamedTuple):
    """A record. `piece`: what is taken whole or not at all, such as a stream's day. `record`: which of the piece.
    `bad`: a field of it cannot be read; it goes into a file of its own, which is refused and says why."""

    piece: str
    record: str
    updated_at: datetime | None
    bad: bool
    line: str


def record_of(resource: Resource, found: Mapping[str, Any]) -> Record:
    """A record of what a source gave. Fields that the contract does not name are left out."""
    texts: dict[str, str] = {}
    for name in resource.fields:
        value = found.get(name)
        try:
            text = text_of(value)
        except ValueError:
            return _unreadable(resource, found)
        if text is not None:
            texts[name] = text
    try:
        updated_at = values_of(resource, texts)["updated_at"]
        bad = False
    except FieldError:
        updated_at, bad = None, True
    piece, record = (_json([texts.get(name) for name in names]) for names in (resource.group, resource.record))
    return Record(piece, record, updated_at, bad, _json(texts))


def _unreadable(resource: Resource, found: Mapping[str, Any]) -> Record:
    """A record with a value that has no exact text: as JSON shows it."""
    line = json.dumps({name: found.get(name) for name in resource.fields}, default=str)
    return Record(_json([str(found.get(name)) for name in resource.group]), line, None, True, line)


def head(resource: Resource, source: str, zone: str, records: int) -> bytes:
    """The first line of an extract. It has no time: the same content is the same file."""
    said = {"extract": resource.name, "source": source, "version": VERSION, "zone": zone, "records": records}
    return _json(said).encode() + b"\n"


def _json(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace").decode()
