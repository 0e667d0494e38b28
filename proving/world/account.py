"""A plain caller of the sandbox for its own tests: requests and a JWT, nothing of the product's client."""

import time
from dataclasses import dataclass
from typing import Any

import jwt
import requests

from billing_assets.sandbox.kit.client import Control
from billing_assets.sandbox.netsuite.credentials import Credentials
from billing_assets.sandbox.netsuite.switches import Switches

REST = "/services/rest"
TOKEN_PATH = f"{REST}/auth/oauth2/v1/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REFERENCES = {
    "customer": [
        {"id": "17850", "externalId": "CUST-17850", "name": "Rose Hall"},
        {"id": "13047", "externalId": "CUST-13047", "name": "Other", "currency": "4"},
    ],
    "item": [{"id": str(n), "externalId": f"ITEM-{n}", "name": f"Item {n}"} for n in range(1, 31)],
    "subsidiary": [{"id": "1", "name": "United Kingdom"}],
    "department": [{"id": "3", "name": "Wholesale"}],
    "class": [{"id": "5", "name": "Gifts"}],
    "location": [{"id": "7", "name": "London"}],
    "term": [{"id": "2", "name": "Net 30"}],
    "taxCode": [{"id": "8", "name": "Standard"}],
    "taxType": [{"id": "9", "name": "VAT"}],
    "customField": [{"id": "custbody_batch"}, {"id": "custcol_meter"}],
}


@dataclass
class Account:
    """One logged-in caller. Every call gives the raw response."""

    base_url: str
    credentials: Credentials
    session: requests.Session

    @property
    def control(self) -> Control:
        return Control(self.base_url)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.session.post(f"{self.base_url}{REST}{path}", json=body, timeout=30, **options)

    def create(self, body: dict[str, Any], record_type: str = "invoice", **headers: str) -> requests.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.post(f"/record/v1/{record_type}", body, headers=named)

    def created(self, body: dict[str, Any], record_type: str = "invoice") -> str:
        """Create and give the internal id."""
        answer = self.create(body, record_type)
        assert answer.status_code == 204, answer.text
        return answer.headers["Location"].rsplit("/", 1)[1]

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(f"{self.base_url}{REST}{path}", timeout=30, **options)

    def show(self, record: str) -> dict[str, Any]:
        answer = self.get(f"/record/v1/{record}", params={"expandSubResources": "true"})
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def query(self, q: str, *params: object, **window: int) -> requests.Response:
        body = {"q": q, "params": list(params)} if params else {"q": q}
        return self.post("/query/v1/suiteql", body, params=window, headers={"Prefer": "transient"})

    def rows(self, q: str, *params: object, **window: int) -> list[dict[str, Any]]:
        answer = self.query(q, *params, **window)
        assert answer.status_code == 200, answer.text
        return [{k: v for k, v in item.items() if k != "links"} for item in answer.json()["items"]]

    def admin(self, name: str, **params: Any) -> Any:
        return self.control.get(name, **params)

    def records(self) -> list[dict[str, Any]]:
        """Everything that the sandbox holds."""
        found: list[dict[str, Any]] = []
        while page := self.admin("records", limit=1000, offset=len(found))["items"]:
            found += page
        return found

    def void(self, record_type: str, reference: str) -> requests.Response:
        """What a user does with the button Void; `reference` is an internal id or `eid:EXT`."""
        body = {"type": record_type, "id": reference}
        return requests.post(f"{self.base_url}/sandbox/void", json=body, timeout=30)

    def switch(self, **values: Any) -> None:
        self.control.switch(**values)

    def seed(self, references: dict[str, Any]) -> requests.Response:
        return requests.post(f"{self.base_url}/sandbox/references", json=references, timeout=30)

    def fresh(self) -> None:
        """Nothing held, all switches at their defaults."""
        self.control.reset()
        self.switch(**Switches().model_dump())


def assertion(credentials: Credentials, audience: str, algorithm: str = "ES256", **changes: Any) -> str:
    """A client assertion; `changes` replace claims, `kid` replaces the header's."""
    now = int(time.time())
    kid = changes.pop("kid", credentials.certificate_id)
    key = changes.pop("key", credentials.private_key_file.read_text(encoding="utf-8"))
    claims = {
        "iss": credentials.client_id,
        "scope": ["rest_webservices"],
        "aud": audience,
        "iat": now,
        "exp": now + 600,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers={"kid": kid})


def request_token(base_url: str, text: str) -> requests.Response:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
    return requests.post(base_url + TOKEN_PATH, data=form, timeout=30)


def log_in(base_url: str, credentials: Credentials) -> Account:
    answer = request_token(base_url, assertion(credentials, base_url + TOKEN_PATH))
    assert answer.status_code == 200, answer.text
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return Account(base_url, credentials, session)


def invoice(external_id: str | None = "INV-1", **changes: Any) -> dict[str, Any]:
    """A good body of two lines, 20.40 in total; `changes` replace header fields, None removes one."""
    body = {
        "externalId": external_id,
        "entity": {"externalId": "CUST-17850"},
        "subsidiary": {"id": "1"},
        "tranDate": "2010-11-05",
        "currency": {"externalId": "GBP"},
        "item": {
            "items": [
                {"item": {"externalId": "ITEM-1"}, "quantity": 6, "rate": 2.55},
                {"item": {"id": "2"}, "quantity": 2, "rate": 2.55, "description": "lantern"},
            ]
        },
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def lines(*amounts: float | str) -> dict[str, Any]:
    """A sublist of lines with these amounts."""
    return {"items": [{"item": {"id": "1"}, "amount": amount} for amount in amounts]}


def error(answer: requests.Response) -> tuple[int, str, str, str | None]:
    """Status, code, detail and path of a refusal."""
    body = answer.json()
    assert body["status"] == answer.status_code
    (entry,) = body["o:errorDetails"]
    return answer.status_code, entry["o:errorCode"], entry["detail"], entry.get("o:errorPath")
