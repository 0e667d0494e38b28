"""The command of a sandbox: `python -m MODULE --folder DIR [--port N] [--host H] [--switch name=value …]`."""

import argparse
import ipaddress
import logging
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from filelock import Timeout
from starlette.applications import Starlette

from billing_assets.sandbox.kit.control import SwitchesT
from billing_assets.sandbox.kit.errors import SwitchError
from billing_assets.sandbox.kit.server import serve
from billing_assets.sandbox.kit.switches import parse_switches


def run(
    module: str,
    switches: type[SwitchesT],
    open_app: Callable[[Path, SwitchesT], Starlette],
    arguments: list[str] | None = None,
) -> int:
    """Serve a sandbox until it is stopped; 1 where it cannot serve. Exits with 2 for a wrong argument."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--folder", type=Path, required=True, help="where its state lives")
    parser.add_argument("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--switch", action="append", default=[], metavar="NAME=VALUE", help="a switch, its value as JSON or plain text"
    )
    options = parser.parse_args(arguments)
    if not _is_loopback(options.host):
        parser.error(f"--host {options.host}: the sandbox serves this machine only; give a loopback address")
    try:
        turned = switches.of(parse_switches(options.switch))
    except SwitchError as error:
        parser.error(f"--switch {error}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # before uvicorn takes the signals, and when it raises them again after it has shut down: an ordinary end
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: sys.exit(0))
    try:
        serve(options.folder, options.host, options.port, partial(open_app, options.folder, turned))
    except Timeout:
        print(f"another sandbox serves {options.folder}: stop it or choose another folder", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"cannot serve {options.host}:{options.port}: {error}", file=sys.stderr)
        return 1
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
