"""What is asked of a server: counted, and throttled above so many requests at once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from billing_assets.sandbox.kit.lost_answers import DroppedConnection


@dataclass
class Traffic:
    """What was asked of the server since it started, or since its last reset."""

    in_flight: int = 0
    most_in_flight: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)

    def shown(self) -> dict[str, Any]:
        """As the control API answers it."""
        return {
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
            "statuses": dict(sorted(self.statuses.items())),
            "operations": dict(sorted(self.operations.items())),
        }

    def reset(self) -> None:
        """Count from now on; what is in flight stays so."""
        self.statuses.clear()
        self.operations.clear()
        self.most_in_flight = self.in_flight


def counted(
    traffic: Traffic,
    name: str,
    limit: Callable[[], float],
    answer: Callable[[Request, bool], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that counts its requests under `name` and tells `answer` whether each is within the limit.

    One beyond the limit is not in flight: `answer` refuses it, or lets it wait, as the system would.
    """

    async def endpoint(request: Request) -> Response:
        traffic.operations[f"{request.method} {name}"] += 1
        admitted = traffic.in_flight < limit()
        traffic.in_flight += admitted
        traffic.most_in_flight = max(traffic.most_in_flight, traffic.in_flight)
        try:
            response = await answer(request, admitted)
        except asyncio.CancelledError:
            response = DroppedConnection()  # only the server's own end cancels a request
        finally:
            traffic.in_flight -= admitted
        traffic.statuses["dropped" if isinstance(response, DroppedConnection) else str(response.status_code)] += 1
        return response

    return endpoint
