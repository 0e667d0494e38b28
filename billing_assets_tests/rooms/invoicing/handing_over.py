"""A company whose billing system is our own engine: its mapping, and all of its areas on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from billing_assets.erp.netsuite.mapping import load_mapping
from billing_assets.erp.netsuite.proof_store import note_proven
from billing_assets.sandbox.netsuite.process import RunningSandbox
from proving.world.account import Account
from proving.world.system import System

AREAS = ("erp", "receivables", "metering", "invoicing")
MAPPING = """
external_id: {invoice: INV-, credit_memo: CM-}
closed_through:
currencies:
  USD: {id: "2", minor_digits: 2}
tables:
  customers: {file: customers.csv, key: customer}
  items: {file: items.csv, key: code}
body:
  entity: {lookup: customers, by: customer, take: netsuite_id, reference: id}
  subsidiary: {constant: "1", reference: id}
  tranDate: {column: document_date}
  dueDate: {column: due_date, kinds: [invoice], optional: true}
  memo: {column: memo, optional: true}
  custbody_billing_number: {column: number}
line:
  item: {lookup: items, by: item, take: netsuite_id, reference: id}
  description: {column: description, optional: true}
  custcol_billing_line: {column: line_no}
"""


@contextmanager
def company(
    state_url: str, folder: Path, sandbox: RunningSandbox, account: Account, **sections: Any
) -> Iterator[System]:
    """Our database, NetSuite, and no other billing system but those of `sections`. Accounts A1 to A9 are customers."""
    mapping = folder / "mapping.yaml"
    mapping.write_text(MAPPING)
    (folder / "customers.csv").write_text(
        "customer,netsuite_id\n" + "".join(f"A{one},{1000 + one}\n" for one in range(1, 10))
    )
    (folder / "items.csv").write_text("code,netsuite_id\nenergy,101\nsales,103\nsales:included,104\n")
    with System.open(
        state_url, None, sandbox, account, home=folder, proven=False, mapping=mapping, areas=AREAS, **sections
    ) as system:
        note_proven(system.state, sandbox.base_url, load_mapping(mapping).digest, {})
        yield system
