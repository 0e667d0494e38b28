"""Bills with more on them than their tariff says are explained, too, and come out to the same bytes."""

from decimal import Decimal
from pathlib import Path

import pytest

from billing_assets.foundation.database.connection import Connection
from billing_assets.invoicing.adjustments.kinds import Adjustment, LineByHand
from billing_assets.invoicing.batches.selections import Selection, Wanted
from billing_assets.invoicing.batches.validating import lock, validate
from billing_assets.invoicing.invoices import adjusting
from billing_assets.invoicing.invoices.adjusting import Terms
from billing_assets.invoicing.invoices.engine import rate_case
from billing_assets.invoicing.invoices.explaining import NoDocumentError, explained
from billing_assets.invoicing.invoices.processing import process
from billing_assets_tests.rooms.invoicing.customers import CUT_OFF, customers, metered

FEE = LineByHand("Reconnection", Decimal("40.00"), group="energy")


def charged(state: Connection, kind: Adjustment) -> str | None:
    terms = Terms(rate_case, CUT_OFF, Decimal(100))
    return adjusting.enter(state, kind, "A1", [FEE], "RECONNECTED", "Mara", "As agreed", terms, taxed=True).number


def test_a_special_charge_on_a_bill_is_explained_with_its_tax(
    state: Connection, state_url: str, tmp_path: Path
) -> None:
    customers(state, tmp_path, 1, automated=True)
    charged(state, Adjustment.SPECIAL_CHARGE)
    metered(state, 1)
    ((batch, _, _),) = lock(state, Wanted(Selection.BILL_GROUP, CUT_OFF, ("G1",)), "Mara", "Month end")
    validate(state, batch, today=CUT_OFF)
    state.execute("update billing.invoice_batches set state = 'pending' where state = 'in_review'")
    assert process(state_url, state, rate_case, "one", batch, today=CUT_OFF) is not None
    found = explained(state, "1", rate_case)
    assert found.differences == ()
    energy, fee, tax = found.sentences
    assert energy.startswith("energy")
    assert "40.00" in fee
    assert "290.00 * 0.10 = 29, rounded half up 29.00" in tax


@pytest.mark.parametrize("kind", [Adjustment.ONE_OFF, Adjustment.DEBIT_MEMO])
def test_an_invoice_without_usage_is_explained(state: Connection, tmp_path: Path, kind: Adjustment) -> None:
    customers(state, tmp_path, 1)
    number = charged(state, kind)
    found = explained(state, str(number), rate_case)
    assert found.differences == ()
    assert len(found.sentences) == 2
    with pytest.raises(NoDocumentError, match="There is no invoice 77"):
        explained(state, "77", rate_case)
