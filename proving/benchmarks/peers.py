"""Documents per second against two other ways to post the same documents into the same sandbox.

Every answer takes 300 ms here, without a spread, so that both sides get the same. Peers do not read back, keep no log
and lose nothing only as long as nothing breaks.
"""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import requests
from netsuite import Config, TokenAuth
from netsuite.rest_api import NetSuiteRestApi
from requests_oauthlib import OAuth1

from billing_assets.sandbox.netsuite.credentials import Credentials
from proving.benchmarks.backlog import backlog, post, warm
from proving.benchmarks.measure import Mark, Measure, Place, Play, Round
from proving.benchmarks.sandbox import Sandbox, sandbox
from proving.benchmarks.world import MONTH, alone, source

_ROUNDS = 2
Bodies = Sequence[tuple[str, bytes]]


class _Api(NetSuiteRestApi):  # type: ignore[misc]
    """The package's client at another address."""

    def __init__(self, base_url: str, config: Config, lanes: int) -> None:
        super().__init__(config, concurrent_requests=lanes)
        self._base_url = base_url

    def _make_url(self, subpath: str) -> str:
        return f"{self._base_url}/services/rest{subpath}"


def with_the_package(base_url: str, credentials: Credentials, bodies: Bodies, lanes: int) -> float:
    """Seconds of the package `netsuite`, with as many requests at once as there are lanes."""
    keys = TokenAuth(
        consumer_key=credentials.consumer_key,
        consumer_secret=credentials.consumer_secret,
        token_id=credentials.token_id,
        token_secret=credentials.token_secret,
    )

    async def work() -> float:
        api = _Api(base_url, Config(account=credentials.account, auth=keys), lanes)
        contents: list[tuple[str, Any]] = [(kind, json.loads(body)) for kind, body in bodies]
        began = time.monotonic()
        await asyncio.gather(*(api.post(f"/record/v1/{kind}", json=content) for kind, content in contents))
        return time.monotonic() - began

    return asyncio.run(work())


def one_by_one(base_url: str, credentials: Credentials, bodies: Bodies, lanes: int) -> float:
    """Seconds of a loop that posts one document after the other, as generic connectors do (the Singer target
    `netsuite-v2`, say): `requests.post` with a signature by OAuth 1. More lanes do not help it."""
    own = credentials
    keys = (own.consumer_key, own.consumer_secret, own.token_id, own.token_secret)
    realm = own.account.upper()
    began = time.monotonic()
    for kind, body in bodies:
        url = f"{base_url}/services/rest/record/v1/{kind}"
        login = OAuth1(*keys, realm=realm, signature_method="HMAC-SHA256")
        headers = {"Content-Type": "application/json"}
        requests.post(url, data=body, headers=headers, auth=login, timeout=60).raise_for_status()
    return time.monotonic() - began


def ours(keys: Sequence[str]) -> float:
    """Seconds of one run of ours over the same documents, locked, logged and read back."""
    warm()
    began = time.monotonic()
    for key in keys:
        post(key)
    return time.monotonic() - began


def _play(lanes: int, documents: int, one_by_ones: int) -> Play:
    """Ours, the package and the loop by turns, in milliseconds per document; the slow loop on fewer documents."""

    def play(here: Place, small: bool) -> Iterator[Round]:
        milliseconds, rounds, count, few = (10, 1, 20, 20) if small else (300, _ROUNDS, documents, one_by_ones)
        switches = {"latency_median_ms": milliseconds, "latency_sigma": 0, "concurrency_limit": lanes}
        settings = {"netsuite.lanes": str(lanes), "batches.at_once_below": "1000"}
        folder = here.folder / f"netsuite-peers-{lanes}"
        with sandbox(folder, **switches) as netsuite, source(here, MONTH, count) as billing:
            for _ in range(rounds):
                with backlog(here, billing, netsuite, settings) as waiting:
                    bodies = waiting.bodies()
                    mine = 1000 * alone(ours, waiting.keys).value / waiting.documents
                    waiting.check(netsuite)
                    package = _peer(with_the_package, netsuite, bodies, lanes)
                    loop = _peer(one_by_one, netsuite, bodies[:few], lanes)
                yield Round(mine, package, waiting.documents, measure=f"package_{lanes}")
                yield Round(mine, loop, waiting.documents, measure=f"loop_{lanes}")

    return play


def _peer(peer: Callable[..., float], netsuite: Sandbox, bodies: Bodies, lanes: int) -> float:
    netsuite.reset()
    seconds: float = alone(peer, netsuite.base_url, netsuite.running.credentials, bodies, lanes).value
    if netsuite.created() != len(bodies):
        raise RuntimeError(f"the peer created {netsuite.created()} of {len(bodies)} documents")
    return 1000 * seconds / len(bodies)


_PLAYS = {1: _play(1, 150, 150), 5: _play(5, 500, 100), 15: _play(15, 1000, 100)}
MEASURES = [
    Measure(
        f"{name}_{lanes}",
        f"wall time per posted document, {lanes} {'lane' if lanes == 1 else 'lanes'}, 300 ms",
        against,
        "ms",
        Mark(faster=1),
        2.5,
        play,
    )
    for lanes, play in _PLAYS.items()
    for name, against in [
        ("package", "package `netsuite` 0.12.0, as many at once"),
        ("loop", "a loop that posts one by one, as generic connectors do"),
    ]
]
