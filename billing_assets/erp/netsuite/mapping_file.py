"""The mapping file: what an integrator writes in `config/mapping.yaml`, validated whole before anything starts."""

import csv
import difflib
from collections.abc import Iterable
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from billing_assets.erp.documents.documents import Document, Kind, Line
from billing_assets.erp.documents.external_id import is_external_id
from billing_assets.foundation.cells import read_csv, spoiled
from billing_assets.foundation.errors import BillingError


class MappingError(BillingError):
    """The mapping cannot be used. The message names the file, the key and the value of every fault."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldSource(_Part):
    """Where a NetSuite field's value comes from: exactly one of `constant`, `column` and `lookup`."""

    constant: str | int | bool | None = Field(None, description="The same value on every document")
    column: str | None = Field(None, description="A column of the extraction queries")
    lookup: str | None = Field(None, description="A table under `tables`; needs `by` and `take`")
    by: str | None = Field(None, description="lookup: the column whose value is looked up")
    take: str | None = Field(None, description="lookup: the column of the table to take")
    reference: Literal["id", "externalId"] | None = Field(
        None, description="Send as a reference, {id: …} or {externalId: …}, instead of a plain value"
    )
    named: str | Literal[False] | None = Field(
        None,
        description="reference: what the record is called in NetSuite: a column of the table, or its name beside "
        "`constant`; false: do not compare. Default: `entity` and `item` by the value that is looked up, others not",
    )
    country: str | None = Field(
        None,
        description="subsidiary: its country in NetSuite (two letters): a column of the table, or it beside `constant`",
    )
    optional: bool = Field(
        False, description="Leave the field out where there is no value, instead of holding the document"
    )
    kinds: tuple[Kind, ...] = Field((Kind.INVOICE, Kind.CREDIT_MEMO), description="The kinds that carry the field")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [name for name in ("constant", "column", "lookup") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of constant, column and lookup; found {', '.join(given) or 'none'}")
        if (self.lookup is None) != (self.by is None) or (self.lookup is None) != (self.take is None):
            raise ValueError("`lookup`, `by` and `take` go together")
        if (self.named or self.country) and (self.reference != "id" or self.column is not None):
            raise ValueError("`named` and `country` go with `reference: id` and a `lookup` or a `constant`")
        return self


class TableFile(_Part):
    """A lookup table: a CSV file with a header line."""

    file: Path = Field(description="CSV file, relative to the mapping file")
    key: str = Field(description="The column that is looked up; its values must be unique")
    ignore_case: bool = Field(False, description="Compare keys without regard to case, as NetSuite does")


class CurrencyMapping(_Part):
    """A currency that may be billed."""

    id: str = Field(description="NetSuite's internal id of the currency")
    minor_digits: int = Field(2, ge=0, le=4, description="Digits of the minor unit (ISO 4217): GBP 2, JPY 0")


class TaxMapping(_Part):
    """Tax details of a line (SuiteTax). Without this section a line with tax is held."""

    type: FieldSource
    code: FieldSource


NEVER_SENT = ("ADJ-", "OTHER-")
"""Prefixes of adjustments, and of what is of no kind that we know: every row has its key."""


class Prefixes(_Part):
    """Prefix of the external id by kind. NetSuite needs one id space over all kinds, so they must differ."""

    invoice: str = "INV-"
    credit_memo: str = "CM-"

    @model_validator(mode="after")
    def _usable(self) -> Self:
        for prefix in (self.invoice, self.credit_memo):
            if not is_external_id(prefix):
                raise ValueError(f"a prefix takes only A-Z, 0-9, _ and -; found {prefix!r}")
        # Else two documents could share an external id: INV- and C1, INV-C and 1.
        for one, other in combinations((self.invoice, self.credit_memo, *NEVER_SENT), 2):
            if one.startswith(other) or other.startswith(one):
                kept = f" ({' and '.join(NEVER_SENT)} are those of what is never sent)" if other in NEVER_SENT else ""
                raise ValueError(f"prefixes must not begin with one another, and {one} and {other} do{kept}")
        return self

    def by_kind(self) -> dict[str, str]:
        """The prefix of each kind that is sent."""
        return {str(Kind.INVOICE): self.invoice, str(Kind.CREDIT_MEMO): self.credit_memo}


class MappingFile(_Part):
    """The mapping file as a whole."""

    external_id: Prefixes = Prefixes()
    closed_through: date | None = Field(None, description="Documents dated up to this day are held (PERIOD_CLOSED)")
    currencies: dict[str, CurrencyMapping]
    tables: dict[str, TableFile] = {}
    body: dict[str, FieldSource]
    line: dict[str, FieldSource]
    tax: TaxMapping | None = None


Table = dict[str, dict[str, str]]
"""Rows of a lookup table by normalised key."""

_DOCUMENT_COLUMNS = frozenset(Document.__dataclass_fields__) - {"lines", "extra", "posting_date", "applications"}
_LINE_COLUMNS = frozenset(Line._fields) - {"extra"}
_OURS = frozenset({"externalId", "currency", "item", "apply", "taxDetails", "taxDetailsOverride"})
_OURS_ON_LINES = frozenset({"quantity", "rate", "amount", "taxDetailsReference"})


def table_key(value: str, *, ignore_case: bool) -> str:
    """A key as tables compare it: without surrounding blanks, and without case where the table says so."""
    value = value.strip()
    return value.casefold() if ignore_case else value


def read_prefixes(path: Path) -> Prefixes:
    """The prefixes of the mapping file as it is now, without the rest of it. Raises MappingError."""
    try:
        return Prefixes.model_validate(_content(path).get("external_id", {}))
    except ValidationError as error:
        raise MappingError("\n".join(f"{path}: external_id.{_explain(fault)}" for fault in error.errors())) from None


def read_mapping_file(path: Path) -> tuple[MappingFile, dict[str, Table]]:
    """The validated mapping file and its tables. Raises MappingError with one line per fault."""
    content = _content(path)
    try:
        mapping = MappingFile.model_validate(content)
    except ValidationError as error:
        raise MappingError("\n".join(f"{path}: {_explain(fault)}" for fault in error.errors())) from None
    tables: dict[str, Table] = {}
    faults: list[str] = []
    for name, table in mapping.tables.items():
        try:
            tables[name] = _read_table(path.parent / table.file, table)
        except _TableError as error:
            faults.append(f"tables.{name}.{error}")
    faults += _field_faults(mapping, tables)
    if faults:
        raise MappingError("\n".join(f"{path}: {fault}" for fault in faults))
    return mapping, tables


def _content(path: Path) -> dict[str, Any]:
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"The mapping file {path} cannot be read ({error.strerror}). Set BILLING_MAPPING.") from None
    except UnicodeDecodeError:
        raise MappingError(f"{path} is not text in UTF-8.") from None
    except yaml.YAMLError as error:
        raise MappingError(f"{path} is not valid YAML: {_yaml_problem(error)}") from None
    if not isinstance(content, dict):
        raise MappingError(f"{path}: expected sections such as `body` and `line`, found {type(content).__name__}.")
    return content


def _explain(fault: ErrorDetails) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    value = fault["input"]
    if fault["type"] == "extra_forbidden":
        return f"{where}: there is no such key (value: {value!r})"
    shown = "" if fault["type"] == "missing" else f" (value: {value!r})"
    return f"{where}: {fault['msg']}{shown}"


def _yaml_problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}."
    return " ".join(str(error).split())


class _TableError(Exception):
    """What is wrong with a lookup table, from its key in the mapping file on."""


def _read_table(file: Path, table: TableFile) -> Table:
    rows: Table = {}

    def at(line: int) -> str:
        return f"file: {file}, line {line}"

    try:
        lines = read_csv(file.read_bytes().decode("utf-8-sig"), [table.key])  # a spreadsheet separates by ; in Germany
        _, columns = next(lines, (0, []))
        if table.key not in columns:
            raise _TableError(f"key: {file} has no column {table.key!r}.")
        for line, values in lines:
            if not values:
                continue
            if len(values) != len(columns):
                raise _TableError(f"{at(line)}: it has not as many values as the header has columns ({len(columns)}).")
            cells = {column: value.strip() for column, value in zip(columns, values, strict=True)}
            for column, value in cells.items():
                if spoiled(value):
                    raise _TableError(
                        f"{at(line)}: {value!r} under {column!r} is what a spreadsheet made of another text. Write "
                        "what it should be, with a text editor or in a column of texts."
                    )
            key = table_key(cells[table.key], ignore_case=table.ignore_case)
            if not key:
                raise _TableError(f"{at(line)}: {table.key!r} is empty.")
            if key in rows:
                raise _TableError(f"{at(line)}: {cells[table.key]!r} stands twice.")
            rows[key] = cells
    except OSError as error:
        raise _TableError(f"file: {file} cannot be read ({error.strerror}).") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise _TableError(f"file: {file} is not a CSV file in UTF-8: {error}") from None
    if not rows:
        raise _TableError(f"file: {file} has no rows.")
    return rows


def _field_faults(mapping: MappingFile, tables: dict[str, Table]) -> list[str]:
    faults = []
    codes: dict[str, str] = {}
    for code, currency in mapping.currencies.items():
        if (other := codes.setdefault(currency.id, code)) != code:
            faults.append(f"currencies.{code}.id: {other} has the id {currency.id!r}, too; each currency has its own.")
    sections = {"body": (mapping.body, _OURS), "line": (mapping.line, _OURS_ON_LINES)}
    if mapping.tax:
        sections["tax"] = ({"type": mapping.tax.type, "code": mapping.tax.code}, frozenset())
    for section, (fields, ours) in sections.items():
        for name, source in fields.items():
            key = f"{section}.{name}"
            if name in ours:
                faults.append(f"{key}: the pipeline fills this field itself; take it out.")
            if source.lookup and source.lookup not in mapping.tables:
                faults.append(f"{key}.lookup: there is no table {source.lookup!r} under `tables`.")
            elif source.lookup in tables:
                columns = next(iter(tables[source.lookup].values()))
                faults += [
                    f"{key}.{what}: table {source.lookup!r} has no column {column!r}.{_nearest(column, columns)}"
                    for what, column in (("take", source.take), ("named", source.named), ("country", source.country))
                    if column and column not in columns
                ]
            if source.country and (section, name) != ("body", "subsidiary"):
                faults.append(f"{key}.country: only `subsidiary` has a country.")
    required = {"body": ("entity",), "line": ("item",)}
    for section, names in required.items():
        faults += [f"{section}.{name}: this field is needed." for name in names if name not in sections[section][0]]
    return faults


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def is_document_column(name: str) -> bool:
    """Whether a column belongs to the contract of `documents.sql`. Others come from `extra`."""
    return name in _DOCUMENT_COLUMNS


def is_line_column(name: str) -> bool:
    """Whether a column belongs to the contract of `lines.sql`. Others come from `extra`."""
    return name in _LINE_COLUMNS
