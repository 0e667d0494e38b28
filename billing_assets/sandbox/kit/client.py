"""The control API of a running sandbox, from outside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from billing_assets.sandbox.kit.errors import SandboxError

_TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class Control:
    """Every call raises SandboxError, with the sandbox's own words, when it is refused."""

    base_url: str

    def get(self, name: str, **parameters: Any) -> Any:
        """What `GET /sandbox/NAME` answers."""
        return self._call("GET", name, params=parameters)

    def post(self, name: str, body: object = None) -> Any:
        """What `POST /sandbox/NAME` answers; None where it says nothing."""
        return self._call("POST", name, json=body)

    def switch(self, **values: object) -> Mapping[str, Any]:
        """Turn these switches; gives all of them."""
        found: Mapping[str, Any] = self._call("PUT", "switches", json=values)
        return found

    def reset(self) -> None:
        """Forget what was sent to it, and the counters."""
        self.post("reset")

    def _call(self, method: str, name: str, **content: Any) -> Any:
        url = f"{self.base_url}/sandbox/{name}"
        answer = requests.request(method, url, timeout=_TIMEOUT_SECONDS, **content)
        if not answer.ok:
            raise SandboxError(f"The sandbox refused {method} {name}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None
