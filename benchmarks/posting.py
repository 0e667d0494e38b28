"""Posting through the sandbox: wall time against the limit of latency and lanes, CPU against a bare loop of POSTs."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from benchmarks.world import World, report, stage_once, timed_process, world
from billing_assets.batches.planning import plan
from billing_assets.domain.documents import Kind
from billing_assets.netsuite import store
from billing_assets.netsuite.mapping import RECORD_TYPES

PERIOD = os.environ.get("BENCH_PERIOD", "2010-11")
LATENCY_MS = 100

POST = """
import os
from billing_assets.batches.lease import holding
from billing_assets.netsuite.posting import post_batch
from billing_assets.runtime import Runtime
from billing_assets.settings import load_settings
runtime = Runtime(load_settings())
runtime.mapping, runtime.netsuite
began = time.monotonic()
for key in {keys!r}:
    with runtime.state() as connection, runtime.lanes() as lanes, holding(
        runtime.database_url, connection, key, str(os.getpid()), runtime.settings, retry_rejected=False) as lease:
        post_batch(connection, runtime.netsuite, lanes, runtime.mapping, lease, runtime.settings)
seconds = {clock}
"""


def main() -> None:
    """Prints the ratios."""
    with world(PERIOD, latency_median_ms=LATENCY_MS, latency_sigma=0) as here:
        documents, keys = backlog(here)
        lanes = here.runtime.settings.netsuite.lanes
        runs = here.runtime.settings.batches.parallel_runs
        began = time.monotonic()
        with ThreadPoolExecutor(runs) as pool:
            codes = [POST.format(keys=keys[run::runs], clock="time.monotonic() - began") for run in range(runs)]
            peak = max(megabytes for _, megabytes in pool.map(timed_process, codes))
        wall = time.monotonic() - began
        limit = documents * LATENCY_MS / 1000 / lanes
        what = f"posting {documents:,} documents, {runs} runs"
        report(what, f"{wall:.1f} s", f"latency ÷ lanes {limit:.1f} s", wall / limit, 1.05)
        report("peak memory of a posting run", f"{peak:.0f} MB", "300 MB", peak / 300, 1)
    with world(PERIOD) as here:
        documents, keys = backlog(here)
        bodies = _bodies(here, keys)
        seconds, _ = timed_process(POST.format(keys=keys, clock="time.process_time()"))
        idle, _ = timed_process(POST.format(keys=keys, clock="time.process_time()"))
        ours = (seconds - idle) / documents * 1000
        requests.post(f"{here.sandbox.base_url}/sandbox/reset", timeout=60).raise_for_status()
        bare = _bare_loop(here, bodies) / documents * 1000
        report("our CPU per posted document", f"{ours:.2f} ms", f"bare loop {bare:.2f} ms", ours / bare, 2)


def backlog(here: World) -> tuple[int, list[str]]:
    stage_once(here.runtime)
    with here.runtime.state() as connection:
        keys = plan(connection, here.runtime.settings.batches)
        return sum(len(store.in_batch(connection, key)) for key in keys), keys


def _bodies(here: World, keys: list[str]) -> list[tuple[str, bytes]]:
    mapping = here.runtime.mapping
    with here.runtime.state() as connection:
        return [
            (RECORD_TYPES[Kind(one.document.kind)], mapping.payload(one.document))
            for key in keys
            for one in store.in_batch(connection, key)
        ]


def _bare_loop(here: World, bodies: list[tuple[str, bytes]]) -> float:
    """CPU seconds of the same POSTs by requests, with a token that was fetched before."""
    client = here.runtime.netsuite
    signed = client._auth(requests.Request("GET", client.base_url).prepare())  # the token only
    headers = {"Authorization": signed.headers["Authorization"], "Content-Type": "application/json"}
    session = requests.Session()
    began = time.process_time()
    for record_type, body in bodies:
        url = f"{client.base_url}/services/rest/record/v1/{record_type}"
        assert session.post(url, data=body, headers=headers, timeout=60).status_code == 204
    return time.process_time() - began


if __name__ == "__main__":
    main()
