"""The embedded PostgreSQL, started and ill-treated in every way that we promise it survives."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from billing_assets.foundation.database import embedded
from billing_assets.foundation.database.embedded import EmbeddedServer, EmbeddedServerError, create_database
from proving.world.waiting import PATIENCE_SECONDS, until

IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="says what happens as root")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="uses Linux's /proc or prctl")

SCRIPT_START = """
import os, pwd, sys
from pathlib import Path
import psycopg
from billing_assets.foundation.database import embedded
home, user = Path(sys.argv[1]), sys.argv[2]
if user:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home with spaces, below pytest's folder, which only its owner may enter."""
    home = tmp_path / "a home with spaces"
    yield home
    embedded.stop(home, mode="immediate")


@pytest.fixture
def users_home() -> Iterator[Path]:
    """A home that an ordinary user can reach, which pytest's tmp_path is not when the tests run as root."""
    parent = Path(tempfile.mkdtemp(prefix="billing users "))
    parent.chmod(0o755)
    home = parent / "home"
    home.mkdir(mode=0o700)
    if IS_ROOT:
        shutil.chown(home, "daemon")
    yield home
    embedded.stop(home, mode="immediate")
    shutil.rmtree(parent)


def script(body: str, home: Path, *, user: str = "", prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """A Python process of its own, in its own process group; as root it becomes `user` after its imports."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", SCRIPT_START + body, str(home), user if IS_ROOT else ""],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    return said.strip()


def query(server: EmbeddedServer, statement: str) -> object:
    with psycopg.connect(server.libpq_url(), autocommit=True, connect_timeout=60) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def postmaster(server: EmbeddedServer) -> psutil.Process:
    return psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))


def kill_hard(server: EmbeddedServer) -> None:
    """kill -9 of the postmaster, and wait until its backends are gone too."""
    process = postmaster(server)
    children = process.children()
    process.kill()
    until(lambda: all(is_dead(one) for one in [process, *children]))


def is_dead(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def other_program(uid: int) -> Iterator[int]:
    """The pid of a process of user `uid` that has nothing to do with PostgreSQL."""
    process = subprocess.Popen(["/bin/sleep", "60"], user=uid if IS_ROOT else None)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def set_pid(server: EmbeddedServer, pid: int) -> None:
    file = server.folder / "data" / "postmaster.pid"
    _, *rest = file.read_text().splitlines(keepends=True)
    file.write_text("".join([f"{pid}\n", *rest]))


# --- what one gets ---------------------------------------------------------------------------------------


def test_data_and_port_survive_a_stop_and_a_second_start_returns_the_same_server(home: Path) -> None:
    assert embedded.running(home) is None
    assert embedded.stop(home) is False
    assert not home.exists(), "looking creates nothing"
    first = embedded.start(home)
    assert embedded.start(home) == first == embedded.running(home)
    query(first, "CREATE TABLE t AS SELECT 536365 AS number")

    assert embedded.stop(home) is True
    assert embedded.running(home) is None
    assert embedded.stop(home) is False

    again = embedded.start(home)
    assert again == first
    assert query(again, "SELECT number FROM t") == 536365


def test_the_cluster_is_durable_utf8_utc_checksummed_and_on_loopback_only(home: Path) -> None:
    server = embedded.start(home)
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "jit": "off",
        "max_connections": "300",
        "shared_buffers": "256MB",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
    }
    assert {name: query(server, f"SHOW {name}") for name in expected} == expected
    assert query(server, "SELECT upper('é') || (SELECT datlocale FROM pg_database LIMIT 1)") == "ÉC.UTF-8"


def test_a_server_for_tests_may_skip_fsync_and_the_next_durable_start_does_not(home: Path) -> None:
    assert query(embedded.start(home, durable=False), "SHOW fsync") == "off"
    embedded.stop(home)
    assert query(embedded.start(home), "SHOW fsync") == "on"


def test_a_wrong_password_is_refused_and_only_the_owner_can_read_the_right_one(home: Path) -> None:
    server = embedded.start(home, durable=False)
    url = server.libpq_url().replace(server.password_file.read_text(), "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)
    assert stat.S_IMODE(server.password_file.stat().st_mode) == 0o600
    assert server.password_file.read_text() not in repr(server)


def test_a_failed_statement_leaves_no_customer_data_in_the_servers_log(home: Path) -> None:
    server = embedded.start(home, durable=False)
    query(server, "CREATE TABLE customer (name text PRIMARY KEY)")
    query(server, "INSERT INTO customer VALUES ('Jane Doe')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        query(server, "INSERT INTO customer VALUES ('Jane Doe')")

    def log() -> str:
        return "".join(path.read_text() for path in (server.folder / "data" / "log").glob("*.log"))

    until(lambda: "duplicate key" in log())
    assert "Jane" not in log()


def test_several_creators_of_one_database_all_succeed(server_url: str) -> None:
    name = f'odd "name" {os.getpid()}'
    together = threading.Barrier(8)

    def create() -> None:
        together.wait(timeout=30)
        create_database(server_url, name)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(create) for _ in range(8)]:
            done.result(timeout=60)
    with psycopg.connect(server_url.replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [name]).fetchone()
        connection.execute(f'DROP DATABASE "{name.replace(chr(34), chr(34) * 2)}"'.encode())
    assert found == (1,)


# --- users -----------------------------------------------------------------------------------------------


@as_root
def test_root_runs_it_as_an_unprivileged_user_and_opens_no_folder_to_others(home: Path) -> None:
    server = embedded.start(home, durable=False)
    assert postmaster(server).uids().real != 0
    assert query(server, "SELECT 1") == 1
    for folder in (server.folder, home.parent):
        assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (0, 0o700)


@as_root
@on_linux
def test_root_in_a_container_with_dockers_few_capabilities_can_run_it(home: Path) -> None:
    docker = "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot"
    keep = ",".join(f"+{name}" for name in docker.split(","))
    prefix = ("setpriv", f"--bounding-set=-all,{keep}", "--inh-caps=-all")
    body = """
assert not int(next(l for l in open("/proc/self/status") if l.startswith("CapPrm")).split()[1], 16) & 4
server = embedded.start(home, durable=False)
assert embedded.running(home) == server
print(psycopg.connect(server.libpq_url()).execute("SELECT 1").fetchone(), embedded.stop(home))
"""
    assert output(script(body, home, prefix=prefix)) == "(1,) True"


def test_an_ordinary_user_runs_it_as_himself(users_home: Path) -> None:
    body = """
server = embedded.start(home, durable=False)
print(psycopg.connect(server.libpq_url()).execute("SELECT 1").fetchone(), embedded.stop(home))
embedded.start(home, durable=False)
"""
    assert output(script(body, users_home, user="daemon")) == "(1,) True"
    server = embedded.running(users_home)
    assert server
    assert postmaster(server).uids().real == users_home.stat().st_uid


@as_root
def test_a_users_cluster_stays_his_after_root_has_started_it(users_home: Path) -> None:
    start_and_stop = "embedded.start(home, durable=False); print(embedded.stop(home))"
    assert output(script(start_and_stop, users_home, user="daemon")) == "True"
    server = embedded.start(users_home, durable=False)
    assert postmaster(server).uids().real == users_home.stat().st_uid
    embedded.stop(users_home)
    assert output(script(start_and_stop, users_home, user="daemon")) == "True"


@as_root
def test_another_users_cluster_is_refused_with_the_reason(users_home: Path) -> None:
    users_home.chmod(0o755)
    shutil.chown(users_home, "root")
    embedded.start(users_home, durable=False)
    body = """
for action in (embedded.start, embedded.running, embedded.stop):
    try:
        action(home)
    except embedded.EmbeddedServerError as error:
        print("belongs to another user" in str(error), end=" ")
"""
    assert output(script(body, users_home, user="daemon")) == "True True True"


# --- several at once, and deaths -------------------------------------------------------------------------


def test_eight_starters_at_once_get_one_server(home: Path) -> None:
    starters = [script("print(embedded.start(home, durable=False).url())", home) for _ in range(8)]
    urls = {output(starter) for starter in starters}
    server = embedded.running(home)
    assert server
    assert urls == {server.url()}
    assert query(server, "SELECT 1") == 1
    data = str(server.folder / "data")
    assert len([p for p in psutil.process_iter(["cmdline"]) if data in (p.info["cmdline"] or [])]) == 1


def test_the_server_outlives_its_starter_and_ctrl_c_on_the_starters_terminal(home: Path) -> None:
    starter = script("embedded.start(home, durable=False); print('up', flush=True); import time; time.sleep(60)", home)
    assert starter.stdout
    assert starter.stdout.readline() == "up\n"
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate(timeout=PATIENCE_SECONDS)
    server = embedded.running(home)
    assert server
    assert os.getsid(postmaster(server).pid) != starter.pid
    assert query(server, "SELECT 1") == 1


def test_a_committed_row_survives_kill_9_of_the_server_and_an_open_transaction_does_not(home: Path) -> None:
    server = embedded.start(home)
    query(server, "CREATE TABLE t (number integer)")
    query(server, "INSERT INTO t VALUES (1)")
    with psycopg.connect(server.libpq_url()) as open_transaction:
        open_transaction.execute("INSERT INTO t VALUES (2)")
        kill_hard(server)
        assert embedded.running(home) is None
        open_transaction.close()
    assert embedded.stop(home) is False
    assert query(embedded.start(home), "SELECT array_agg(number) FROM t") == [1]


def test_a_start_waits_for_backends_that_outlive_a_killed_server(home: Path) -> None:
    server = embedded.start(home, durable=False)
    # It computes without looking up, so it notices its postmaster's death only at the end.
    compute = """DO $$ DECLARE began timestamptz := clock_timestamp();
        BEGIN WHILE clock_timestamp() < began + interval '2 s' LOOP END LOOP; END $$"""
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(query, server, compute)
        until(lambda: query(server, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %'"))
        pid = query(server, "SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %'")
        backend, process = psutil.Process(int(str(pid))), postmaster(server)
        process.kill()
        until(lambda: is_dead(process))
        assert not is_dead(backend)
        again = embedded.start(home, durable=False)
        assert is_dead(backend), "two servers on the same files"
        assert query(again, "SELECT 1") == 1
        busy.exception(timeout=30)


@on_linux
def test_a_killed_server_that_nobody_reaps_does_not_block_the_next_start(home: Path) -> None:
    """As in a container whose first process does not reap: the pid stays, as a zombie's."""
    body = """
import ctypes, os, psutil, signal, time
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
server = embedded.start(home, durable=False)
pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
os.kill(pid, signal.SIGKILL)
while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
    time.sleep(0.01)
again = embedded.start(home, durable=False)
print(psutil.Process(pid).status(), psycopg.connect(again.libpq_url()).execute("SELECT 1").fetchone())
"""
    assert output(script(body, home)) == "zombie (1,)"


@on_linux
def test_a_pid_that_another_program_has_after_a_reboot_does_not_block_the_start(home: Path) -> None:
    server = embedded.start(home, durable=False)
    uid = postmaster(server).uids().real
    kill_hard(server)
    with other_program(uid) as pid:
        set_pid(server, pid)
        assert embedded.running(home) is None
        assert embedded.stop(home) is False
        assert query(embedded.start(home, durable=False), "SELECT 1") == 1
        assert psutil.pid_exists(pid)


@on_linux
def test_a_pid_that_another_postgresql_has_after_a_reboot_does_not_block_the_start(home: Path) -> None:
    other_home = home.with_name("another")
    other = embedded.start(other_home, durable=False)
    try:
        server = embedded.start(home, durable=False)
        kill_hard(server)
        set_pid(server, postmaster(other).pid)
        assert embedded.running(home) is None
        assert embedded.stop(home) is False
        assert query(embedded.start(home, durable=False), "SELECT 1") == 1
        assert query(other, "SELECT 1") == 1
    finally:
        embedded.stop(other_home, mode="immediate")


@on_linux
def test_a_second_server_never_starts_on_files_that_a_first_one_still_uses(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ORPHAN_SECONDS", 1)
    server = embedded.start(home, durable=False)
    first = postmaster(server)
    with other_program(first.uids().real) as pid:
        set_pid(server, pid)
        with pytest.raises(EmbeddedServerError, match="still use the files"):
            embedded.start(home, durable=False)
        set_pid(server, first.pid)
    assert embedded.running(home)
    assert query(server, "SELECT 1") == 1


def test_a_starter_killed_in_the_middle_of_initdb_leaves_nothing_that_matters(home: Path) -> None:
    starter = script("embedded.start(home)", home)
    folder = home / "postgres"
    until(lambda: list(folder.glob("initdb-*/base")))
    starter.kill()
    starter.communicate(timeout=PATIENCE_SECONDS)
    assert not (folder / "data").exists()
    assert query(embedded.start(home, durable=False), "SELECT 1") == 1
    embedded.stop(home)
    time.sleep(1)  # the orphaned initdb finds its folder gone
    embedded.start(home, durable=False)
    assert not list(folder.glob("initdb-*"))


# --- what can be wrong -----------------------------------------------------------------------------------


def test_a_cluster_of_another_major_version_is_refused_with_what_to_do(home: Path) -> None:
    server = embedded.start(home, durable=False)
    embedded.stop(home)
    (server.folder / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 17; .* brings 18.*pg_dumpall"):
        embedded.start(home)


def test_a_port_that_another_process_took_in_between_is_replaced(home: Path) -> None:
    first = embedded.start(home, durable=False)
    embedded.stop(home)
    with socket.create_server((first.host, first.port)):
        second = embedded.start(home, durable=False)
        assert second.port != first.port
        assert query(second, "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why_and_what_to_do(home: Path) -> None:
    server = embedded.start(home, durable=False)
    embedded.stop(home)
    with (server.folder / "data" / "postgresql.auto.conf").open("a") as file:
        file.write("shared_buffers = plenty\n")
    with pytest.raises(EmbeddedServerError, match=r"(?s)plenty.*BILLING_DATABASE_URL"):
        embedded.start(home)


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(EmbeddedServerError, match="home"):
        embedded.start(tmp_path / "home")
