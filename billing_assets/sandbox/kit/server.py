"""The HTTP server of a sandbox: one per folder, on one socket, able to cut a connection."""

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from filelock import FileLock
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from billing_assets.sandbox.kit.home import ADDRESS_FILE, LOCK_FILE
from billing_assets.sandbox.kit.lost_answers import ABORT

_log = logging.getLogger(__name__)


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also lets a handler cut its connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort}  # type: ignore[dict-item]


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Cut what is still being worked on: a caller that is owed an answer sees a reset, as at a real outage."""
        await asyncio.sleep(0.05)  # what is nearly done may finish
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()
        await super().shutdown(sockets)


def serve(folder: Path, host: str, port: int, open_app: Callable[[], Starlette]) -> None:
    """Run until SIGTERM or SIGINT. `open_app` is called once the folder is this process's own.

    Raises OSError if the address is taken or the folder cannot be used, filelock.Timeout if another one serves it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # two servers on one folder would each believe their own idea of what it holds
    with FileLock(folder / LOCK_FILE, timeout=2), socket.create_server((host, port), backlog=1024) as listener:
        app = open_app()
        bound_port = listener.getsockname()[1]
        address = f"http://{f'[{host}]' if ':' in host else host}:{bound_port}"

        def announce() -> None:
            _write_atomically(folder / ADDRESS_FILE, {"base_url": address, "pid": os.getpid()})
            _log.info("listening on %s", address)

        config = uvicorn.Config(
            app,
            http=_Protocol,
            loop="auto",
            access_log=False,
            log_config=None,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=1,
            proxy_headers=False,
        )
        _Server(config, announce).run(sockets=[listener])


def _write_atomically(file: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file so that a reader sees the old or the new one, never a part."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(file)
