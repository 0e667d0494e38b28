"""NetSuite's error rows as exceptions, and the envelope they are answered in."""

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


@dataclass
class NetSuiteError(Exception):
    """One refusal: HTTP status, `o:errorCode`, detail and, where NetSuite names it, `o:errorPath`."""

    status: int
    code: str
    detail: str
    path: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"

    def envelope(self) -> dict[str, Any]:
        """The JSON body of the answer."""
        entry = {"detail": self.detail, "o:errorCode": self.code}
        if self.path is not None:
            entry["o:errorPath"] = self.path
        return {
            "type": f"https://www.rfc-editor.org/rfc/rfc9110.html#{_SECTION.get(self.status, 'section-15')}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "o:errorDetails": [entry],
        }


_SECTION = {
    400: "section-15.5.1",
    401: "section-15.5.2",
    403: "section-15.5.4",
    404: "section-15.5.5",
    409: "section-15.5.10",
    500: "section-15.6.1",
}
_ACCESSING = "Error while accessing a resource. "


def user_error(detail: str, path: str | None = None) -> NetSuiteError:
    """400 USER_ERROR with NetSuite's usual opening words."""
    return NetSuiteError(400, "USER_ERROR", _ACCESSING + detail, path)


def already_exists() -> NetSuiteError:
    """400: the external id is taken, by any type of transaction, in any case of letters."""
    return user_error("This record already exists.")


def invalid_reference(value: str, field: str, path: str) -> NetSuiteError:
    """400 INVALID_CONTENT: a reference, or another field's value, that the account does not know."""
    detail = f"{_ACCESSING}Invalid Field Value {value} for the following field: {field}"
    return NetSuiteError(400, "INVALID_CONTENT", detail, path)


def invalid_content(detail: str, path: str | None = None) -> NetSuiteError:
    """400 INVALID_CONTENT: the body cannot be read as this record."""
    return NetSuiteError(400, "INVALID_CONTENT", detail, path)


def required(*fields: str) -> NetSuiteError:
    """400: mandatory fields are missing."""
    return user_error(f"Please enter value(s) for: {', '.join(fields)}")


def linked() -> NetSuiteError:
    """400: what other transactions are applied to can be neither deleted nor voided. The wording is a guess."""
    return user_error("This transaction cannot be deleted or voided because other transactions are applied to it.")


def voided() -> NetSuiteError:
    """400: nothing that touches the ledger can change on a voided transaction. The wording is a guess."""
    return user_error("This transaction has been voided.")


def not_found() -> NetSuiteError:
    """404: no such record."""
    return NetSuiteError(404, "NONEXISTENT_ID", "Record does not exist.")


def no_such_resource() -> NetSuiteError:
    """404: no such path or record type."""
    return NetSuiteError(404, "NOT_FOUND", "The requested resource does not exist.")


def invalid_login() -> NetSuiteError:
    """401: whatever is wrong with the credentials, NetSuite says the same."""
    return NetSuiteError(401, "INVALID_LOGIN", "Invalid login attempt.")


def concurrency_exceeded() -> NetSuiteError:
    """429: more requests in flight than the account may have."""
    return NetSuiteError(429, "CONCURRENCY_LIMIT_EXCEEDED", "Concurrent request limit exceeded. Request blocked.")


def request_limit(status: int) -> NetSuiteError:
    """400 or 429: too many requests, in NetSuite's other wording."""
    return NetSuiteError(status, "SSS_REQUEST_LIMIT_EXCEEDED", "Request limit exceeded.")


def permission() -> NetSuiteError:
    """403: the role may not do this."""
    return NetSuiteError(
        403, "INSUFFICIENT_PERMISSION", "Permission Violation: your role lacks the permission for this action."
    )


def record_changed() -> NetSuiteError:
    """400: somebody else saved the record meanwhile; trying again is right."""
    return user_error("Record has been changed")


def workflow_lock() -> NetSuiteError:
    """400: a workflow locks the record."""
    return user_error("This record has been locked by a user defined workflow.")


def unexpected() -> NetSuiteError:
    """500: says nothing about whether the record was saved."""
    return NetSuiteError(500, "UNEXPECTED_ERROR", f"An unexpected error occurred. Error ID: {secrets.token_hex(8)}")
