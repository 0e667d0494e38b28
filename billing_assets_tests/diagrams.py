"""The diagrams of the documentation, drawn from the code: areas and rooms by their imports, sinks, states of usage."""

import ast
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path

import billing_assets
from billing_assets.areas import ALWAYS, AREAS
from billing_assets.file_exchange.outbox import Outbox
from billing_assets.file_exchange.sink import FolderSink
from billing_assets.metering.usage.states import AT_REST, TRANSITIONS, State
from billing_assets.posting.ledger import Backlog, Ledger

PACKAGE = Path(billing_assets.__file__).parent
SHARED = ("foundation", "decisions", "work_queue", "posting", "file_exchange")
"""What stands below all areas."""

Edges = Mapping[str, set[str]]
PartOf = Callable[[list[str]], str | None]
"""The part that a module (its name's parts below the package) belongs to; None where to none that is drawn."""


def areas() -> str:
    """Areas with their rooms; an arrow leads from what is used to what uses it, also by way of others."""
    rooms = {area: names for area, names in (AREAS | ALWAYS).items() if names}
    tops = [*SHARED, *rooms]
    uses = _uses(lambda parts: parts[0] if parts[0] in tops else None)
    lines = ["flowchart BT"]
    for area, names in rooms.items():
        lines += [f"    subgraph {area}", "        direction LR"]
        lines += [f"        {name}" for name in names]
        lines += [f"        {used} --> {user}" for user, used in _arrows(_uses(_room_of(area, names)), names)]
        lines.append("    end")
    lines += [f"    {used} --> {user}" for user, used in _arrows(uses, tops)]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def sinks() -> str:
    """The posting core, its sinks and the tables that each lends it; of what waits, by what its batches are apart."""
    lines = ["flowchart LR", "    core[[posting core]]"]
    groups = {backlog.ledger.items: backlog.group for backlog in _backlogs()}
    for number, (sink, system, ledger) in enumerate(_sinks()):
        names = (ledger.items, ledger.batches, ledger.attempts, ledger.outcomes)
        tables = "<br>".join(name.removeprefix("billing.") for name in names)
        lines.append(f'    tables{number}[("{tables}")] <--> core')
        if group := groups.get(ledger.items):
            lines.append(f"    tables{number} -- ready, planned by {group} --> core")
        lines.append(f"    core <--> sink{number}[{sink}] <--> system{number}(({system}))")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def usage() -> str:
    """The moves of usage and charges. States that may all follow one another are one box, to keep it readable."""
    if not all(AT_REST - {state} <= TRANSITIONS[state] for state in AT_REST):
        raise ValueError(
            "The states that each message decides again no longer all follow one another: draw them apart."
        )
    lines = ["stateDiagram-v2", '    state "settled again with each message" as settled {']
    lines += [f"        {state}" for state in State if state in AT_REST]
    lines += ["    }", "    [*] --> accepted: taken in"]
    for state in State:
        targets = [target for target in State if target in TRANSITIONS[state]]
        if state not in AT_REST and set(targets) >= AT_REST:
            lines.append(f"    {state} --> settled")
        lines += [f"    {state} --> {target}" for target in targets if target not in AT_REST]
        if not targets:
            lines.append(f"    {state} --> [*]")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def _sinks() -> Iterator[tuple[str, str, Ledger]]:
    """Every sink in the code: its class, its system's name, and the ledger that its room has at hand; and for each room
    with an outbox the one that all of these share."""
    for path in sorted(PACKAGE.glob("*/*/sink.py")):
        module = import_module(".".join(("billing_assets", *path.relative_to(PACKAGE).with_suffix("").parts)))
        (name,) = (one for one in vars(module) if one.endswith("Sink") and one != "Sink")
        ledgers = {id(found): found for found in _reachable(module.__name__) if isinstance(found, Ledger)}
        (ledger,) = ledgers.values()
        yield name, getattr(module, name).system, ledger
    for path in sorted(PACKAGE.glob("*/*/store.py")):
        module = import_module(".".join(("billing_assets", *path.relative_to(PACKAGE).with_suffix("").parts)))
        for outbox in (one for one in vars(module).values() if isinstance(one, Outbox)):
            yield FolderSink.__name__, FolderSink.system, outbox.ledger


def _backlogs() -> Iterator[Backlog]:
    """Every backlog that the core plans, where its room names it."""
    for path in sorted(PACKAGE.glob("*/*/ledger.py")):
        module = import_module(".".join(("billing_assets", *path.relative_to(PACKAGE).with_suffix("").parts)))
        yield from (one for one in vars(module).values() if isinstance(one, Backlog))


def _reachable(module: str) -> Iterator[object]:
    """What the modules of a sink's room have at hand: their own, and what they import of other rooms."""
    room = Path(*module.split(".")[1:-1])
    for path in sorted((PACKAGE / room).glob("*.py")):
        yield from vars(import_module(f"billing_assets.{'.'.join(room.parts)}.{path.stem}")).values()


def _room_of(area: str, names: Collection[str]) -> PartOf:
    return lambda parts: parts[1] if parts[0] == area and len(parts) > 1 and parts[1] in names else None


def _uses(part_of: PartOf) -> Edges:
    """Which part imports which, by the files' imports."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        user = part_of(list(path.relative_to(PACKAGE).with_suffix("").parts))
        if user is None:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("billing_assets."):
                for name in node.names:
                    used = part_of([*node.module.split(".")[1:], name.name])
                    if used and used != user:
                        found[user].add(used)
    return found


def _arrows(uses: Edges, order: Iterable[str]) -> Iterator[tuple[str, str]]:
    """User and used, without what follows from the others."""
    for user in order:
        direct = uses.get(user, set())
        further = {one for used in direct for one in _all(uses, used)}
        yield from ((user, used) for used in order if used in direct - further)


def _all(uses: Edges, part: str) -> set[str]:
    found: set[str] = set()
    waiting = [part]
    while waiting:
        new = uses.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found
