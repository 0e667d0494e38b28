"""All of the bad input for some time, counted: what `make faults` puts into its table."""

import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.migrations import migrate
from billing_assets.foundation.shipped import shipped
from proving.bad_input import fuzz, rows, wire_inputs
from proving.bad_input.netsuite_inputs import answering
from proving.bad_input.rows import Case
from proving.bad_input.staging_inputs import staging

_AT_ONCE = 200
_SHOWN = 3


class InputRow(NamedTuple):
    """What was tried and what went wrong. `inputs` are documents, answers or bytes, as `what` says."""

    what: str
    inputs: int
    crashes: int
    documents_lost: int
    unknowns_misjudged: int
    seconds: float


class Tried(NamedTuple):
    """What one case gave: how many inputs it was, and what was wrong with it."""

    inputs: int
    faults: list[str]


def run(seconds: float) -> list[InputRow]:
    """Tries bad input for about `seconds`; says on standard error what went wrong, if anything did."""
    share = seconds / (4 + len(fuzz.TARGETS))
    with tempfile.TemporaryDirectory(prefix="billing bad input ") as folder, _quiet():
        home = Path(folder)
        found = [_rows(home, share)]
        with answering(home) as world:
            found += [
                _try("answers to a create", wire_inputs.answers(), share, _one(world.faults_of_create)),
                _try("answers to a look-up", wire_inputs.look_ups, share, _one(world.faults_of_look_up)),
                _try("answers to the login", wire_inputs.tokens, share, _one(world.faults_of_login)),
            ]
        return [*found, *(_fuzzed(share, target) for target in fuzz.TARGETS)]


def _rows(home: Path, seconds: float) -> InputRow:
    server = embedded.start(home, durable=False)
    try:
        for name in ("state", "source"):
            embedded.create_database(server.url(), name)
        migrate(server.url("state"), shipped("sql/state"))
        with staging(server.url("state"), server.url("source")) as world:

            def one(case: Case) -> Tried:
                return Tried(case.documents, world.faults(case))

            return _try("documents of odd rows, each staged twice", rows.cases, seconds, one)
    finally:
        embedded.stop(home, mode="immediate")


def _one(judge: Callable[[Any], list[str]]) -> Callable[[Any], Tried]:
    return lambda sent: Tried(1, judge(sent))


def _try(what: str, inputs: SearchStrategy[Any], seconds: float, attempt: Callable[[Any], Tried]) -> InputRow:
    """Draws inputs until the time is over and counts. Goes on after a fault: a campaign wants all of them."""
    began = time.monotonic()
    tried = crashes = lost = misjudged = 0

    def one(case: Any) -> None:
        nonlocal tried, crashes, lost, misjudged
        if time.monotonic() > began + seconds:
            return
        try:
            count, faults = attempt(case)
        except Exception as error:  # noqa: BLE001  whatever it is, it is what we look for
            count, faults = 1, []
            crashes += 1
            _tell(what, crashes, f"{type(error).__name__}: {error}", case)
        tried += count
        for fault in faults:
            lost += fault.startswith("lost")
            misjudged += not fault.startswith("lost")
            _tell(what, lost + misjudged, fault, case)

    while time.monotonic() < began + seconds:
        # A new seed for each handful, so that no two of them draw the same.
        settled = settings(
            max_examples=_AT_ONCE,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        seed(time.time_ns())(settled(given(inputs)(one)))()
    return InputRow(what, tried, crashes, lost, misjudged, round(time.monotonic() - began, 1))


def _fuzzed(seconds: float, target: str) -> InputRow:
    began = time.monotonic()
    if not fuzz.AVAILABLE:
        return InputRow(
            f"{target}: inputs of the fuzzer (atheris has no wheel for this platform: not run)", 0, 0, 0, 0, 0.0
        )
    inputs, fault = fuzz.run(seconds, target)
    if fault:
        _tell(f"the fuzzer of {target}", 1, fault, "")
    misjudged = int("AssertionError" in fault)
    took = round(time.monotonic() - began, 1)
    return InputRow(
        f"{target}: inputs of the fuzzer, guided by coverage", inputs, int(bool(fault)) - misjudged, 0, misjudged, took
    )


def _tell(what: str, number: int, fault: str, case: object) -> None:
    if number <= _SHOWN:
        print(f"{what}: {fault[-2_000:]}\n    {str(case)[:2_000]}", file=sys.stderr)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the lines that every staging and every odd header leaves."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    urllib3 = logging.getLogger("urllib3")
    level = urllib3.level
    urllib3.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**before)
        urllib3.setLevel(level)
