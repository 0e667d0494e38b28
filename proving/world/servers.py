"""Redis, PostgreSQL and PgBouncer from Debian's packages, on loopback, with what they keep in a folder of their own."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from billing_assets.foundation.database import embedded
from billing_assets.operations.processes import stop_trees

_START_SECONDS = 120.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def redis_program() -> str | None:
    """Debian's redis-server, if it is installed."""
    return shutil.which("redis-server")


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """URL of a Redis server, with a password, without its database's number."""
    folder.mkdir(parents=True)
    port, password = free_port(), secrets.token_hex(16)
    settings = folder / "redis.conf"
    settings.touch(mode=0o600)
    settings.write_text(f"bind 127.0.0.1\nport {port}\nrequirepass {password}\nappendonly yes\n", encoding="utf-8")
    with (folder / "redis.log").open("wb") as log:
        server = subprocess.Popen(
            [redis_program() or "redis-server", str(settings)], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for_port(port)
        yield f"redis://:{password}@127.0.0.1:{port}"
    finally:
        stop_trees([server.pid])
        server.wait()


def pgbouncer_program() -> str | None:
    """Debian's PgBouncer, if it is installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pgbouncer(url: str, mode: str, **settings: str) -> Iterator[str]:
    """SQLAlchemy URL of the same database through a PgBouncer with this `pool_mode`."""
    user = "nobody" if os.geteuid() == 0 else None  # PgBouncer refuses to run as root
    folder = Path(tempfile.mkdtemp(prefix="billing-pool-"))
    port, to = free_port(), make_url(url)
    lines = [
        "[databases]",
        f"{to.database} = host={to.host} port={to.port} dbname={to.database} user={to.username} password={to.password}",
        "[pgbouncer]",
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}",
        *(f"{name} = {value}" for name, value in settings.items()),
    ]
    file = folder / "pgbouncer.ini"
    file.touch(mode=0o600)
    file.write_text("\n".join(lines), encoding="utf-8")
    if user:
        shutil.chown(folder, user)
        shutil.chown(file, user)
    try:
        with (folder / "log").open("wb") as log:
            pool = subprocess.Popen(
                [pgbouncer_program() or "pgbouncer", str(file)], stdout=log, stderr=subprocess.STDOUT, user=user
            )
        try:
            wait_for_port(port)
            yield to.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        finally:
            stop_trees([pool.pid])
            pool.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def debian_postgres() -> Path | None:
    """The programs of Debian's newest PostgreSQL, if there is one that is new enough."""
    found = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin")}
    return found[max(found)] if found and max(found) >= 15 else None


@contextmanager
def postgres(programs: Path | None) -> Iterator[str]:
    """SQLAlchemy URL of a server's database `postgres`: one of Debian's programs, or the embedded one without."""
    folder = Path(tempfile.mkdtemp(prefix="billing-deploy-"))
    try:
        if programs is None:
            yield embedded.start(folder).url()
        else:
            with _server(programs, folder) as url:
                yield url
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(programs: Path, folder: Path) -> Iterator[str]:
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    if user:
        shutil.chown(folder, user)
    port, password = free_port(), secrets.token_hex(16)
    file = folder / "password"
    file.touch(mode=0o600)
    file.write_text(password, encoding="utf-8")
    if user:
        shutil.chown(file, user)

    def run(*command: str) -> None:
        subprocess.run([programs / command[0], *command[1:]], check=True, capture_output=True, user=user, cwd=folder)

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", "--pwfile", str(file), "-E", "UTF8")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200"
    # Its output must not be our pipe: the server would hold it open for as long as it lives.
    run("pg_ctl", "-D", data, "-w", "-s", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql+psycopg://owner:{password}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "-w", "-s", "stop")


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
