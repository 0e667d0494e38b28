"""NetSuite, as `billing doctor` sees it: the login, the records that the mapping names, the fields that it fills."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billing_assets.erp.billing_system import doctor as billing_system
from billing_assets.erp.billing_system.queries import DOCUMENTS_FILE, LINES_FILE
from billing_assets.erp.billing_system.resource import BillingSystems
from billing_assets.erp.netsuite.client import NetSuiteClient, RecordType
from billing_assets.erp.netsuite.errors import (
    NetSuiteAnswerUnreadable,
    NetSuiteForbidden,
    NetSuiteNotFound,
    NetSuiteQueryRefused,
)
from billing_assets.erp.netsuite.id_meanings import RECORDS, Examined
from billing_assets.erp.netsuite.mapping import RECORD_TYPES, Field, NetSuiteMapping
from billing_assets.erp.netsuite.mapping_file import is_document_column, is_line_column
from billing_assets.erp.netsuite.proof import prove
from billing_assets.erp.netsuite.resource import NetSuite
from billing_assets.erp.netsuite.suiteql import query
from billing_assets.erp.settings import NetSuiteSettings
from billing_assets.foundation.doctor import Checked, Unproven, Unwell, few, looked, near
from billing_assets.foundation.runtime import Runtime

_SHOWN = 10
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at NetSuite, and at the mapping from both of its sides."""
    for what, look in (
        ("Mapping", look_at_mapping),
        ("Mapping's columns", look_at_columns),
        ("NetSuite", look_at_netsuite),
        ("References in NetSuite", look_at_references),
        ("Fields in NetSuite", look_at_fields),
    ):
        yield looked(what, look, runtime)


def look_at_mapping(runtime: Runtime) -> str:
    """Whether the mapping can be read."""
    mapping = runtime.of(NetSuite).mapping
    return f"{runtime.settings.mapping}: {len(mapping.file.body)} body fields, {len(mapping.file.line)} line fields"


def look_at_columns(runtime: Runtime) -> str:
    """Whether every column that the mapping reads is in a query. One that is not holds every document."""
    mapping = runtime.of(NetSuite).mapping
    faults: dict[str, None] = {}
    for system in runtime.of(BillingSystems):
        with system.connection(unbound=True) as source:  # also where one looks before one moves
            found = billing_system.columns(source, system.queries)
        faults |= dict.fromkeys(_missing_columns(mapping, found[DOCUMENTS_FILE], found[LINES_FILE]))
    if faults:
        raise Unwell(
            f"{'; '.join(faults)}. Correct {runtime.settings.mapping}, or add the column to the query: else what needs "
            "it is held with FIELD_UNMAPPED, and what is `optional` is left out."
        )
    return "every column that the mapping reads is in a query"


def _missing_columns(mapping: NetSuiteMapping, header: set[str], line: set[str]) -> Iterator[str]:
    for section, fields in _sections(mapping):
        for field in fields:
            known = header if section == "body" else header | line
            if field.column and not _is_read(field.column, known, on_line=section != "body"):
                hint = near(difflib.get_close_matches(field.column, sorted(known), n=1))
                where = DOCUMENTS_FILE if section == "body" else f"{LINES_FILE} or {DOCUMENTS_FILE}"
                yield f"{section}.{field.name}: there is no column {field.column!r} in {where}{hint}"


def _sections(mapping: NetSuiteMapping) -> Iterator[tuple[str, tuple[Field, ...]]]:
    for kind in mapping.body:
        yield "body", mapping.body[kind]
        yield "line", mapping.line[kind]
    yield "tax", mapping.tax


def _is_read(name: str, known: set[str], *, on_line: bool) -> bool:
    ours = is_document_column(name) or (on_line and is_line_column(name))
    return ours or name in known


def look_at_netsuite(runtime: Runtime) -> str:
    """The login, and how many requests at once NetSuite allows."""
    client = runtime.of(NetSuite).client
    next(query(client, "SELECT id FROM currency ORDER BY id"), None)
    answers = f"{client.base_url} answers and the login ({runtime.settings.of(NetSuiteSettings).auth}) is accepted"
    return f"{answers}; {_lanes(client, runtime.settings.of(NetSuiteSettings).lanes)}"


def _lanes(client: NetSuiteClient, lanes: int) -> str:
    try:
        limit = client.concurrency_limit()
    except NetSuiteForbidden:
        return f"the role may not read how many requests at once it allows, the settings say {lanes}"
    return f"{lanes if limit is None else min(limit, lanes)} requests at once (settings {lanes}, NetSuite {limit})"


def look_at_references(runtime: Runtime) -> str:
    """Whether every record that the mapping can name exists, and is the one that the mapping means."""
    with runtime.state() as connection:
        found = prove(connection, runtime.of(NetSuite).client, runtime.of(NetSuite).mapping)
    faults = [*_mismatches(found), *_missing(found)]
    if faults:
        raise Unwell(f"{' '.join(faults)} Correct the ids in {runtime.settings.mapping} and its tables.")
    said = f"all {found.existing:,} records that the mapping can name exist, {found.compared:,} of them by their names"
    if found.unnamed:
        said += (
            f"; not compared, as the mapping does not say what they are called (`named`): {', '.join(found.unnamed)}"
        )
    if found.unchecked:
        raise Unproven(
            f"{said}. Not checked: " + "; ".join(f"{field}: {why}" for field, why in found.unchecked.items())
        )
    return said


def _mismatches(found: Examined) -> Iterable[str]:
    if found.mismatches:
        shown = "; ".join(one.sentence for one in found.mismatches[:_SHOWN])
        more = len(found.mismatches) - _SHOWN
        yield f"{shown}{f', and {more:,} more' if more > 0 else ''}. Nothing is posted while it is so."


def _missing(found: Examined) -> Iterable[str]:
    if found.missing:
        missing = [
            f"{len(ids)} of {found.asked[name]} ids for {name} ({RECORDS[name].table}): {few(ids)}"
            for name, ids in found.missing.items()
        ]
        yield f"NetSuite does not have: {'; '.join(missing)}. Or let the role see them."
    if odd := sorted(name for name, ids in found.missing.items() if not all(map(str.isdecimal, ids))):
        yield f"An internal id is a number: for {', '.join(odd)} use `reference: externalId`."


def look_at_fields(runtime: Runtime) -> str:
    """Whether NetSuite's records have the fields that the mapping fills, custom fields among them."""
    mapping = runtime.of(NetSuite).mapping
    faults: list[str] = []
    count = 0
    unread: list[str] = []
    for kind, record_type in RECORD_TYPES.items():
        try:
            body, line = _properties(runtime.of(NetSuite).client, record_type)
        except (NetSuiteForbidden, NetSuiteNotFound, NetSuiteQueryRefused, NetSuiteAnswerUnreadable) as error:
            unread.append(f"the fields of {record_type} ({error.detail or error})")
            continue
        for section, fields, known in (
            ("body", [one.name for one in mapping.body[kind]], body),
            ("line", [one.name for one in mapping.line[kind]], line),
        ):
            if known is None:
                unread.append(f"the fields of {record_type}'s lines")
                continue
            count += len(fields)
            faults += [_lacks(record_type, section, name, known) for name in fields if name not in known]
    if faults:
        raise Unwell(
            f"{'; '.join(dict.fromkeys(faults))}. NetSuite would refuse every document. Correct the name in "
            f"{runtime.settings.mapping}, or make the field in NetSuite and give the role access to it."
        )
    if unread:
        raise Unproven(
            f"Not checked: {'; '.join(unread)}. Give the role Setup > REST Web Services and the transactions."
        )
    return f"NetSuite's records have all {count} fields that the mapping fills"


def _lacks(record_type: str, section: str, name: str, known: Iterable[str]) -> str:
    return f"{record_type} has no field {section}.{name}{near(difflib.get_close_matches(name, [*known], n=1))}"


def _properties(client: NetSuiteClient, record_type: RecordType) -> tuple[set[str], set[str] | None]:
    """The fields of a record and of its lines as NetSuite's metadata catalog has them; None where it does not say."""
    schema = _schema(client, record_type)
    body = schema.get("properties")
    if not isinstance(body, dict) or not body:
        raise NetSuiteAnswerUnreadable(f"The metadata catalog names no fields of {record_type}", detail="no properties")
    items = _followed(client, _followed(client, body.get("item")).get("items"))
    line = _followed(client, items.get("items") if "items" in items else items).get("properties")
    return set(body), set(line) if isinstance(line, dict) and line else None


def _followed(client: NetSuiteClient, node: Any) -> Mapping[str, Any]:
    """A part of a schema: where it is a link, what the link leads to; of an object its properties' parent."""
    if not isinstance(node, dict):
        return {}
    name = str(node.get("$ref", "")).rstrip("/").rsplit("/", 1)[-1]
    if _SCHEMA_NAME.fullmatch(name):
        node = _schema(client, name)
    inner = node.get("properties")
    return inner if isinstance(inner, dict) and "items" in inner else node


def _schema(client: NetSuiteClient, name: str) -> Mapping[str, Any]:
    return client.get(f"record/v1/metadata-catalog/{name}", accept="application/schema+json")
