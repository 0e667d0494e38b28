"""The mapping as an integrator writes it: what it sends, what it holds back, and what it says of a mistake."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing_assets.erp.documents.documents import Document, Kind
from billing_assets.erp.netsuite.mapping import NetSuiteMapping, load_mapping
from billing_assets.erp.netsuite.mapping_file import MappingError
from proving.world.builders import body as body_of
from proving.world.builders import credit_memo, document, line, shipped_mapping

ITEMS = "code,id,place\n47503J,101,7\n 21730 ,102,\nzürich,103,8\n20,104,9\n"
BASE: dict[str, Any] = {
    "currencies": {"GBP": {"id": "1"}},
    "tables": {"items": {"file": "items.csv", "key": "code", "ignore_case": True}},
    "body": {"entity": {"column": "customer", "reference": "externalId"}},
    "line": {"item": {"lookup": "items", "by": "item", "take": "id", "reference": "id"}},
}


def write(folder: Path, items: str | bytes | None = ITEMS, **sections: Any) -> Path:
    """A mapping file of BASE with some sections replaced; a section of None is left out."""
    if items is not None:
        (folder / "items.csv").write_bytes(items if isinstance(items, bytes) else items.encode())
    path = folder / "mapping.yaml"
    content = {name: section for name, section in (BASE | sections).items() if section is not None}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def mapping(folder: Path, **sections: Any) -> NetSuiteMapping:
    return load_mapping(write(folder, **sections))


def exact(body: bytes) -> Any:
    """The request body with every number as the text that is sent: a float would already have rounded it."""
    return json.loads(body, parse_float=str, parse_int=str)


def mapped(item: str = "47503J", **changes: Any) -> Document:
    return document("1", line(1, item=item), **changes)


def gaps(one: NetSuiteMapping, of: Document) -> list[tuple[str, str, str]]:
    return [(found.code, found.path, found.value) for found in one.check(of)]


def refused(path: Path) -> list[str]:
    """The lines of the error: one per fault, each with the file."""
    with pytest.raises(MappingError) as caught:
        load_mapping(path)
    lines = str(caught.value).split("\n")
    assert all(str(path) in line for line in lines)
    return lines


def test_the_shipped_mapping_sends_an_invoice_as_netsuite_wants_it() -> None:
    body = body_of(
        shipped_mapping(), document("536365", line(1, "15.30", quantity=Decimal(6), unit_price=Decimal("2.55")))
    )
    assert exact(body) == {
        "externalId": "INV-536365",
        "currency": {"id": "1"},
        "entity": {"id": "1001"},
        "subsidiary": {"id": "1"},
        "location": {"id": "1"},
        "department": {"id": "1"},
        "class": {"id": "1"},
        "tranDate": "2010-11-05",
        "dueDate": "2010-12-05",
        "terms": {"id": "1"},
        "custbody_billing_number": "536365",
        "item": {
            "items": [
                {
                    "quantity": "6",
                    "rate": "2.55",
                    "amount": "15.3",
                    "item": {"id": "101"},
                    "description": "Inflatable globe",
                    "custcol_billing_line": "1",
                }
            ]
        },
    }


def test_a_credit_memo_turns_its_signs_and_applies_to_its_invoice() -> None:
    credited = credit_memo("C1", "-7.50", applies_to="536365", memo="<>&\"' £ 😀 \\u0000")
    body = exact(body_of(shipped_mapping(), credited, {"647": Decimal("7.50")}))
    assert body["externalId"] == "CM-C1"
    assert body["apply"] == {"items": [{"doc": {"id": "647"}, "apply": True, "amount": "7.5"}]}
    assert "terms" not in body
    assert "dueDate" not in body
    assert body["memo"] == "<>&\"' £ 😀 \\u0000"
    sent = body["item"]["items"][0]
    assert (sent["quantity"], sent["rate"], sent["amount"]) == ("1", "7.5", "7.5")


def test_a_credit_memo_that_names_no_invoice_is_sent_without_apply() -> None:
    assert "apply" not in exact(body_of(shipped_mapping(), credit_memo()))


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        ("0.001", "0.001"),
        ("9999999999.99", "9999999999.99"),
        ("1234567890.123456789012345", "1234567890.123456789012345"),
        ("1E+9", "1000000000"),
        ("1E-15", "0.000000000000001"),
        ("0.10", "0.1"),
        ("-0.00", "0"),
        ("80995", "80995"),
    ],
)
def test_numbers_in_the_request_are_exact(number: str, sent: str, tmp_path: Path) -> None:
    one = mapping(tmp_path, line=BASE["line"] | {"custcol_price": {"column": "unit_price"}})
    changed = line(1, number, item="47503J", quantity=Decimal(number), unit_price=Decimal(number))
    body = exact(body_of(one, document("1", changed)))["item"]["items"][0]
    assert [body[name] for name in ("quantity", "rate", "amount", "custcol_price")] == [sent] * 4


def test_a_constant_a_column_and_a_lookup_feed_fields(tmp_path: Path) -> None:
    one = mapping(
        tmp_path,
        body=BASE["body"]
        | {
            "custbody_flag": {"constant": True},
            "custbody_number": {"constant": 5},
            "memo": {"constant": "x"},
            "terms": {"constant": 1, "reference": "id"},
            "custbody_site": {"column": "site"},
            "custbody_total": {"column": "total"},
            "custbody_created": {"column": "created_at"},
            "location": {"lookup": "items", "by": "site", "take": "place", "reference": "id"},
        },
        line=BASE["line"] | {"custcol_meter": {"column": "meter"}, "custcol_site": {"column": "site"}},
    )
    of = document("1", line(1, item="47503J", extra={"meter": "M1"}), extra={"site": "ZÜRICH "})
    assert gaps(one, of) == []
    body = exact(body_of(one, of))
    assert body["entity"] == {"externalId": "12346"}
    assert (body["custbody_flag"], body["custbody_number"], body["memo"]) == (True, "5", "x")
    assert body["terms"] == {"id": "1"}
    assert body["custbody_total"] == "10"
    assert body["custbody_created"] == "2010-11-05T08:26:00+00:00"
    assert body["location"] == {"id": "8"}
    sent = body["item"]["items"][0]
    assert (sent["custcol_meter"], sent["custcol_site"]) == ("M1", "ZÜRICH ")


@pytest.mark.parametrize("written", ["47503J", "47503j", "47503J ", " 47503j\t", "21730"])
def test_case_and_surrounding_blanks_do_not_count(written: str, tmp_path: Path) -> None:
    one = mapping(tmp_path)
    assert gaps(one, mapped(written)) == []
    assert "item" in exact(body_of(one, mapped(written)))["item"]["items"][0]


def test_case_counts_where_the_table_does_not_say_otherwise(tmp_path: Path) -> None:
    one = mapping(tmp_path, tables={"items": {"file": "items.csv", "key": "code"}})
    assert gaps(one, mapped("47503J ")) == []
    assert gaps(one, mapped("47503j")) == [("ITEM_UNMAPPED", "lines[1].item", "47503j")]


def test_a_number_is_looked_up_the_same_before_and_after_it_was_staged(tmp_path: Path) -> None:
    tax = {"lookup": "items", "by": "tax_rate", "take": "id", "reference": "id"}
    one = mapping(tmp_path, tax={"type": {"constant": "1", "reference": "id"}, "code": tax})
    for rate in ("20.00", "20", "2E+1"):
        of = document("1", line(1, item="47503J", tax_rate=Decimal(rate), tax_amount=Decimal(2)))
        assert gaps(one, of) == []
        assert exact(body_of(one, of))["taxDetails"]["items"][0]["taxCode"] == {"id": "104"}


def test_a_field_is_sent_for_its_kinds_only(tmp_path: Path) -> None:
    only = {"custbody_credit": {"column": "memo", "kinds": ["credit_memo"]}}
    one = mapping(tmp_path, body=BASE["body"] | only)
    assert gaps(one, mapped()) == []
    refund = credit_memo("1", lines=(line(1, "-1.00", item="47503J"),))
    assert gaps(one, refund) == [("FIELD_UNMAPPED", "memo", "")]


def test_an_optional_field_without_a_value_is_left_out_and_a_needed_one_holds(tmp_path: Path) -> None:
    of = mapped(memo=" ", purchase_order=None)
    fields = {
        "memo": {"column": "memo", "optional": True},
        "otherRefNum": {"column": "purchase_order", "optional": True},
    }
    one = mapping(tmp_path, body=BASE["body"] | fields)
    assert gaps(one, of) == []
    assert not {"memo", "otherRefNum"} & set(exact(body_of(one, of)))
    needed = mapping(tmp_path, body=BASE["body"] | {name: {"column": of["column"]} for name, of in fields.items()})
    assert gaps(needed, of) == [("FIELD_UNMAPPED", "memo", ""), ("FIELD_UNMAPPED", "purchase_order", "")]


def test_a_document_that_cannot_be_mapped_whole_has_a_finding_for_every_gap(tmp_path: Path) -> None:
    one = mapping(
        tmp_path,
        body={
            "entity": {"lookup": "items", "by": "customer", "take": "id", "reference": "id"},
            "location": {"lookup": "items", "by": "branch", "take": "place"},
            "custbody_site": {"column": "site"},
        },
        line=BASE["line"] | {"location": {"lookup": "items", "by": "item", "take": "place"}},
    )
    of = document(
        "1", line(1, item="NO"), line(2, item="21730"), line(3, item=""), line(4, item="NO"), branch="X", customer="Y"
    )
    assert gaps(one, of) == [
        ("CUSTOMER_UNMAPPED", "customer", "Y"),
        ("BRANCH_UNMAPPED", "branch", "X"),
        ("FIELD_UNMAPPED", "site", ""),
        ("ITEM_UNMAPPED", "lines[1].item", "NO"),  # one, though two fields miss it
        ("ITEM_UNMAPPED", "lines[2].item", "21730"),  # in the table, but without a place
        ("ITEM_UNMAPPED", "lines[3].item", ""),
        ("ITEM_UNMAPPED", "lines[4].item", "NO"),
    ]
    messages = [found.message for found in one.check(of)]
    assert "no 'place' for it" in messages[4]


def test_tax_goes_through_tax_details_with_the_line_they_belong_to(tmp_path: Path) -> None:
    tax = {
        "type": {"constant": "5", "reference": "id"},
        "code": {"lookup": "items", "by": "tax_code", "take": "place", "reference": "id"},
    }
    one = mapping(tmp_path, tax=tax)
    taxed = line(3, "-10.00", item="47503J", tax_code="ZÜRICH", tax_rate=Decimal("7.70"), tax_amount=Decimal("-0.77"))
    of = credit_memo("1", lines=(line(1, "-1.00", item="47503J"), taxed))
    assert gaps(one, of) == []
    body = exact(body_of(one, of, {"9": -of.total}))
    assert body["taxDetailsOverride"] is True
    assert body["taxDetails"]["items"] == [
        {
            "taxDetailsReference": "3",
            "taxType": {"id": "5"},
            "taxCode": {"id": "8"},
            "taxRate": "7.7",
            "taxAmount": "0.77",
            "taxBasis": "10",
        }
    ]
    untaxed, sent = body["item"]["items"]
    assert sent["taxDetailsReference"] == "3"
    assert "taxDetailsReference" not in untaxed
    assert body["apply"]["items"][0]["amount"] == "11.77"
    unknown = mapped(lines=(line(1, item="47503J", tax_code="ODD", tax_amount=Decimal(1)),))
    assert gaps(one, unknown) == [("FIELD_UNMAPPED", "lines[1].tax_code", "ODD")]


def test_a_line_with_tax_is_held_where_the_mapping_has_no_tax_section(tmp_path: Path) -> None:
    of = mapped(lines=(line(1, item="47503J", tax_amount=Decimal(1)),))
    assert gaps(mapping(tmp_path), of) == [("FIELD_UNMAPPED", "lines[1].tax_amount", "1")]


def test_external_ids_differ_by_kind_and_take_the_prefix_of_the_file(tmp_path: Path) -> None:
    one = mapping(tmp_path, external_id={"invoice": "B-INV-", "credit_memo": "B-CM-"})
    ids = [one.external_id(kind, "1") for kind in (*Kind, "unknown")]
    assert ids[:2] == ["B-INV-1", "B-CM-1"]
    assert len(set(ids)) == 4


def test_the_policy_has_the_currencies_and_the_last_closed_day(tmp_path: Path) -> None:
    currencies = {"GBP": {"id": "1"}, "JPY": {"id": "2", "minor_digits": 0}}
    policy = mapping(tmp_path, currencies=currencies, closed_through=date(2010, 10, 31)).policy
    assert policy.minor_digits == {"GBP": 2, "JPY": 0}
    assert policy.closed_through == date(2010, 10, 31)


FAULTS: list[tuple[dict[str, Any], list[str]]] = [
    ({"line": {"item": BASE["line"]["item"] | {"lookup": "itmes"}}}, ["line.item.lookup", "'itmes'"]),
    ({"line": {"item": BASE["line"]["item"] | {"take": "netsuite"}}}, ["line.item.take", "'items'", "'netsuite'"]),
    ({"line": {"item": {"constant": "1", "column": "item"}}}, ["line.item", "exactly one", "constant, column"]),
    ({"line": {"item": {"reference": "id"}}}, ["line.item", "exactly one", "none"]),
    ({"line": {"item": {"lookup": "items", "by": "item"}}}, ["line.item", "`lookup`, `by` and `take` go together"]),
    ({"line": {"item": BASE["line"]["item"] | {"takes": "id"}}}, ["line.item.takes", "no such key"]),
    ({"line": {}}, ["line.item", "needed"]),
    ({"body": {}}, ["body.entity", "needed"]),
    ({"body": BASE["body"] | {"externalId": {"constant": "1"}}}, ["body.externalId", "fills this field itself"]),
    ({"body": BASE["body"] | {"apply": {"constant": "1"}}}, ["body.apply", "fills this field itself"]),
    ({"line": BASE["line"] | {"amount": {"column": "amount"}}}, ["line.amount", "fills this field itself"]),
    ({"body": BASE["body"] | {"x": {"column": "memo", "kinds": ["adjustments"]}}}, ["body.x.kinds", "'adjustments'"]),
    ({"body": BASE["body"] | {"x": {"column": "memo", "reference": "eid"}}}, ["body.x.reference", "'eid'"]),
    ({"tables": {"items": {"file": "none.csv", "key": "code"}}}, ["tables.items.file", "none.csv", "No such file"]),
    ({"tables": {"items": {"file": "items.csv", "key": "codes"}}}, ["tables.items.key", "items.csv", "'codes'"]),
    ({"tables": {"items": {"file": "items.csv"}}}, ["tables.items.key", "required"]),
    ({"currencies": None}, ["currencies", "required"]),
    ({"currencies": {"GBP": {"id": 1}}}, ["currencies.GBP.id", "value: 1"]),
    ({"currencies": {"GBP": {"id": "1", "minor_digits": 9}}}, ["currencies.GBP.minor_digits", "value: 9"]),
    ({"closed_through": "soon"}, ["closed_through", "'soon'"]),
    ({"external_id": {"invoice": "inv-"}}, ["external_id", "'inv-'"]),
    ({"external_id": {"invoice": "X-", "credit_memo": "X-C-"}}, ["external_id", "must not begin with one another"]),
    ({"external_id": {"invoice": "INV-C", "credit_memo": "INV-"}}, ["external_id", "INV-C and INV- do"]),
    ({"external_id": {"invoice": "X-", "credit_memo": "X-"}}, ["external_id", "X- and X- do"]),
    ({"external_id": {"invoice": "X-", "credit_memo": "x-"}}, ["external_id", "A-Z, 0-9, _ and -", "'x-'"]),
    ({"external_id": {"invoice": "A"}}, ["external_id", "A and ADJ- do", "never sent"]),
    ({"external_id": {"credit_memo": "OTHER-"}}, ["external_id", "OTHER- and OTHER- do", "never sent"]),
    ({"bodies": {}}, ["bodies", "no such key"]),
    ({"tax": {"type": {"constant": "1"}}}, ["tax.code", "required"]),
]


@pytest.mark.parametrize(("sections", "words"), FAULTS)
def test_a_fault_is_named_with_file_key_and_value(sections: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    lines = refused(write(tmp_path, **sections))
    assert len(lines) == 1
    assert [word for word in words if word not in lines[0]] == []


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ("code,id\nA1,1\na1 ,2\n", ["line 3", "'a1'", "stands twice"]),
        ("code,id\nA1\n", ["line 2", "not as many values"]),
        ("code,id\nA1,1,2\n", ["line 2", "not as many values"]),
        ("code,id\n ,1\n", ["line 2", "'code' is empty"]),
        ("code,id\n", ["no rows"]),
        ("", ["no column 'code'"]),
        (b"code,id\n\xff,1\n", ["not a CSV file in UTF-8"]),
        ('code,id\n"A1,1\n', ["not a CSV file"]),
        ("code,id\nA1,1\n1.20E+06,2\n", ["line 3", "'1.20E+06' under 'code'", "a spreadsheet made"]),
        ("code,id\nA1,#REF!\n", ["line 2", "'#REF!' under 'id'"]),
        ("sep=;\ncode;id\nA1;1\n;2\n", ["line 4", "'code' is empty"]),
    ],
)
def test_a_wrong_table_is_named_with_its_line(items: str | bytes, words: list[str], tmp_path: Path) -> None:
    lines = refused(write(tmp_path, items=items))
    assert len(lines) == 1
    assert "tables.items." in lines[0]
    assert "items.csv" in lines[0]
    assert [word for word in words if word not in lines[0]] == []


@pytest.mark.parametrize(
    "items", ["code,id\r\n47503j, 101 \r\n", "code;id\n47503j;101\n", "sep=;\ncode;id\n47503j;101\n"]
)
def test_a_table_as_a_spreadsheet_writes_it_is_understood(items: str, tmp_path: Path) -> None:
    one = load_mapping(write(tmp_path, items=items.encode("utf-8-sig")))
    assert exact(body_of(one, mapped()))["item"]["items"][0]["item"] == {"id": "101"}


def test_every_fault_has_its_line(tmp_path: Path) -> None:
    tables = {"items": {"file": "none.csv", "key": "x"}, "more": {"file": "items.csv", "key": "x"}}
    assert len(refused(write(tmp_path, tables=tables, body={"item": {"constant": "1"}}))) == 4


@pytest.mark.parametrize("content", [b"body: [\n", b"a: b: c\n", b"- 1\n", b"", b"a: \xff\n", b"a: \x01\n"])
def test_a_file_that_is_no_mapping_is_refused_on_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    path.write_bytes(content)
    assert len(refused(path)) == 1


def test_a_missing_mapping_file_names_the_setting(tmp_path: Path) -> None:
    assert "BILLING_MAPPING" in refused(tmp_path / "none.yaml")[0]
