"""The SQL that the documentation hands out works."""

from billing_assets.foundation.database.connection import connect
from billing_assets_tests.docs_tables import ROOT
from billing_assets_tests.unit.test_docs import FENCED


def test_every_query_that_finance_is_given_runs(state_url: str) -> None:
    blocks = [text for language, text in FENCED.findall((ROOT / "docs/finance.md").read_text()) if language == "sql"]
    with connect(state_url) as connection:
        for statement in (one for block in blocks for one in block.split(";") if one.strip()):
            connection.execute(statement.encode())
    assert blocks
