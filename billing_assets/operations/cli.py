"""The `billing` command: collects the commands of the rooms. A known error is one clear message."""

import signal
import sys
from collections.abc import Collection

import typer

from billing_assets.areas import verbs
from billing_assets.erp.settings import sources
from billing_assets.foundation.database.refusals import REFUSALS, remedy
from billing_assets.foundation.database.urls import without_secrets
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.outside_text import visible
from billing_assets.foundation.settings import SettingsError, load_settings, variable
from billing_assets.operations.daemon_health import DATABASE_LOST
from billing_assets.sandbox.kit.errors import SandboxError


def command_line(areas: Collection[str] | None = None) -> typer.Typer:
    """The commands of these areas (default: of all), after those that are always there: ours, and the offline ones."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Month-end billing from a SQL billing system into NetSuite.",
    )
    always = [*verbs("commands", "register", ()), *verbs("offline_commands", "register")]
    for register in dict.fromkeys([*always, *verbs("commands", "register", areas)]):
        register(app)
    return app


def main() -> None:
    """Entry point: a known error is one message on standard error and exit code 2, never a traceback."""
    # `kill` and a closed terminal end us as Ctrl-C does: whatever we started stops first.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(number, lambda received, _frame: sys.exit(128 + received))
    try:
        command_line(_switched_on())()
    except (BillingError, SandboxError) as error:  # a sandbox imports nothing of ours
        _fail(str(error))
    except REFUSALS as error:
        _fail(f"Our database cannot be used. {error}")
    except DATABASE_LOST as error:
        cause = getattr(error, "orig", None) or error  # SQLAlchemy's own text has the statement in it
        todo = remedy(getattr(cause, "pgcode", None)) or f"Check {variable('database_url')}."
        _fail(f"Our database cannot be used: {str(cause).strip()} {todo}")
    except OSError as error:
        if error.filename is None or isinstance(error, BrokenPipeError):
            raise
        _fail(f"{error.filename}: {error.strerror}.")


def _switched_on() -> tuple[str, ...] | None:
    """The areas whose commands there are; all of them where the settings are wrong: the command itself says how."""
    try:
        return load_settings().areas
    except SettingsError:
        return None


def _fail(message: str) -> None:
    print(f"billing: {visible(_without_secrets(message))}", file=sys.stderr)
    sys.exit(2)


def _without_secrets(message: str) -> str:
    """A message with no part of our database's or a billing database's password, whatever a driver says."""
    try:
        found = load_settings()
    except SettingsError:
        return message
    for url in (found.database_url, *(source.url for source in sources(found))):
        message = without_secrets(message, url.get_secret_value() if url else None)
    return message
