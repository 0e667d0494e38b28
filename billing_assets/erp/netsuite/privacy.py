"""What NetSuite says of a document, without what the document says of a customer.

NetSuite's error texts repeat values: a memo, a street, a name. Before such a text goes anywhere (our log of attempts, a
run's metadata, an alert), every word in it that is in one of the document's free texts is masked. Numbers of
documents, codes and the words that error texts are made of stay.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from billing_assets.erp.documents.documents import Document
from billing_assets.erp.netsuite.error_codes import ERROR_CODES
from billing_assets.posting.answers import Answer, Landed, NotSent, Unknown

MASK = "***"
_SHORTEST = 3
_MAIL = re.compile(r"[^\s<>,;:\"'()]+@[^\s<>,;:\"'()]+")
_WORD = re.compile(r"\w+")
_MASKS = re.compile(r"\*\*\*(?:[\s.,'\"&/-]*\*\*\*)+")
_PLAIN = """
    about access account after again already amount and any are been before below between blank body but can cannot
    certain change changed character characters contact contains content create created credit currency customer date
    day default department did document does due during empty end enter entity error exceeds exist existing expected
    failed field fields for form format found from get greater has have http identifier inactive insufficient invalid
    invoice item items its less limit line lines list location locked longer long maximum may memo method missing month
    must name negative new not number object occurred one only open order over parameter payment period permission
    please posting property quantity range rate record reference referenced request required resource role save saved
    select selected set sub subsidiary such support tax term terms than that the their then there this time title too
    total transaction try type unexpected unique unit user valid value values was when which while will with workflow
    within without wrong you your
"""


def private_texts(document: Document) -> tuple[str, ...]:
    """The free texts of a document, which may tell of a customer: memo, order number, descriptions, further columns."""
    return tuple(
        text
        for text in (
            document.memo,
            document.purchase_order,
            *document.extra.values(),
            *(text for line in document.lines for text in (line.description, *line.extra.values())),
        )
        if text
    )


def withheld(answer: Answer, document: Document) -> Answer:
    """The answer to a document's request with the document's own free texts masked in NetSuite's words."""
    if isinstance(answer, Landed):
        return answer
    known = frozenset(_words(f"{document.number} {document.kind} {document.customer or ''} {document.currency}"))
    private = {word for text in private_texts(document) for word in _words(text)} - _common() - known
    if isinstance(answer, NotSent | Unknown):
        return replace(answer, reason=masked(answer.reason, private))
    return replace(answer, detail=masked(answer.detail, private))


def masked(text: str, private: set[str]) -> str:
    """The text with its e-mail addresses and every word of `private` (casefolded) replaced by `***`."""
    found = _WORD.sub(lambda word: MASK if word[0].casefold() in private else word[0], _MAIL.sub(MASK, text))
    return _MASKS.sub(MASK, found)


@cache
def _common() -> frozenset[str]:
    """The words of error texts: masking them would hide what is wrong and protect no one."""
    table = " ".join(f"{row.code or ''} {row.text or ''}" for row in ERROR_CODES)
    return frozenset(_words(f"{_PLAIN} {table}"))


def _words(text: str) -> Iterator[str]:
    return (word for word in _WORD.findall(text.casefold()) if len(word) >= _SHORTEST)
