"""Asynchronous requests: a job of tasks, one task per record, worked on by few processors, one record after another.

Jobs survive a restart: a task's result is committed together with its record, and what was not done goes on.
"""

import asyncio
import json
import logging
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from billing_assets.sandbox.netsuite import bodies, errors, records
from billing_assets.sandbox.netsuite.authentication import base_url
from billing_assets.sandbox.netsuite.context import Sandbox
from billing_assets.sandbox.netsuite.faults import before_saving

_MOST_RECORDS = 100
_log = logging.getLogger(__name__)
_PATH = "/services/rest/async/v1/job"


async def submit(sandbox: Sandbox, request: Request, record_type: str) -> Response:
    """POST with Prefer: respond-async: 202 and the job's Location. Raises NetSuiteError."""
    content = bodies.load(await request.body())
    entries = [content]
    if "type=collection" in request.headers.get("content-type", "").replace(" ", "").lower():
        entries = bodies.sublist({"collection": content}, "collection")
        if not 1 <= len(entries) <= _MOST_RECORDS:
            raise errors.invalid_content(f"A collection must hold 1 to {_MOST_RECORDS} records.", "items")
    answer = await before_saving(sandbox.switches.strike("batch", record_type, None), sandbox.switches)
    if answer is not None:
        return answer
    key = request.headers.get("x-netsuite-idempotency-key")
    first = sandbox.store.connection.execute("SELECT id FROM job WHERE idempotency_key = ?", (key,)).fetchone()
    if first is not None:
        error = errors.NetSuiteError(
            sandbox.switches.idempotency_status,
            "IDEMPOTENCY_ERROR",
            "A request with this idempotency key has been accepted already.",
        )
        headers = {"Location": _location(sandbox, request, first[0])}
        return JSONResponse(error.envelope(), status_code=error.status, headers=headers)
    job = sandbox.store.write(
        "INSERT INTO job (idempotency_key, record_type, validation, base_url) VALUES (?, ?, ?, ?)",
        (key, record_type, records.validation_mode(request), base_url(request)),
    ).lastrowid
    tasks = [(job, json.dumps(entry, default=_exact)) for entry in entries]
    sandbox.store.write("INSERT INTO task (job, body) VALUES (?, ?)", *tasks)
    await sandbox.store.committed()
    sandbox.jobs_waiting.put_nowait(int(job or 0))
    return Response(status_code=202, headers={"Location": _location(sandbox, request, int(job or 0))})


async def run_pending(sandbox: Sandbox) -> None:
    """Work on jobs for as long as the server runs, beginning with those that a former process left."""
    left = sandbox.store.connection.execute("SELECT DISTINCT job FROM task WHERE status IS NULL ORDER BY job")
    for (job,) in left.fetchall():
        sandbox.jobs_waiting.put_nowait(job)
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            job = await sandbox.jobs_waiting.get()
            while len(running) >= sandbox.switches.async_processors:
                _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(_run(sandbox, job))
            task.add_done_callback(_report)
            running.add(task)
    finally:
        for task in running:
            task.cancel()


async def show_job(sandbox: Sandbox, request: Request) -> Response:
    """GET /async/v1/job/N."""
    job, tasks = _job(sandbox, request)
    done = sum(status is not None for _, status in tasks)
    url = f"{base_url(request)}{_PATH}/{job}"
    progress = "succeeded" if done == len(tasks) else "processing" if done else "pending"
    return JSONResponse(
        {
            "links": [{"rel": "self", "href": url}],
            "id": str(job),
            "completed": done == len(tasks),
            "progress": progress,
            "task": {"links": [{"rel": "self", "href": f"{url}/task"}]},
        }
    )


async def show_tasks(sandbox: Sandbox, request: Request) -> Response:
    """GET /async/v1/job/N/task: links to the tasks, all in one item or one item each."""
    job, tasks = _job(sandbox, request)
    url = f"{base_url(request)}{_PATH}/{job}/task"
    links = [{"rel": "self", "href": f"{url}/{task}"} for task, _ in tasks]
    one = sandbox.switches.task_links == "one_item"
    items = [{"links": links}] if one else [{"links": [link]} for link in links]
    return JSONResponse(
        {
            "links": [{"rel": "self", "href": url}],
            "count": len(items),
            "hasMore": False,
            "items": items,
            "offset": 0,
            "totalResults": len(items),
        }
    )


async def show_task(sandbox: Sandbox, request: Request) -> Response:
    """GET /async/v1/job/N/task/n."""
    job, task, status, _, _ = _task(sandbox, request)
    url = f"{base_url(request)}{_PATH}/{job}/task/{task}"
    progress = "pending" if status is None else "succeeded" if status < 300 else "failed"
    return JSONResponse(
        {
            "links": [{"rel": "self", "href": url}],
            "id": str(task),
            "completed": status is not None,
            "progress": progress,
            "result": {"links": [{"rel": "self", "href": f"{url}/result"}]},
        }
    )


async def show_result(sandbox: Sandbox, request: Request) -> Response:
    """GET /async/v1/job/N/task/n/result: what a synchronous request would have been answered."""
    _, _, status, location, result = _task(sandbox, request)
    if status is None:
        raise errors.not_found()  # not done yet [guess]
    if location is not None:
        return Response(status_code=status, headers={"Location": location})
    return Response(result, status_code=status, media_type="application/vnd.oracle.resource+json; type=error")


async def _run(sandbox: Sandbox, job: int) -> None:
    execute = sandbox.store.connection.execute
    row = execute("SELECT record_type, validation, base_url FROM job WHERE id = ?", (job,)).fetchone()
    if row is None:
        return  # forgotten by a reset
    record_type, validation, base = row
    tasks = execute("SELECT id, body FROM task WHERE job = ? AND status IS NULL ORDER BY id", (job,)).fetchall()
    for task, text in tasks:
        await asyncio.sleep(sandbox.switches.latency_seconds())
        if not execute("SELECT 1 FROM task WHERE id = ? AND job = ?", (task, job)).fetchone():
            return
        body = bodies.load(text.encode())
        sandbox.store.count_post(body["externalId"] if isinstance(body.get("externalId"), str) else None)
        status, location, result = 204, None, None
        try:
            parsed = records.save_new(sandbox, record_type, body, validation)
            sandbox.store.count("created")
            location = records.record_url(base, parsed.record)
        except errors.NetSuiteError as error:
            status, result = error.status, json.dumps(error.envelope())
        sandbox.store.write(
            "UPDATE task SET status = ?, location = ?, result = ? WHERE id = ?", (status, location, result, task)
        )
    await sandbox.store.committed()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error("an asynchronous job broke off", exc_info=task.exception())


def _job(sandbox: Sandbox, request: Request) -> tuple[int, list[tuple[int, int | None]]]:
    job = _number(request.path_params["job"])
    rows = sandbox.store.connection.execute("SELECT id, status FROM task WHERE job = ? ORDER BY id", (job,)).fetchall()
    if not rows:
        raise errors.not_found()
    return job, rows


def _task(sandbox: Sandbox, request: Request) -> tuple[int, int, int | None, str | None, str | None]:
    row: tuple[int, int, int | None, str | None, str | None] | None = sandbox.store.connection.execute(
        "SELECT job, id, status, location, result FROM task WHERE job = ? AND id = ?",
        (_number(request.path_params["job"]), _number(request.path_params["task"])),
    ).fetchone()
    if row is None:
        raise errors.not_found()
    return row


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise errors.not_found()
    return int(text)


def _location(sandbox: Sandbox, request: Request, job: int) -> str:
    base = base_url(request) if sandbox.switches.job_location == "absolute" else ""
    return f"{base}{_PATH}/{job}"


def _exact(value: Any) -> str:
    """A Decimal as text: a body's numbers may be given as strings, so nothing is lost."""
    return str(value)
