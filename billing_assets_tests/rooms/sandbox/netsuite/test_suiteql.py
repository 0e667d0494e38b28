"""The SuiteQL of this domain."""

import time

import pytest

from proving.world.account import Account, error, invoice, lines


@pytest.fixture
def three(account: Account) -> Account:
    """Two invoices (20.40 in November, 7 in December) and a credit memo of 3.50."""
    account.created(invoice("INV-1"))
    account.created(invoice("INV-2", tranDate="2010-12-01", item=lines(7), memo="it's"))
    account.created(invoice("CM-1", item=lines(1.5, 2)), "creditMemo")
    return account


def test_transactions_are_found_by_external_id_with_every_value_as_text(three: Account) -> None:
    answer = three.query(
        "SELECT ID, TranID, externalId, type, entity, currency, foreigntotal, trandate, status, postingperiod "
        "FROM Transaction WHERE externalid IN ('INV-1', 'CM-1', 'inv-2') ORDER BY id"
    ).json()
    period = three.get("/record/v1/accountingPeriod/eid:2010-11").json()["id"]
    common = {"links": [], "entity": "17850", "currency": "1", "trandate": "2010-11-05", "postingperiod": period}
    first = {"id": "1", "tranid": "INV0000001", "externalid": "INV-1", "type": "CustInvc", "foreigntotal": "20.4"}
    memo = {"id": "3", "tranid": "CM0000001", "externalid": "CM-1", "type": "CustCred", "foreigntotal": "-3.5"}
    # 'inv-2' is not found: comparison is case-sensitive
    assert answer["items"] == [{**common, **first, "status": "A"}, {**common, **memo, "status": "A"}]
    assert (answer["count"], answer["hasMore"], answer["offset"], answer["totalResults"]) == (2, False, 0, 2)


def test_the_sign_of_credit_totals_and_lines_is_a_switch(three: Account) -> None:
    query = "SELECT SUM(foreigntotal) AS total FROM transaction"
    amounts = "SELECT foreignamount AS a FROM transactionline WHERE mainline = 'F' AND transaction IN (2, 3)"
    assert three.rows(query) == [{"total": "23.9"}]
    assert [row["a"] for row in three.rows(amounts)] == ["-7", "1.5", "2"]
    main = "SELECT transaction, linesequencenumber, foreignamount FROM transactionline WHERE mainline = 'T'"
    assert [row["foreignamount"] for row in three.rows(main)] == ["20.4", "7", "-3.5"]
    three.switch(credit_total_sign="positive", line_sign="entered")
    assert three.rows(query) == [{"total": "30.9"}]
    assert [row["a"] for row in three.rows(amounts)] == ["7", "1.5", "2"]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("trandate >= TO_DATE('2010-12-01', 'YYYY-MM-DD')", "2"),
        ("trandate BETWEEN '2010-11-01' AND '2010-11-30' AND type = 'CustInvc'", "1"),
        ("type <> 'CustInvc'", "3"),
        ("foreigntotal > 10 OR foreigntotal < -3", "1 3"),
        ("memo IS NULL", "1 3"),
        ("memo = 'it''s'", "2"),
        ("externalid LIKE 'INV-%'", "1 2"),
        ("externalid LIKE 'inv-%'", ""),
        ("NOT (id IN ('1', '3'))", "2"),
        ("id = 1 OR id = '3'", "1 3"),
        ("UPPER(externalid) = 'CM-1'", "3"),
        ("id IN (SELECT transaction FROM transactionline WHERE foreignamount = -7)", "2"),
    ],
)
def test_conditions_select_rows(three: Account, where: str, found: str) -> None:
    rows = three.rows(f"SELECT id FROM transaction WHERE {where} ORDER BY id ASC")  # noqa: S608
    assert " ".join(row["id"] for row in rows) == found


def test_groups_and_unnamed_expressions(three: Account) -> None:
    rows = three.rows("SELECT type, COUNT(*), SUM(foreigntotal) FROM transaction GROUP BY type ORDER BY type DESC")
    assert rows == [
        {"type": "CustInvc", "expr2": "2", "expr3": "27.4"},
        {"type": "CustCred", "expr2": "1", "expr3": "-3.5"},
    ]
    assert three.rows("SELECT t.tranid, COUNT(*) n FROM transaction t JOIN transactionline l ON l.transaction = t.id "
                      "WHERE l.mainline = 'F' GROUP BY t.tranid HAVING COUNT(*) > 1 ORDER BY n, t.tranid") == [
        {"tranid": "CM0000001", "n": "2"},
        {"tranid": "INV0000001", "n": "2"},
    ]  # fmt: skip


def test_the_lists_can_be_queried(three: Account) -> None:
    assert three.rows("SELECT id, externalid, companyname FROM customer WHERE externalid = 'CUST-17850'") == [
        {"id": "17850", "externalid": "CUST-17850", "companyname": "Rose Hall"}
    ]
    assert three.rows("SELECT id FROM item WHERE id IN ('1', '2', '99') ORDER BY id") == [{"id": "1"}, {"id": "2"}]
    assert three.rows("SELECT startdate, closed FROM accountingperiod WHERE periodname = 'Nov 2010'") == [
        {"startdate": "2010-11-01", "closed": "F"}
    ]
    for table in ("subsidiary", "department", "classification", "location", "term", "currency"):
        assert three.rows(f"SELECT id, name FROM {table}")  # noqa: S608


def test_pages_follow_each_other(three: Account) -> None:
    first = three.query("SELECT * FROM transaction ORDER BY id", limit=2).json()
    assert (first["count"], first["hasMore"], first["totalResults"]) == (2, True, 3)
    second = three.query("SELECT id FROM transaction ORDER BY id", limit=2, offset=2).json()
    assert (second["items"], second["hasMore"], second["totalResults"]) == ([{"links": [], "id": "3"}], False, 3)
    beyond = three.query("SELECT id FROM transaction", limit=2, offset=4).json()
    assert (beyond["items"], beyond["hasMore"], beyond["totalResults"]) == ([], False, 3)


def test_parameters_can_be_bound(three: Account) -> None:
    assert three.rows("SELECT id FROM transaction WHERE externalid = ? AND entity = ?", "INV-2", 17850) == [{"id": "2"}]
    assert three.query("SELECT id FROM transaction WHERE id = ?").status_code == 400


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM transaction",
        "SELECT id FROM record",
        "SELECT secret FROM transaction",
        "SELECT id FROM transaction; SELECT 1",
        "SELECT id FROM transaction WHERE sandbox(id) = 1",
        "SELECT id FROM transaction LIMIT 1",
        "SELECT id FROM transaction WHERE",
        "SELECT id FROM sqlite_master",
        "SELECT id FROM transaction -- comment",
        "SELECT id FROM transaction WHERE trandate > TO_DATE('soon', 'YYYY-MM-DD')",
        "",
    ],
)
def test_what_is_not_supported_is_refused(account: Account, query: str) -> None:
    assert error(account.query(query))[0] == 400


def test_limits_and_the_required_header_are_enforced(account: Account) -> None:
    query = "SELECT id FROM transaction"
    bare = account.post("/query/v1/suiteql", {"q": query})
    assert (bare.status_code, "transient" in bare.json()["o:errorDetails"][0]["detail"]) == (400, True)
    for window in ({"limit": 1001}, {"limit": 0}, {"limit": 10, "offset": 5}, {"limit": 1000, "offset": 100_000}):
        assert account.query(query, **window).status_code == 400, window
    values = ", ".join(f"'{n}'" for n in range(1000))
    assert account.query(f"{query} WHERE externalid IN ({values})").status_code == 200
    assert account.query(f"{query} WHERE externalid IN ({values}, 'x')").status_code == 400


def test_a_new_record_shows_only_after_the_lag(account: Account) -> None:
    account.switch(suiteql_lag_seconds=1)
    account.created(invoice())
    assert account.rows("SELECT id FROM transaction") == []
    assert account.rows("SELECT transaction FROM transactionline") == []
    assert account.show("invoice/1")["id"] == "1"
    time.sleep(1.1)
    assert account.rows("SELECT id FROM transaction") == [{"id": "1"}]


def test_the_subsidiary_of_a_transaction_shows_in_some_accounts_only(three: Account) -> None:
    query = "SELECT t.id, t.subsidiary FROM transaction t WHERE t.id = 1"
    assert error(three.query(query))[:2] == (400, "INVALID_PARAMETER")
    three.switch(transaction_subsidiary=True)
    assert three.rows(query) == [{"id": "1", "subsidiary": "1"}]


def test_items_have_a_full_name_and_builtin_df_names_what_a_column_refers_to(three: Account) -> None:
    assert three.rows("SELECT fullName FROM item WHERE id = 1") == [{"fullname": "Item 1"}]
    assert three.rows(
        "SELECT t.id, BUILTIN.DF(t.entity) AS customer, BUILTIN.DF(t.currency) currency, BUILTIN.DF(t.type) AS type, "
        "BUILTIN.DF(t.status) AS status, BUILTIN.DF(t.memo) AS memo "
        "FROM transaction t WHERE t.id IN (2, 3) ORDER BY t.id"
    ) == [
        {
            "id": "2",
            "customer": "Rose Hall",
            "currency": "GBP",
            "type": "Invoice",
            "status": "Invoice : Open",
            "memo": "it's",
        },
        {
            "id": "3",
            "customer": "Rose Hall",
            "currency": "GBP",
            "type": "Credit Memo",
            "status": "Credit Memo : Open",
        },
    ]
    assert error(three.query("SELECT BUILTIN.DF(1 + 1) FROM transaction"))[0] == 400


def test_the_link_table_tells_which_credit_memo_settles_which_invoice(three: Account) -> None:
    applied = {"items": [{"doc": {"id": "1"}, "apply": True, "amount": 1.25}]}
    three.created(invoice("CM-2", item=lines(1.25), apply=applied), "creditMemo")
    columns = "SELECT previousdoc, previoustype, nextdoc, nexttype, linktype, foreignamount"
    assert three.rows(f"{columns} FROM NextTransactionLineLink WHERE previousdoc = 1") == [
        {
            "previousdoc": "1",
            "previoustype": "CustInvc",
            "nextdoc": "4",
            "nexttype": "CustCred",
            "linktype": "Payment",
            "foreignamount": "1.25",
        }
    ]
    joined = (
        "SELECT c.externalid FROM transaction i JOIN PreviousTransactionLineLink l ON l.previousdoc = i.id "
        "JOIN transaction c ON c.id = l.nextdoc WHERE i.externalid = 'INV-1'"
    )
    assert three.rows(joined) == [{"externalid": "CM-2"}]


@pytest.mark.parametrize(
    "where", ["id = 'abc'", "t.id <> 'x'", "id IN ('1', 'abc')", "entity NOT IN ('')", "id = '1e3'"]
)
def test_a_number_compared_with_text_that_is_none_is_refused(three: Account, where: str) -> None:
    status, code, detail, _ = error(three.query(f"SELECT id FROM transaction t WHERE {where}"))  # noqa: S608
    assert (status, code) == (400, "INVALID_PARAMETER")
    assert "Invalid number" in detail
    assert three.rows("SELECT id FROM transaction WHERE id = '1' AND externalid <> 'abc'") == [{"id": "1"}]
