"""A rating case of any kind, as a file has it: its tariff in our format, as OpenEI publishes it, or as a CDR plan."""

from typing import Any

from billing_assets.invoicing.rating.case_json import Case, read_case, read_usage_period_context
from billing_assets.invoicing.rating.checks import check_tariff
from billing_assets.invoicing.rating.findings import Finding, finding, has_errors
from billing_assets.invoicing.rating.importers.cdr import from_cdr
from billing_assets.invoicing.rating.importers.foreign import Imported, read_json
from billing_assets.invoicing.rating.importers.urdb import from_urdb
from billing_assets.invoicing.rating.rate import rate, refused
from billing_assets.invoicing.rating.rated import Rated
from billing_assets.invoicing.rating.strict_json import Fields, FormatError, read_strict, text
from billing_assets.invoicing.rating.tariff_json import read_tariff

_FOREIGN = {"urdb", "cdr"}


def rate_text(content: str | bytes) -> Rated:
    """Rates the case in a file. Raises FormatError and ImportRefusedError for one that cannot be read.

    A tariff that does not hold together gives its findings and no lines.
    """
    loose = read_json(content)
    if isinstance(loose, dict) and _FOREIGN & set(loose):
        return _rate_foreign(loose)
    case = read_case(read_strict(content))
    return rate_checked(case, ())


def rate_checked(case: Case, known: tuple[Finding, ...]) -> Rated:
    """Rates a case whose tariff is checked first, as it is when it is loaded."""
    found = (*known, *check_tariff(case.tariff))
    if has_errors(found):
        return refused(found)
    rated = rate(case.tariff, case.usage, case.period, case.context)
    return Rated(rated.lines, rated.taxes, rated.conditional, rated.totals, (*found, *rated.findings), rated.evidence)


def _rate_foreign(loose: dict[str, Any]) -> Rated:
    fields = Fields(loose, "")
    given = [name for name in ("tariff", "urdb", "cdr") if fields.has(name)]
    if len(given) != 1:
        raise FormatError(given[-1] if given else "tariff", given, "a case has one tariff: tariff, urdb or cdr.")
    imported = _imported(fields)
    tariff = read_tariff(imported.tariff, given[0])
    usage, period, context = read_usage_period_context(fields)
    fields.done()
    words = tuple(
        finding("IMPORT_TEXT_ONLY", f"{given[0]}.{one.path}", one.text, text=one.text) for one in imported.text_only
    )
    return rate_checked(Case(tariff, usage, period, context), words)


def _imported(fields: Fields) -> Imported:
    plan, rate_of_openei = fields.raw("cdr"), fields.raw("urdb")
    if plan is None:
        return from_urdb(rate_of_openei)
    return from_cdr(plan, scheme=fields.get("scheme", text), green=fields.get("green", text))
