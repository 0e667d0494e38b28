"""What is wrong with the master data of billing: what would keep an account from being billed, before it does."""

from typing import NamedTuple

from billing_assets.foundation.database.connection import Connection


class AccountFinding(NamedTuple):
    """A fault of master data. `what`: of which account, point or group."""

    code: str
    what: str
    sentence: str


_SENTENCES = {
    "GROUP_UNKNOWN": "Account {what} is in the bill group {value}, which is not loaded: it is billed by no batch.",
    "TARIFF_UNKNOWN": "Service point {what} is billed by the tariff {value}, which has no approved version.",
    "ACCOUNT_UNKNOWN": "The agreement of service point {what} names account {value}, which is not loaded.",
    "POINT_UNKNOWN": "The agreement of {value} names service point {what}, which metering does not know.",
    "POINT_WITHOUT_AGREEMENT": "Service point {what} supplies account {value} and has no agreement.",
    "AUTOMATED_WITHOUT_CYCLE": "Bill group {what} is automated and has no cycle: no night bills it.",
}


def findings(connection: Connection, limit: int = 1000) -> list[AccountFinding]:
    """What is wrong now, by code; at most `limit`."""
    rows = connection.execute(
        """
        select * from (
            select 'GROUP_UNKNOWN' as code, a.account as what, a.bill_group as value
            from billing.accounts as a where a.replaced_at is null and not exists (
                select from billing.bill_groups as g where g.bill_group = a.bill_group and g.replaced_at is null)
            union all
            select 'TARIFF_UNKNOWN', a.point, a.tariff from billing.agreements as a
            where a.replaced_at is null and not exists (
                select from billing.tariff_versions_now as t where t.tariff = a.tariff and t.is_used)
            union all
            select 'ACCOUNT_UNKNOWN', a.point, a.account from billing.agreements as a
            where a.replaced_at is null and not exists (
                select from billing.accounts as o where o.account = a.account and o.replaced_at is null)
            union all
            select 'POINT_UNKNOWN', a.point, a.account from billing.agreements as a
            where a.replaced_at is null and not exists (
                select from billing.service_points as p where p.point = a.point and p.replaced_at is null)
            union all
            select 'POINT_WITHOUT_AGREEMENT', s.point, s.account from billing.supply_periods as s
            join billing.accounts as o on o.account = s.account and o.replaced_at is null
            where s.replaced_at is null and not exists (
                select from billing.agreements as a where a.point = s.point and a.replaced_at is null)
            union all
            select 'AUTOMATED_WITHOUT_CYCLE', g.bill_group, '' from billing.bill_groups as g
            where g.replaced_at is null and g.automated and not exists (
                select from billing.bill_cycles as c where c.bill_group = g.bill_group and c.replaced_at is null)
        ) as f order by code, what limit %s""",
        [limit],
    )
    return [
        AccountFinding(row["code"], row["what"], _SENTENCES[row["code"]].format(what=row["what"], value=row["value"]))
        for row in rows
    ]
