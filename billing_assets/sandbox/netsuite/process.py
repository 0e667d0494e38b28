"""The NetSuite sandbox as a process of its own, for other code and tests."""

from collections.abc import Mapping
from pathlib import Path

from billing_assets.sandbox.kit import process
from billing_assets.sandbox.kit.errors import SandboxError
from billing_assets.sandbox.kit.process import Kind, Running
from billing_assets.sandbox.netsuite.credentials import Credentials, make_credentials

__all__ = ["NETSUITE", "RunningSandbox", "SandboxError", "running_sandbox", "start_sandbox"]

NETSUITE = Kind("NetSuite", "billing_assets.sandbox.netsuite", make_credentials)
RunningSandbox = Running[Credentials]


def start_sandbox(
    folder: Path,
    *,
    port: int = 0,
    switches: Mapping[str, object] | None = None,
    references: Mapping[str, object] | None = None,
) -> RunningSandbox:
    """Start one on loopback with its state and its log (sandbox.log) in `folder`, and wait until it answers.

    Port 0 takes a free one. `references` are what the account knows: `POST /sandbox/references`. Raises SandboxError.
    """
    return process.start(NETSUITE, folder, port=port, switches=switches, references=references)


def running_sandbox(folder: Path) -> RunningSandbox | None:
    """The one that serves this folder now; None where none answers."""
    return process.attach(NETSUITE, folder)
