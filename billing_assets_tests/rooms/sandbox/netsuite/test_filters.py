"""GET /record/v1/invoice?q=…: what a client finds that looks a record up by its fields."""

import pytest

from proving.world.account import Account, error, invoice, lines


@pytest.fixture
def three(account: Account) -> Account:
    """Two invoices (20.40 in November, 7 in December) and a credit memo of 3.50."""
    account.created(invoice("INV-1"))
    account.created(invoice("INV-2", tranDate="2010-12-01", item=lines(7), memo="two words, (one) [more]"))
    account.created(invoice("CM-1", item=lines(1.5, 2)), "creditMemo")
    return account


def listed(account: Account, q: str | None, record_type: str = "invoice") -> list[str]:
    answer = account.session.get(
        f"{account.base_url}/services/rest/record/v1/{record_type}", params={"q": q} if q else {}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        (None, ["1", "2"]),
        ('externalId IS "INV-1"', ["1"]),
        ("externalid IS inv-2", ["2"]),
        ("externalId START_WITH INV AND total GREATER 10", ["1"]),
        ("externalId IS_NOT INV-1", ["2"]),
        ('memo IS "two words, (one) [more]"', ["2"]),
        ("memo EMPTY", ["1"]),
        ("id ANY_OF [2, 3]", ["2"]),
        ("total BETWEEN [7, 20.4]", ["1", "2"]),
        ("tranDate ON_OR_AFTER 12/1/2010", ["2"]),
        ("tranDate BEFORE 2010-12-01 AND (id EQUAL 2 OR entity EQUAL 17850)", ["1"]),
        ("externalId IS 'x'; DROP", None),
        ("nonsense IS 1", None),
        ("id IS 1", None),
        ("id EQUAL abc", None),
        ("externalId IS", None),
        ('memo IS "open', None),
        ("(id EQUAL 1", None),
    ],
)
def test_a_collection_is_filtered_by_conditions(three: Account, q: str | None, found: list[str] | None) -> None:
    if found is not None:
        assert listed(three, q) == found
        return
    answer = three.session.get(f"{three.base_url}/services/rest/record/v1/invoice", params={"q": q or ""}, timeout=30)
    assert error(answer)[:2] == (400, "INVALID_PARAMETER")


def test_a_collection_comes_in_pages_with_links_to_its_records(three: Account) -> None:
    url = f"{three.base_url}/services/rest/record/v1/invoice"
    page = three.session.get(url, params={"limit": 1, "offset": 1}, timeout=30).json()
    assert (page["count"], page["hasMore"], page["offset"], page["totalResults"]) == (1, False, 1, 2)
    assert page["items"] == [{"links": [{"rel": "self", "href": f"{url}/2"}], "id": "2"}]
    assert listed(three, None, "creditMemo") == ["3"]
