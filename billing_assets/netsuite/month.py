"""All transactions of a billing month that carry our external ids, for the close."""

from calendar import monthrange
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from billing_assets.domain.external_id import is_external_id
from billing_assets.netsuite.client import NetSuiteClient
from billing_assets.netsuite.errors import NetSuiteAnswerUnreadable
from billing_assets.netsuite.suiteql import exact, query


class MonthTransaction(NamedTuple):
    """A transaction of the month. `absolute_total` is in its currency, without NetSuite's sign."""

    netsuite_id: str
    type: str
    absolute_total: Decimal


def month_transactions(client: NetSuiteClient, period: str, prefixes: Sequence[str]) -> dict[str, MonthTransaction]:
    """The transactions dated in a month (`YYYY-MM`) whose external id begins with a prefix, by external id.

    Asks day by day, because NetSuite shows at most 100,000 rows of a query. Raises NetSuiteError.
    """
    if not all(is_external_id(prefix) for prefix in prefixes):
        raise ValueError(f"{prefixes!r} holds a prefix that cannot begin an external id")
    year, month = (int(part) for part in period.split("-"))
    ours = " OR ".join(f"externalid LIKE '{prefix}%'" for prefix in prefixes)
    found: dict[str, MonthTransaction] = {}
    for day in range(1, monthrange(year, month)[1] + 1):
        sql = (
            "SELECT id, externalid, type, foreigntotal FROM transaction "  # noqa: S608  checked prefixes and numbers only
            f"WHERE trandate = TO_DATE('{year:04d}-{month:02d}-{day:02d}', 'YYYY-MM-DD') AND ({ours}) ORDER BY id"
        )
        for row in query(client, sql):
            if missing := [name for name in ("id", "externalid", "type") if not row.get(name)]:
                raise NetSuiteAnswerUnreadable(f"NetSuite answered a transaction without {', '.join(missing)}")
            total = exact(row.get("foreigntotal", "0")).copy_abs()
            found[row["externalid"].upper()] = MonthTransaction(row["id"], row["type"], total)
    return found
