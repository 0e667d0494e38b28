"""Moving documents through their states by hand, where a test is not about how they got there."""

from billing_assets.foundation.database.connection import Connection


def set_state(state: Connection, number: str, *states: str) -> None:
    """Moves a document through states, one after the other, as the database allows."""
    for name in states:
        posted = ", netsuite_id = '1', posted_at = now()" if name == "posted" else ""
        state.execute(f"update billing.staged_invoices set state = %s{posted} where number = %s", [name, number])  # noqa: S608
