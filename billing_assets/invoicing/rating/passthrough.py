"""Pass-through: a utility's charges, one line each, to the cent as delivered."""

from decimal import Decimal

from billing_assets.invoicing.rating.adjustments import version_of
from billing_assets.invoicing.rating.bill import ONE, Bill, Position
from billing_assets.invoicing.rating.tariff import Charge, Kind, PassthroughCode, PassthroughTerms, Version


def add_passthrough(bill: Bill, charge: Charge) -> None:
    """Adds the lines of the documents' charges that this charge is the first to map."""
    earlier = [one for one in bill.tariff.charges if one.kind is Kind.PASSTHROUGH]
    earlier = earlier[: earlier.index(charge)]
    for document in bill.usage.documents:
        for one in document.charges:
            if any(_mapped(bill, other, document.utility, one.code) for other in earlier):
                continue
            mapped = _mapped(bill, charge, document.utility, one.code)
            if mapped is not None:
                version, code = mapped
                at = Position(
                    charge,
                    version,
                    document.begins,
                    document.ends,
                    bill_text=code.bill_text,
                    tax_category=code.tax_category,
                )
                facts = {"utility": document.utility, "document": document.number, "code": one.code}
                bill.add(at, ONE, bill.tariff.currency, one.amount, ONE, facts)


def _mapped(bill: Bill, charge: Charge, utility: str, code: str) -> tuple[Version, PassthroughCode] | None:
    version = version_of(bill, charge)
    if version is None or not isinstance(version.terms, PassthroughTerms):
        return None
    known = (one for one in version.terms.codes if one.utility in {"", utility} and one.code == code)
    return next(((version, one) for one in known), None)


def check_documents(bill: Bill) -> None:
    """Adds PASSTHROUGH_CODE_UNKNOWN and PASSTHROUGH_TOTAL."""
    charges = [one for one in bill.tariff.charges if one.kind is Kind.PASSTHROUGH]
    for place, document in enumerate(bill.usage.documents):
        for one in document.charges:
            if not any(_mapped(bill, charge, document.utility, one.code) for charge in charges):
                utility = document.utility or "the utility"
                path = f"usage.documents[{place}].charges"
                bill.find("PASSTHROUGH_CODE_UNKNOWN", path, one.code, code=one.code, utility=utility)
        total = sum((one.amount for one in document.charges), Decimal(0))
        if total != document.total:
            path = f"usage.documents[{place}].total"
            bill.find("PASSTHROUGH_TOTAL", path, document.total, a=total, b=document.total)
