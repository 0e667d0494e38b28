"""Requests side by side: worker threads that do HTTP and nothing else. The database stays with the calling thread."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Generic, Protocol

from billing_assets.posting.answers import Answer, NotSent
from billing_assets.posting.attempts import AnItem

_LOOK_AT_STOP_SECONDS = 0.25
_LOOK_AT_LEASE_SECONDS = 0.1


class Validity(Protocol):
    """Until when (time.monotonic) requests may leave: the lease of the batch."""

    valid_until: float


class Permits(Protocol):
    """What a worker needs of the lanes: one permit around every request."""

    def acquire(self, timeout: float) -> bool: ...
    def release(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Request(Generic[AnItem]):
    """One request: the item, its attempt, and the exact body. `tries` counts earlier sendings of it."""

    item: AnItem
    attempt: int
    body: bytes
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Answered(Generic[AnItem]):
    """A request and what became of it, after `seconds` on the wire."""

    request: Request[AnItem]
    answer: Answer
    seconds: float


@dataclass
class Dispatch(Generic[AnItem]):
    """The two queues between the calling thread and the workers; a None among the requests ends one worker."""

    requests: SimpleQueue[Request[AnItem] | None] = field(default_factory=SimpleQueue)
    answers: SimpleQueue[Answered[AnItem]] = field(default_factory=SimpleQueue)
    in_flight: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    failures: list[Exception] = field(default_factory=list)

    def submit(self, request: Request[AnItem]) -> None:
        """Queues a request for the next free worker."""
        self.in_flight += 1
        self.requests.put(request)

    def collect(self, timeout: float) -> list[Answered[AnItem]]:
        """All answers that are there, waiting up to `timeout` seconds for the first. Raises what broke a worker."""
        if self.failures:
            raise self.failures[0]
        found = []
        try:
            found.append(self.answers.get(timeout=timeout))
            while True:
                found.append(self.answers.get_nowait())
        except Empty:
            self.in_flight -= len(found)
            return found

    def recall(self) -> list[Request[AnItem]]:
        """Takes back every request that no worker has begun."""
        recalled = []
        try:
            while True:
                if request := self.requests.get_nowait():
                    recalled.append(request)
        except Empty:
            self.in_flight -= len(recalled)
            return recalled


Send = Callable[[Request[AnItem]], Answer]
"""Sends one request and says what became of it; called from several threads at once."""


@contextmanager
def dispatching(send: Send[AnItem], permits: Permits, workers: int, lease: Validity) -> Iterator[Dispatch[AnItem]]:
    """Runs `workers` threads until the block ends. Requests that no worker began by then are not sent.

    While the lease is not renewed nothing is sent: another run may have taken over, which the renewal will tell.
    """
    dispatch: Dispatch[AnItem] = Dispatch()
    threads = [
        threading.Thread(target=_work, args=(dispatch, send, permits, lease), name=f"lane-{index}", daemon=True)
        for index in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield dispatch
    finally:
        dispatch.stopping.set()
        for _ in threads:  # they would sleep at the queue while the batch's lanes stand idle
            dispatch.requests.put(None)
        for thread in threads:
            thread.join(timeout=2 * _LOOK_AT_STOP_SECONDS)


def _work(dispatch: Dispatch[AnItem], send: Send[AnItem], permits: Permits, lease: Validity) -> None:
    try:
        _send_until_stopped(dispatch, send, permits, lease)
    except Exception as error:  # noqa: BLE001  whatever it is, the calling thread must not wait for this worker
        dispatch.failures.append(error)


def _send_until_stopped(dispatch: Dispatch[AnItem], send: Send[AnItem], permits: Permits, lease: Validity) -> None:
    while not dispatch.stopping.is_set() and (request := dispatch.requests.get()):
        answer: Answer | None = None
        while answer is None:
            if dispatch.stopping.is_set():
                answer, began = NotSent("the run stopped before the request was sent"), time.monotonic()
            elif permits.acquire(_LOOK_AT_STOP_SECONDS):
                try:
                    began = time.monotonic()
                    if began < lease.valid_until:
                        answer = send(request)
                finally:
                    permits.release()
                if answer is None:
                    time.sleep(_LOOK_AT_LEASE_SECONDS)
        dispatch.answers.put(Answered(request, answer, time.monotonic() - began))
