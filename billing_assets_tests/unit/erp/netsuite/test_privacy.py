"""What NetSuite's words may tell of a customer: nothing that stands in the document's own free texts."""

import pytest

from billing_assets.erp.netsuite.privacy import withheld
from billing_assets.posting.answers import Landed, NotSent, Refused, Unknown
from proving.world.builders import document, line

PRIVATE = document(
    "536365",
    line(description="Supply at Quillfeather Lane 77b"),
    memo="For Zoë Zyxwhold, customer 12346",
    extra={"customer_name": "ZYXWHOLD & Sons Ltd.", "street": "4711 Elm", "nothing": None},
)


def told(detail: str) -> str:
    answer = withheld(Refused(400, "USER_ERROR", "memo", detail), PRIVATE)
    assert isinstance(answer, Refused)
    assert (answer.http_status, answer.code, answer.path) == (400, "USER_ERROR", "memo")
    return answer.detail


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("Customer zyxwhold is on hold.", "Customer *** is on hold."),
        ("Invalid Field Value Zoë  Zyxwhold for the field: memo", "Invalid Field Value *** for the field: memo"),
        ("Delivery to 4711 Elm, Quillfeather Lane 77b failed", "Delivery to *** failed"),
        ("Mail to someone@markermail.test bounced", "Mail to *** bounced"),
        ("Invalid Field Value 12346 for the field: entity", "Invalid Field Value 12346 for the field: entity"),
        ("Invoice 536365: This record already exists.", "Invoice 536365: This record already exists."),
        ("Please enter value(s) for: Location", "Please enter value(s) for: Location"),
    ],
)  # fmt: skip
def test_free_texts_of_the_document_are_masked_and_the_reason_stays(detail: str, shown: str) -> None:
    assert told(detail) == shown


def test_every_kind_of_answer_is_told_without_them() -> None:
    assert withheld(Unknown(400, "HTTP 400: Zyxwhold failed"), PRIVATE) == Unknown(400, "HTTP 400: *** failed")
    assert withheld(NotSent("no way to zyxwhold"), PRIVATE) == NotSent("no way to ***")
    assert withheld(Landed("647"), PRIVATE) == Landed("647")
