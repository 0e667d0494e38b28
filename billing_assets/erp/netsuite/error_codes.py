"""The table of NetSuite's error codes: what an error means, what it says about the document, what to do about it.

`errors.py` decides by this table, and the runbook in `docs/` is generated from it.
"""

from typing import Literal, NamedTuple

Outcome = Literal["exists", "refused", "retry", "throttled", "unauthorized", "forbidden", "unknown"]


class ErrorCode(NamedTuple):
    """One row of the error table.

    `name` is our own word for it, `code` NetSuite's `o:errorCode` (None: any), `text` a part of the detail (None:
    any), both compared without regard to case; `http` the HTTP statuses. `outcome` names the answer, `meaning` and
    `to_do` are for the person who reads it.
    """

    name: str
    http: frozenset[int]
    code: str | None
    text: str | None
    outcome: Outcome
    meaning: str
    to_do: str


_CLIENT_ERRORS = frozenset(range(400, 500))
_BAD_REQUEST = frozenset({400})
_REFUSALS = _CLIENT_ERRORS - {401, 403, 408, 409, 429}

# The first row that fits a detail counts, so the special stands before the general.
ERROR_CODES: tuple[ErrorCode, ...] = (
    ErrorCode(
        "RECORD_EXISTS",
        frozenset({400, 409}),
        None,
        "record already exists",
        "exists",
        "A record with this external id is in NetSuite, most likely from an earlier attempt.",
        "Nothing: it is looked up and compared. A difference is reported with both sides.",
    ),
    ErrorCode(
        "CONCURRENCY_LIMIT_EXCEEDED",
        frozenset({400, 429}),
        "CONCURRENCY_LIMIT_EXCEEDED",
        None,
        "throttled",
        "More requests at once than the account allows, counting other integrations.",
        "Nothing: it is repeated with fewer lanes. If it stays, lower BILLING_NETSUITE__LANES.",
    ),
    ErrorCode(
        "SSS_REQUEST_LIMIT_EXCEEDED",
        frozenset({400, 429}),
        "SSS_REQUEST_LIMIT_EXCEEDED",
        None,
        "throttled",
        "More requests than the account allows.",
        "Nothing: it is repeated with fewer lanes. If it stays, lower BILLING_NETSUITE__LANES.",
    ),
    ErrorCode(
        "SCRIPT_ERROR",
        _CLIENT_ERRORS,
        None,
        "error.SuiteScript",
        "unknown",
        "A script in the account failed; one that runs after the save leaves the record behind.",
        "Nothing at first: it is looked up. If it is absent each time, the owner of the script must fix it.",
    ),
    ErrorCode(
        "SCRIPT_ERROR",
        _CLIENT_ERRORS,
        None,
        "afterSubmit",
        "unknown",
        "A script in the account failed after the record was saved.",
        "Nothing at first: it is looked up. The owner of the script must fix it.",
    ),
    ErrorCode(
        "UNEXPECTED_ERROR",
        _CLIENT_ERRORS | {500},
        "UNEXPECTED_ERROR",
        None,
        "unknown",
        "NetSuite failed on its own side and does not say how far it came.",
        "Nothing: it is looked up and, if absent, sent again. If it stays, tell NetSuite's support the id.",
    ),
    ErrorCode(
        "IDEMPOTENCY_ERROR",
        frozenset({400, 409}),
        "IDEMPOTENCY_ERROR",
        None,
        "unknown",
        "NetSuite has seen this request before and may still be working on it.",
        "Nothing: it is looked up.",
    ),
    ErrorCode(
        "RECORD_CHANGED",
        _BAD_REQUEST,
        None,
        "record has been changed",
        "retry",
        "Somebody changed a record that this document touches while it was being saved.",
        "Nothing: it is sent again.",
    ),
    ErrorCode(
        "VALUE_MISSING",
        _BAD_REQUEST,
        None,
        "please enter value",
        "refused",
        "The account demands a field that the request does not carry.",
        "Add the field to the mapping or make it optional in NetSuite, then `billing requeue`.",
    ),
    ErrorCode(
        "PERIOD_CLOSED",
        _BAD_REQUEST,
        None,
        "posting period",
        "refused",
        "No open posting period for the document's date.",
        "Open the period in NetSuite, or correct the date in the billing system, then `billing requeue`.",
    ),
    ErrorCode(
        "PERIOD_CLOSED",
        _BAD_REQUEST,
        None,
        "transaction date does not fall",
        "refused",
        "The document's date lies outside its posting period.",
        "Open the period in NetSuite, or correct the date in the billing system, then `billing requeue`.",
    ),
    ErrorCode(
        "WORKFLOW_LOCK",
        _BAD_REQUEST,
        None,
        "locked by a user defined workflow",
        "refused",
        "A workflow in the account locks a record that this document touches.",
        "Release the record in NetSuite or change the workflow, then `billing requeue`.",
    ),
    ErrorCode(
        "NEGATIVE_TOTAL",
        _BAD_REQUEST,
        None,
        "total can not be negative",
        "refused",
        "The document's total is below zero.",
        "Correct the document in the billing system; a credit belongs on a credit memo.",
    ),
    ErrorCode(
        "INVALID_CONTENT",
        _REFUSALS,
        "INVALID_CONTENT",
        None,
        "refused",
        "NetSuite does not know a value or a property; the path names it.",
        "Correct the mapping, or create the customer, item or field in NetSuite, then `billing requeue`.",
    ),
    ErrorCode(
        "NONEXISTENT_ID",
        frozenset({400, 404}),
        "NONEXISTENT_ID",
        None,
        "refused",
        "A record that the document refers to does not exist.",
        "Create it in NetSuite or correct the mapping, then `billing requeue`.",
    ),
    ErrorCode(
        "INSUFFICIENT_PERMISSION",
        frozenset({400, 403}),
        "INSUFFICIENT_PERMISSION",
        None,
        "forbidden",
        "The integration's role lacks a permission; the run stops.",
        "Give the role the permission (Setup > Users/Roles), then materialize the batch again.",
    ),
    ErrorCode(
        "INVALID_LOGIN",
        frozenset({400, 401}),
        "INVALID_LOGIN",
        None,
        "unauthorized",
        "The login was refused: wrong or expired credentials, or too many parallel calls.",
        "Run `billing doctor`; see Setup > Users/Roles > Login Audit Trail in NetSuite.",
    ),
    ErrorCode(
        "OTHER_REFUSAL",
        _REFUSALS,
        None,
        None,
        "refused",
        "NetSuite refused in words that this table does not know; custom scripts speak here, too.",
        "Read the text; fix the cause in NetSuite, mapping or billing system, then `billing requeue`.",
    ),
)
