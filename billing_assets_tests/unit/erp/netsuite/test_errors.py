"""What each answer of NetSuite proves about a document."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from billing_assets.erp.netsuite.error_codes import ERROR_CODES
from billing_assets.erp.netsuite.errors import (
    NetSuiteAnswerUnreadable,
    NetSuiteError,
    NetSuiteForbidden,
    NetSuiteLoginRefused,
    NetSuiteNotFound,
    NetSuiteQueryRefused,
    NetSuiteUnavailable,
    classify,
    explain,
    read_error,
)
from billing_assets.posting.answers import Answer, Exists, Forbidden, Landed, Refused, Retry, Unauthorized, Unknown

NONE: CaseInsensitiveDict[str] = CaseInsensitiveDict()


def envelope(status: Any, *details: dict[str, Any]) -> bytes:
    return json.dumps({"type": "…", "title": "…", "status": status, "o:errorDetails": list(details)}).encode()


def detail(code: Any, text: Any, path: str | None = None) -> dict[str, Any]:
    return {"detail": text, "o:errorCode": code, **({"o:errorPath": path} if path else {})}


def answer(status: int, *details: dict[str, Any]) -> Answer:
    return classify(status, NONE, envelope(status, *details), "invoice")


def located(location: str, record_type: str = "invoice") -> Answer:
    return classify(204, CaseInsensitiveDict({"location": location}), b"", record_type)


@pytest.mark.parametrize(
    "location",
    [
        "https://1234567.suitetalk.api.netsuite.com/services/rest/record/v1/invoice/647",
        "/services/rest/record/v1/INVOICE/647",
        "https://proxy.example/netsuite/services/rest/record/v1/invoice/647/",
    ],
)
def test_a_204_that_names_the_new_record_has_landed(location: str) -> None:
    assert located(location) == Landed("647")


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://x/services/rest/async/v1/job/5",
        "https://x/services/rest/record/v1/creditMemo/647",
        "https://x/services/rest/record/v1/invoice/eid:INV-1",
        "https://x/services/rest/record/v1/invoice/647/item",
        "https://x/services/rest/record/v1/invoice/٦٤٧",
        "http://[broken",
    ],
)
def test_a_204_that_names_another_record_or_none_is_looked_up(location: str) -> None:
    assert isinstance(located(location), Unknown)


@pytest.mark.parametrize("status", [400, 409])
@pytest.mark.parametrize(
    "text", ["This record already exists.", "THIS  RECORD ALREADY\nEXISTS", "…record already exists…"]
)
def test_a_record_that_exists_is_told_from_a_refusal_whatever_the_case(status: int, text: str) -> None:
    found = answer(status, detail("user_error", f"Error while accessing a resource. {text}"))
    assert isinstance(found, Exists)


@pytest.mark.parametrize(
    ("code", "text", "path", "name"),
    [
        (
            "INVALID_CONTENT",
            "Invalid Field Value 9999 for the following field: item",
            "item.items[0].item",
            "INVALID_CONTENT",
        ),
        ("USER_ERROR", "Please enter value(s) for: Posting Period", None, "VALUE_MISSING"),
        ("USER_ERROR", "No valid, open, posting period for date 2010-11-30", None, "PERIOD_CLOSED"),
        ("USER_ERROR", "The transaction date does not fall between the dates", None, "PERIOD_CLOSED"),
        ("USER_ERROR", "This record has been locked by a user defined workflow.", None, "WORKFLOW_LOCK"),
        ("USER_ERROR", "The total can not be negative", None, "NEGATIVE_TOTAL"),
    ],
)
def test_a_refusal_for_good_says_where_and_what_to_do(code: str, text: str, path: str | None, name: str) -> None:
    found = answer(400, detail(code, text, path))
    assert found == Refused(400, code, path, text, known=True)
    row = explain(400, code, text)
    assert row is not None
    assert row.name == name


def test_a_404_of_netsuite_is_a_refusal_and_one_of_a_gateway_is_not() -> None:
    assert isinstance(answer(404, detail("NONEXISTENT_ID", "Record does not exist.")), Refused)
    assert isinstance(classify(404, NONE, b"<html><title>Not Found</title>"), Unknown)


def test_a_refusal_in_words_of_a_custom_script_is_marked_for_one_look_up() -> None:
    found = answer(400, detail("USER_ERROR", "Dieser Datensatz existiert bereits."))
    assert isinstance(found, Refused)
    assert not found.known


@pytest.mark.parametrize(
    "text", ['{"type":"error.SuiteScriptError","name":"X"}', "Error in afterSubmit of customscript_42"]
)
def test_a_script_that_failed_after_the_save_may_have_left_the_record_behind(text: str) -> None:
    assert isinstance(answer(400, detail("USER_ERROR", text)), Unknown)


def test_several_details_are_all_shown_and_the_one_that_leaves_most_open_decides() -> None:
    item = detail("INVALID_CONTENT", "Invalid item", "item.items[0].item")
    entity = detail("INVALID_CONTENT", "Invalid entity", "entity")
    changed = detail("USER_ERROR", "Record has been changed")
    exists = detail("USER_ERROR", "This record already exists.")
    assert answer(400, item, entity) == Refused(
        400, "INVALID_CONTENT", "item.items[0].item, entity", "Invalid item | Invalid entity"
    )
    assert isinstance(answer(400, changed, item), Refused)
    assert isinstance(answer(400, item, exists), Exists)
    assert isinstance(answer(400, item, detail("UNEXPECTED_ERROR", "An unexpected error occurred.")), Unknown)


def test_a_changed_record_is_sent_again_at_the_same_pace() -> None:
    found = answer(400, detail("USER_ERROR", "Record has been changed"))
    assert isinstance(found, Retry)
    assert not found.throttled


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "CONCURRENCY_LIMIT_EXCEEDED"),
        (429, "SSS_REQUEST_LIMIT_EXCEEDED"),
        (400, "sss_request_limit_exceeded"),
    ],
)
def test_a_busy_account_is_sent_to_again_with_fewer_lanes(status: int, code: str) -> None:
    found = answer(status, detail(code, "blocked"))
    assert isinstance(found, Retry)
    assert found.throttled


def test_a_gateways_429_without_words_throttles_and_its_wish_is_kept() -> None:
    found = classify(429, CaseInsensitiveDict({"retry-after": "7"}), b"<html>slow down</html>")
    assert found == Retry(429, "", "HTTP 429", throttled=True, retry_after=7.0)


def test_a_refused_login_and_a_missing_permission_are_no_refusal_of_the_document() -> None:
    assert isinstance(answer(401, detail("INVALID_LOGIN", "Invalid login attempt.")), Unauthorized)
    assert isinstance(classify(401, NONE, b""), Unauthorized)
    assert isinstance(answer(403, detail("INSUFFICIENT_PERMISSION", "You need…")), Forbidden)


@pytest.mark.parametrize("status", [200, 201, 202, 302, 307, 408, 500, 502, 503, 504, 520])
def test_what_proves_nothing_is_looked_up(status: int) -> None:
    refusal = detail("INVALID_CONTENT", "Invalid Field Value 9999")
    assert isinstance(answer(status, refusal), Unknown)
    assert isinstance(classify(status, NONE, b""), Unknown)


def test_netsuites_own_500_keeps_its_error_id_for_the_support() -> None:
    found = answer(500, detail("UNEXPECTED_ERROR", "An unexpected error occurred. Error ID: abc123"))
    assert isinstance(found, Unknown)
    assert "abc123" in found.reason


def test_a_gateways_page_is_named_by_its_title() -> None:
    found = classify(502, NONE, b"<html><head><title>502 Bad Gateway</title></head></html>")
    assert found == Unknown(502, "HTTP 502, a page of a gateway: 502 Bad Gateway")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"<html>400</html>",
        b'{"o:errorDetails": []}',
        b'{"o:errorDetails": "no"}',
        b'{"o:errorDetails": [1, null]}',
        b'{"o:errorDetails": [{}]}',
        b'{"o:errorDetails": {"detail": false}}',
        b'{"o:errorDetails": {"detail": 0}}',
        b"[" * 100_000,
        envelope(400, detail("INVALID_CONTENT", "Invalid"))[:-3],
        envelope(500, detail("INVALID_CONTENT", "Invalid")),
    ],
    ids=range(14),
)
def test_a_400_that_cannot_be_understood_proves_nothing(body: bytes) -> None:
    assert isinstance(classify(400, NONE, body), Unknown)


def test_numbers_as_text_and_a_lone_detail_are_understood() -> None:
    body = json.dumps({"status": "400", "o:errorDetails": detail(17, {"a": 1})}).encode()
    assert classify(400, NONE, body) == Refused(400, "17", None, '{"a": 1}', known=False)


def test_what_netsuite_says_fits_into_any_database_and_log() -> None:
    found = answer(400, detail("USER_ERROR", "a\x00b\ud800c\n" + "x" * 10_000))
    assert isinstance(found, Refused)
    assert found.detail.startswith("a b")
    assert "\x00" not in found.detail.encode().decode()
    assert len(found.detail) <= 4_000


@given(
    st.integers(100, 599),
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["Location", "Retry-After"]), st.text()),
)
def test_only_a_204_lands_and_only_netsuites_own_words_refuse(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    found = classify(status, CaseInsensitiveDict(headers), body)
    assert not isinstance(found, Landed) or status == 204
    assert not isinstance(found, Refused | Exists | Forbidden)  # random bytes are no envelope


def test_every_row_of_the_table_decides_some_answer_and_tells_what_to_do() -> None:
    for row in ERROR_CODES:
        found = explain(min(row.http), row.code or "ANY", f"… {row.text or 'something'} …")
        assert found is row, row.name
        assert row.meaning.endswith(".")
        assert row.to_do.endswith(".")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b"", NetSuiteUnavailable),
        (503, b"<html>", NetSuiteUnavailable),
        (500, envelope(500, detail("UNEXPECTED_ERROR", "…")), NetSuiteUnavailable),
        (401, b"", NetSuiteLoginRefused),
        (403, b"", NetSuiteForbidden),
        (404, b"", NetSuiteNotFound),
        (400, envelope(400, detail("INVALID_PARAMETER", "Invalid search query.")), NetSuiteQueryRefused),
        (302, b"", NetSuiteAnswerUnreadable),
        (204, b"", NetSuiteAnswerUnreadable),
    ],
)
def test_a_read_that_fails_raises_the_error_of_its_cause(status: int, body: bytes, kind: type[NetSuiteError]) -> None:
    error = read_error(status, NONE, body, "the query")
    assert type(error) is kind
    assert error.http_status == status
    assert "the query" in str(error)
