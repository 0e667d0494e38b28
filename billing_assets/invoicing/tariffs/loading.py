"""A tariff judged as it is loaded: all that is wrong in one pass, each with its row where it came in a sheet."""

from typing import Any, NamedTuple

from billing_assets.foundation.database.connection import Connection
from billing_assets.foundation.errors import BillingError
from billing_assets.invoicing.rating.checks import check_tariff
from billing_assets.invoicing.rating.findings import Finding, finding
from billing_assets.invoicing.rating.strict_json import FormatError
from billing_assets.invoicing.rating.tariff import Tariff
from billing_assets.invoicing.rating.tariff_json import read_tariff
from billing_assets.invoicing.tariffs import store
from billing_assets.invoicing.tariffs.files import TariffFile
from billing_assets.invoicing.tariffs.sheet_rows import normal

Found = dict[str, Any]
"""A finding: code, severity, path, value, sentence; `place` is the row of a sheet."""


class TariffRefusedError(BillingError):
    """A tariff with errors is not loaded. `findings` are all that were found, warnings too."""

    def __init__(self, file: str, findings: tuple[Found, ...]) -> None:
        errors = [one for one in findings if one["severity"] == "error"]
        said = " ".join(f"{one['place'] or one['path']}: {one['sentence']} ({one['code']})" for one in errors)
        super().__init__(f"{file} has {len(errors):,} errors, so nothing was loaded. {said}")
        self.findings = findings


class TariffFormatError(BillingError):
    """A file is no tariff of the format: a name that is not known, a value of another kind, something missing."""

    def __init__(self, found: TariffFile, error: FormatError) -> None:
        place = found.place(error.path)
        super().__init__(f"{found.file.name}: {f'{place}: ' if place else ''}{error}")
        self.path = error.path
        self.place = place


class Judged(NamedTuple):
    """A tariff with the hash of its content, and what was found."""

    tariff: dict[str, Any]
    content_hash: bytes
    findings: tuple[Found, ...]

    @property
    def errors(self) -> list[Found]:
        """What keeps it from being loaded."""
        return [one for one in self.findings if one["severity"] == "error"]


def judged(found: TariffFile) -> Judged:
    """A tariff as it would be stored, and everything that is found in it.

    What says the same in two ways is stored in one, so that a file with nothing changed has the hash that is there.
    Raises TariffFormatError for what is no tariff of the format at all.
    """
    content: dict[str, Any] = normal(found.tariff)
    try:
        tariff = read_tariff(content, "")
    except FormatError as error:
        raise TariffFormatError(found, error) from error
    findings = [*_words_only(found), *check_tariff(tariff)]
    said = tuple(_found(one, _place(one, found, tariff, content)) for one in findings)
    return Judged(content, bytes.fromhex(tariff.content_hash), said)


def load_file(connection: Connection, found: TariffFile, by: str, why: str) -> tuple[store.Loaded, tuple[Found, ...]]:
    """Loads a tariff as the next version of its code, as a draft, with the warnings that were found in it.

    Safe to repeat. Raises TariffRefusedError with all findings where one is an error, and TariffFormatError.
    """
    found_in = judged(found)
    if found_in.errors:
        raise TariffRefusedError(found.file.name, found_in.findings)
    loaded = store.load(connection, found_in.tariff, found_in.content_hash, found_in.findings, found.file, by, why)
    return loaded, found_in.findings


def _words_only(found: TariffFile) -> list[Finding]:
    return [finding("IMPORT_TEXT_ONLY", one.path, one.text, text=one.text) for one in found.text_only]


def _found(one: Finding, place: str) -> Found:
    return {
        "code": one.code,
        "severity": str(one.severity),
        "path": one.path,
        "place": place,
        "value": one.value,
        "sentence": one.sentence,
    }


_COLUMNS = {
    "TARIFF_OVERLAP": "Valid from",
    "TARIFF_GAP": "Valid from",
    "TOU_GAP": "Window from",
    "TOU_OVERLAP": "Window from",
    "SEASON_COVER": "Season from",
    "BLOCKS_ORDER": "Up to",
    "PRICE_UNIT": "Price",
}
"""Where in a sheet the reason of a finding is."""


def _place(one: Finding, found: TariffFile, tariff: Tariff, content: dict[str, Any]) -> str:
    """Row and column of a sheet that a finding is about; empty where the tariff came in no sheet."""
    if not found.rows:
        return ""
    for number, charge in enumerate(tariff.charges):
        of_charge = f"tariff.charges.{charge.code}"
        for version in charge.versions:
            if one.path == f"{of_charge}.versions.{version.id}" or (one.path, one.value) == (of_charge, version.id):
                path, part = _of_version(content, number, version.valid_from.isoformat())
                row = found.place(_with_price(part, one, path))
                return f"{row}, column {_COLUMNS[one.code]}" if one.code in _COLUMNS else row
    return ""


def _of_version(content: dict[str, Any], charge: int, valid_from: str) -> tuple[str, Any]:
    """The path of a version as the sheet's rows are known by, and its JSON: checks have versions in another order."""
    versions = content["charges"][charge]["versions"]
    first = next((place for place, one in enumerate(versions) if one.get("valid_from") == valid_from), 0)
    return f"charges[{charge}].versions[{first}]", versions[first]


def _with_price(part: Any, one: Finding, path: str) -> str:
    """The path of the first price that a finding names; the part's own where it names none."""
    if one.code != "PRICE_UNIT":
        return path
    for name in ("seasons", "windows", "blocks", "rows"):
        for number, child in enumerate(part.get(name, ())):
            deeper = f"{path}.{name}[{number}]"
            if child.get("price") == one.value or _with_price(child, one, deeper) != deeper:
                return _with_price(child, one, deeper)
    return path
