"""Every rule: a document that breaks it, the nearest one that does not, and what follows."""

from datetime import date
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_assets.erp.documents.documents import Document, Line, State
from billing_assets.erp.documents.validation_rules import RULES, Finding, Policy, finding, state_for, validate
from proving.world.builders import applied, credit_memo, document, line, shipped_mapping

POLICY = Policy({"GBP": 2, "JPY": 0, "BHD": 3}, closed_through=date(2010, 10, 31))


def findings(one: Document) -> list[Finding]:
    return validate(one, POLICY, shipped_mapping().check)


def codes(one: Document) -> list[str]:
    return [found.code for found in findings(one)]


def lines_of(**changes: Any) -> Document:
    return document("1", line(1, **changes), total=Decimal(10))


def priced(quantity: str, price: str, amount: str, line_no: int = 1) -> Line:
    return line(line_no, amount, quantity=Decimal(quantity), unit_price=Decimal(price))


BROKEN_AND_SOUND: list[tuple[str, str, Document, Document]] = [
    ("ZERO_TOTAL", "total", document(lines=(line(1), line(2, "-10.00"))), document(lines=(line(amount="0.01"),))),
    ("VOIDED", "status", document(status="void"), document()),
    ("CUSTOMER_MISSING", "customer", document(customer="  "), document(customer=" 12346 ")),
    ("CUSTOMER_MISSING", "customer", document(customer=None), document()),
    ("CUSTOMER_UNMAPPED", "customer", document(customer="99999"), document()),
    ("ITEM_UNMAPPED", "lines[1].item", lines_of(item="NO SUCH"), lines_of(item="47503j ")),
    ("ITEM_UNMAPPED", "lines[1].item", lines_of(item=""), document()),
    ("BRANCH_UNMAPPED", "branch", document(branch="Unspecified"), document(branch="EIRE")),
    ("BRANCH_UNMAPPED", "branch", document(branch=None), document()),
    ("FIELD_UNMAPPED", "lines[1].tax_amount", lines_of(tax_amount=Decimal(2)), lines_of(tax_amount=Decimal(0))),
    ("KIND_UNSUPPORTED", "kind", document(kind="adjustment"), credit_memo()),
    ("KIND_UNSUPPORTED", "kind", document(kind="pro forma"), document()),
    ("STATUS_UNKNOWN", "status", document(status="CLOSED"), document()),
    ("CURRENCY_UNSUPPORTED", "currency", document(currency="gbp"), document(currency="JPY")),
    ("AMOUNT_PRECISION", "lines[1].amount", document("1", line(amount="10.001")), document("1", line(amount="10.010"))),
    (
        "AMOUNT_PRECISION",
        "lines[1].amount",
        document("1", line(amount="10.5"), currency="JPY"),
        document("1", line(amount="10.0"), currency="JPY"),
    ),
    (
        "AMOUNT_PRECISION",
        "lines[1].amount",
        document("1", line(amount="1.0001"), currency="BHD"),
        document("1", line(amount="1.001"), currency="BHD"),
    ),
    ("LINES_MISSING", "lines", document(lines=(), total=Decimal(1)), document()),
    ("LINES_TOTAL_MISMATCH", "total", document(total=Decimal("10.01")), document(total=Decimal("10.000"))),
    ("SIGN", "total", document("1", line(amount="-10.00")), document(lines=(line(1), line(2, "-9.99")))),
    ("SIGN", "total", credit_memo(amount="10.00"), credit_memo()),
    (
        "PERIOD_CLOSED",
        "document_date",
        document(document_date=date(2010, 10, 31)),
        document(document_date=date(2010, 11, 1)),
    ),
    ("TEXT_TOO_LONG", "memo", document(memo="x" * 1000), document(memo="x" * 999)),
    ("TEXT_TOO_LONG", "purchase_order", document(purchase_order="x" * 46), document(purchase_order="😀" * 45)),
    ("TEXT_TOO_LONG", "number", document("1" * 46), document("1" * 45)),
    ("TEXT_TOO_LONG", "site", document(extra={"site": "x" * 1000}), document(extra={"site": None})),
    ("TEXT_TOO_LONG", "lines[1].description", lines_of(description="x" * 1000), lines_of(description="x" * 999)),
    ("TEXT_TOO_LONG", "lines[1].meter", lines_of(extra={"meter": "x" * 1000}), lines_of(extra={"meter": "x"})),
    ("TEXT_UNPRINTABLE", "memo", document(memo="a\0b"), document(memo="<>&\"' £ 😀 ␀ \\u0000")),
    ("TEXT_UNPRINTABLE", "applies_to", credit_memo(applies_to="1\0"), credit_memo(applies_to="1")),
    ("TEXT_UNPRINTABLE", "lines[1].description", lines_of(description="\0"), lines_of(description=None)),
    ("TEXT_UNPRINTABLE", "lines[1].tax_code", lines_of(tax_code="S\0"), lines_of(tax_code="S")),
    ("TEXT_UNPRINTABLE", "lines[1].meter", lines_of(extra={"meter": "\0"}), lines_of(extra={"meter": None})),
    (
        "NUMBER_TOO_LARGE",
        "lines[1].quantity",
        lines_of(quantity=Decimal(10) ** 10),
        lines_of(quantity=Decimal(10) ** 10 - 1),
    ),
    (
        "NUMBER_TOO_LARGE",
        "lines[1].quantity",
        lines_of(quantity=-(Decimal(10) ** 10)),
        lines_of(quantity=Decimal(-80_995)),
    ),
    (
        "NUMBER_TOO_LARGE",
        "lines[1].unit_price",
        lines_of(unit_price=Decimal("1E-16")),
        lines_of(unit_price=Decimal("0.0000000000000010000")),
    ),
    ("NUMBER_TOO_LARGE", "total", document("1", line(amount="1E+13")), document("1", line(amount="9999999999999.99"))),
    ("NUMBER_TOO_LARGE", "lines[1].unit_price", lines_of(unit_price=Decimal("1E+13")), lines_of()),
    (
        "NUMBER_TOO_LARGE",
        "total",
        document("1", line(amount="1E+15"), currency="JPY"),
        document("1", line(amount="999999999999999"), currency="JPY"),
    ),
    (  # it went out as a quantity of -6 at 16.856, over +101.14
        "LINE_CONTRADICTS",
        "lines[1].amount",
        credit_memo(lines=(priced("6", "16.856", "-101.14"),)),
        credit_memo(lines=(priced("-6", "16.856", "-101.14"),)),
    ),
    (
        "LINE_CONTRADICTS",
        "lines[1].amount",
        document("1", priced("-1", "10", "10")),
        document("1", priced("-1", "-10", "10")),
    ),
    (
        "LINE_CONTRADICTS",
        "lines[1].amount",
        document("1", priced("3", "3.33", "10.02")),
        document("1", priced("3", "3.33", "10.01")),  # a price of 3.335, less a little
    ),
    ("LINE_CONTRADICTS", "lines[1].amount", document("1", priced("0", "5", "5")), document("1", priced("1", "5", "5"))),
    (
        "LINE_CONTRADICTS",
        "lines[1].amount",
        document("1", priced("1", "0", "5")),
        document("1", priced("0", "5", "0"), line(2)),
    ),
    (
        "LINE_BELOW_PRICE",
        "lines[1].amount",
        document("1", priced("10", "5", "45")),
        document("1", priced("10", "4.5", "45")),
    ),
    (
        "LINE_BELOW_PRICE",
        "lines[2].amount",
        document("1", line(1), priced("1", "5", "0", 2)),
        document("1", line(1), priced("1", "0", "0", 2)),
    ),
    (
        "DUE_BEFORE_DATE",
        "due_date",
        document(due_date=date(2010, 11, 4)),
        document(due_date=date(2010, 11, 5)),
    ),
    (
        "APPLICATION_NOT_A_CREDIT",
        "kind",
        document(applications=applied("1", "5")),
        credit_memo(applications=applied("1", "5")),
    ),
    (
        "APPLICATION_AMOUNT",
        "applications[1].amount",
        credit_memo(applications=applied("1", "0")),
        credit_memo(applications=applied("1", "0.01")),
    ),
    (
        "APPLICATION_AMOUNT",
        "applications[2].amount",
        credit_memo(applications=applied("1", "5", "2", "-1")),
        credit_memo(applications=applied("1", "5", "2", None)),
    ),
    (
        "AMOUNT_PRECISION",
        "applications[1].amount",
        credit_memo(applications=applied("1", "0.001")),
        credit_memo(applications=applied("1", "0.010")),
    ),
    (
        "APPLICATION_REPEATED",
        "applications",
        credit_memo(applications=applied("1", "1", "1", None)),
        credit_memo(applications=applied("1", "1", "2", None)),
    ),
    (
        "APPLICATION_EXCEEDS_CREDIT",
        "applications",
        credit_memo(applications=applied("1", "5", "2", "5.01")),
        credit_memo(applications=applied("1", "5", "2", "5")),
    ),
    (
        "TEXT_TOO_LONG",
        "applications",
        credit_memo(applications=applied("1" * 81, None)),
        credit_memo(applications=applied("1" * 80, None)),
    ),
]

SEEN_ELSEWHERE = {
    "DUPLICATE_NUMBER",
    "NUMBER_LIKE_ANOTHER",
    "CREDIT_TARGET_UNKNOWN",
    "FIELD_UNREADABLE",
    "AUDIT_HOLD",
    "CHANGED_SINCE_STAGING",
    "MAY_BE_IN_NETSUITE",
}
"""Rules that need more than the document: other documents, an earlier reading of it, or what NetSuite has. The tests of
staging and posting have them."""


@pytest.mark.parametrize(("code", "path", "broken", "sound"), BROKEN_AND_SOUND)
def test_a_document_that_breaks_a_rule_is_found_and_its_neighbour_is_not(
    code: str, path: str, broken: Document, sound: Document
) -> None:
    found = [one for one in findings(broken) if (one.code, one.path) == (code, path)]
    assert len(found) == 1
    assert found[0].severity == RULES[code].severity
    assert found[0].message
    assert code not in codes(sound)


def test_every_rule_has_its_case() -> None:
    assert {case[0] for case in BROKEN_AND_SOUND} | SEEN_ELSEWHERE == set(RULES)


def test_every_rule_has_a_sentence_and_a_remedy() -> None:
    for code, rule in RULES.items():
        assert rule.meaning.endswith("."), code
        assert rule.remedy.endswith("."), code


def test_a_valid_document_has_no_finding() -> None:
    assert findings(document()) == []
    assert findings(credit_memo()) == []


def test_a_document_gets_all_its_findings_not_only_the_first() -> None:
    broken = document(
        "9" * 46,
        line(1, "10.001", item="NO SUCH"),
        line(2, item=None, quantity=Decimal(10) ** 11),
        customer="99999",
        branch=None,
        currency="XXX",
        document_date=date(2010, 10, 1),
        due_date=date(2010, 9, 1),
        total=Decimal(-5),
        memo="\0" * 1000,
    )
    assert sorted(set(codes(broken))) == [
        "BRANCH_UNMAPPED",
        "CURRENCY_UNSUPPORTED",
        "CUSTOMER_UNMAPPED",
        "DUE_BEFORE_DATE",
        "ITEM_UNMAPPED",
        "LINES_TOTAL_MISMATCH",
        "NUMBER_TOO_LARGE",
        "PERIOD_CLOSED",
        "SIGN",
        "TEXT_TOO_LONG",
        "TEXT_UNPRINTABLE",
    ]
    assert codes(broken).count("ITEM_UNMAPPED") == 2


def test_one_unknown_branch_is_one_finding_however_many_fields_it_feeds() -> None:
    assert [(one.code, one.value) for one in findings(document(branch="Unspecified"))] == [
        ("BRANCH_UNMAPPED", "Unspecified")
    ]


@pytest.mark.parametrize("status", ["closed", "CLOSED"])
def test_a_zero_total_excludes_whatever_else_is_wrong(status: str) -> None:
    broken = document(
        lines=(), kind="adjustment", total=Decimal("-0.00"), customer=None, branch=None, memo="\0", status=status
    )
    assert codes(broken) == ["ZERO_TOTAL"]
    assert state_for(status, findings(broken)) is State.EXCLUDED


def test_a_voided_document_is_gone_whatever_else_is_wrong() -> None:
    assert codes(document(lines=(), status="void", total=Decimal(0), customer=None)) == ["VOIDED"]
    assert state_for("void", findings(document(status="void"))) is State.GONE


@pytest.mark.parametrize(
    ("status", "found", "state"),
    [
        ("closed", [], State.READY),
        ("closed", ["DUE_BEFORE_DATE"], State.READY),
        ("closed", ["DUE_BEFORE_DATE", "SIGN"], State.HELD),
        ("closed", ["SIGN", "ZERO_TOTAL"], State.EXCLUDED),
        ("open", ["SIGN"], State.OPEN),
        ("odd", ["STATUS_UNKNOWN"], State.HELD),
    ],
)
def test_an_error_holds_a_warning_only_flags_and_an_exclusion_wins(status: str, found: list[str], state: State) -> None:
    assert state_for(status, [finding(code, "x", "", "") for code in found]) is state


def test_a_finding_cuts_a_long_value_and_shows_a_nul() -> None:
    found = findings(document(memo="\0" + "x" * 2000))
    assert {one.code for one in found} == {"TEXT_TOO_LONG", "TEXT_UNPRINTABLE"}
    assert all(len(one.value) <= 80 for one in found)
    assert "\0" not in next(one for one in found if one.code == "TEXT_UNPRINTABLE").value


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [
        ("3000", "0.33", "1000.00"),  # a price of a third, shown with two digits
        ("3000", "0.333333", "1000.00"),  # finer than the minor unit
        ("3", "0.005", "0.02"),  # 0.015
        ("1234.57", "0.28412", "350.77"),  # kWh, measured
        ("1234.5", "0.284", "350.60"),
        ("-6", "16.856", "-101.14"),
        ("1", "0.004", "0"),
        ("7", "-1.428571", "-10"),
    ],
)
def test_what_rounding_explains_is_no_finding(quantity: str, price: str, amount: str) -> None:
    assert findings(document("1", line(1), priced(quantity, price, amount, 2), line(3, "500"))) == []


def test_a_discount_goes_and_is_flagged() -> None:
    found = findings(document("1", priced("10", "5", "45")))
    assert [(one.code, one.message) for one in found] == [
        ("LINE_BELOW_PRICE", "It is less than rounding explains: 10 times 5 is 50.")
    ]
    assert state_for("closed", found) is State.READY


def test_a_product_is_compared_beside_numbers_that_are_odd_otherwise() -> None:
    lines = (priced("1", "10.001", "10.001"), priced("6", "16.856", "-101.14", 2), line(3, "500"))
    assert [(one.code, one.path) for one in findings(document("1", *lines))] == [
        ("AMOUNT_PRECISION", "total"),
        ("AMOUNT_PRECISION", "lines[1].amount"),
        ("LINE_CONTRADICTS", "lines[2].amount"),
    ]


def test_an_amount_of_ten_thousand_million_is_no_finding() -> None:
    """The limit that is known in NetSuite is one of quantities; 10^10 dong are 400,000 dollars."""
    assert findings(document("1", line(amount="25000000000.25"))) == []


def test_an_invoice_of_1114_lines_with_quantities_of_80995_is_valid() -> None:
    lines = [priced("80995", "2.55", "206537.25", number) for number in range(1, 1115)]
    assert findings(document("581475", *lines)) == []


_NUMBERS = st.one_of(
    st.decimals(-(10**10), 10**10, allow_nan=False, places=2),
    st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(-(10**9), 10**9), st.integers(0, 90)),
)


@given(st.lists(st.tuples(_NUMBERS, _NUMBERS), min_size=1, max_size=30))
def test_a_number_that_is_too_fine_is_found_whatever_numbers_stand_beside_it(
    numbers: list[tuple[Decimal, Decimal]],
) -> None:
    lines = [line(place, str(amount), unit_price=price) for place, (amount, price) in enumerate(numbers, 1)]
    found = {(one.code, one.path) for one in findings(document("1", *lines, total=Decimal(10)))}
    for place, (amount, price) in enumerate(numbers, 1):
        assert (("AMOUNT_PRECISION", f"lines[{place}].amount") in found) == (amount != round_at(amount, 2))
        assert (("NUMBER_TOO_LARGE", f"lines[{place}].unit_price") in found) == (
            abs(price) >= 10**13 or price != round_at(price, 15)
        )


def round_at(number: Decimal, digits: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-digits), context=Context(prec=200))


def test_the_period_is_the_month_of_the_document_date() -> None:
    assert document(document_date=date(2010, 11, 30)).period == "2010-11"
