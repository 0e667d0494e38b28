"""The smallest sandbox that the kit allows: it keeps notes. One record type, one switch of its own, one fault."""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from billing_assets.sandbox.kit import command, control
from billing_assets.sandbox.kit.credentials import made_once
from billing_assets.sandbox.kit.database import Database
from billing_assets.sandbox.kit.faults import FaultRule, strike
from billing_assets.sandbox.kit.lost_answers import DroppedConnection
from billing_assets.sandbox.kit.process import Kind
from billing_assets.sandbox.kit.switches import LatencySwitches
from billing_assets.sandbox.kit.traffic import counted

_SCHEMA = "CREATE TABLE IF NOT EXISTS note (text TEXT)"


class Switches(LatencySwitches):
    """Its own switch is the length of a note."""

    longest_note: int = 20
    faults: list[FaultRule] = Field([])


@dataclass(kw_only=True)
class Notes(control.Sandbox[Switches]):
    """What it holds."""

    database: Database

    def reset(self) -> None:
        """Forget the notes."""
        self.database.forget(["note"])


def open_app(folder: Path, switches: Switches) -> Starlette:
    """One path for its callers, and one call of its own in the control API."""
    notes = Notes(switches=switches, database=Database(folder / "notes.sqlite3", _SCHEMA))

    async def keep(request: Request, admitted: bool) -> Response:
        text = (await request.body()).decode()
        await asyncio.sleep(notes.switches.latency_seconds())
        if not admitted or len(text) > notes.switches.longest_note:
            return Response(status_code=413 if admitted else 503)
        notes.database.write("INSERT INTO note VALUES (?)", (text,))
        await notes.database.committed()
        lost = strike(notes.switches.faults, lambda rule: rule.fault == "lost")
        return DroppedConnection() if lost else Response(status_code=201)

    async def show(notes: Notes, _request: Request) -> Response:
        return JSONResponse([text for (text,) in notes.database.read("SELECT text FROM note ORDER BY rowid")[1]])

    route = Route("/notes", counted(notes.traffic, "keep", lambda: 1, keep), methods=["POST"])
    return Starlette(routes=[route, *control.routes(notes, [("GET", "notes", show)])])


TOY = Kind(
    "toy", "billing_assets_tests.rooms.sandbox.kit.toy", lambda folder: made_once(folder / "password", lambda: b"open")
)

if __name__ == "__main__":
    sys.exit(command.run(TOY.module, Switches, open_app))
