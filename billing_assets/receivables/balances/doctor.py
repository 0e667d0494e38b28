"""Balances and late fees, as `billing doctor` sees them."""

from collections.abc import Iterator

from billing_assets.erp.contract import BillingSystem, NetSuite, open_items, receivables
from billing_assets.foundation.doctor import Checked, few, looked
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import variable
from billing_assets.receivables.balances.fee_store import branches
from billing_assets.receivables.balances.late_fee_rules import late_fee_rules
from billing_assets.receivables.balances.settings import ReceivablesSettings


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at where balances are read, and at the rules of late fees."""
    yield looked("Receivables", _receivables, runtime)


def _receivables(runtime: Runtime) -> str:
    rules = len(late_fee_rules(runtime.settings).rules)
    if runtime.settings.of(ReceivablesSettings).balances_from == "netsuite":
        items = sum(one.items for one in open_items.open_sums(runtime.of(NetSuite).client))
    else:
        with runtime.of(BillingSystem).connection() as source:
            items = sum(rows for _, _, rows, _ in receivables.sums(source, runtime.of(BillingSystem).receivables_query))
    with runtime.state() as connection:
        billed = branches(connection)
    strange = sorted(set(runtime.settings.calendar.zones.branches) - set(billed)) if billed else []
    where = runtime.settings.of(ReceivablesSettings).balances_from
    today = runtime.settings.calendar.today()
    said = f"{items:,} open items in {where}; {rules} rules of late fees; the business day is {today}"
    if strange:
        said += f". LOOK: {variable('calendar.time_zones')} names {few(strange)}, and no open invoice is of it"
    return said
