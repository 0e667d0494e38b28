"""Migrations on a real PostgreSQL: once, in order, whole or not at all, and never a changed history."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text

from billing_assets.foundation.database.connection import libpq_url
from billing_assets.foundation.database.migrations import AREAS, MigrationError, migrate
from billing_assets.foundation.shipped import shipped


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A folder for each area, without a file."""
    for area in AREAS:
        (tmp_path / area).mkdir()
    return tmp_path


@pytest.fixture
def folder(empty: Path) -> Path:
    """Two migrations of one area."""
    write(empty, "0001_first.sql", "CREATE TABLE billing.a (n integer);\nINSERT INTO billing.a VALUES (1);\n")
    write(empty, "0002_second.sql", "INSERT INTO billing.a SELECT n + 1 FROM billing.a;\n")
    return empty


def write(folder: Path, name: str, text: str, area: str = "erp") -> None:
    (folder / area / name).write_bytes(text.encode())


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(libpq_url(url)) as connection:
        return connection.execute(statement.encode()).fetchall()


def applied(url: str) -> list[str]:
    return [str(name) for (name,) in rows(url, "SELECT area || '/' || name FROM billing.schema_migrations ORDER BY 1")]


def numbers(url: str) -> list[object]:
    return [n for (n,) in rows(url, "SELECT n FROM billing.a ORDER BY n")]


def test_files_are_applied_in_order_and_only_once(database: str, folder: Path) -> None:
    assert migrate(database, folder) == ["erp/0001_first.sql", "erp/0002_second.sql"]
    assert migrate(database, folder) == []
    assert numbers(database) == [1, 2]
    [(digest, recent)] = rows(
        database,
        "SELECT sha256, applied_at > now() - interval '1 min' FROM billing.schema_migrations LIMIT 1",
    )
    assert len(str(digest)) == 64
    assert recent


def test_a_new_file_is_applied_to_a_database_that_has_the_others_by_url_or_by_engine(
    database: str, folder: Path
) -> None:
    migrate(database, folder)
    write(folder, "0003_third.sql", "INSERT INTO billing.a VALUES (9);")
    engine = create_engine(database)
    assert migrate(engine, folder) == ["erp/0003_third.sql"]
    engine.dispose()
    assert numbers(database) == [1, 2, 9]


def test_areas_are_applied_one_after_the_other_each_with_numbers_of_its_own(database: str, empty: Path) -> None:
    write(empty, "0001_first.sql", "INSERT INTO billing.a VALUES (3);", "receivables")
    write(empty, "0001_first.sql", "INSERT INTO billing.a VALUES (2);", "erp")
    write(empty, "0001_first.sql", "CREATE TABLE billing.a (n integer);", "foundation")
    assert migrate(database, empty) == [f"{area}/0001_first.sql" for area in ("foundation", "erp", "receivables")]
    write(empty, "0002_second.sql", "INSERT INTO billing.a VALUES (1);", "foundation")
    assert migrate(database, empty) == ["foundation/0002_second.sql"]
    write(empty, "0002_another.sql", "INSERT INTO billing.a VALUES (4);", "erp")
    assert migrate(database, empty) == ["erp/0002_another.sql"], "an area's numbers are compared with its own only"
    assert numbers(database) == [1, 2, 3, 4]


def test_a_file_outside_of_the_areas_is_refused_with_where_it_belongs(database: str, folder: Path) -> None:
    (folder / "0003_lost.sql").touch()
    with pytest.raises(MigrationError, match=r"0003_lost\.sql: put it into .* foundation, erp, receivables"):
        migrate(database, folder)
    (folder / "0003_lost.sql").unlink()
    (folder / "no_area").mkdir()
    with pytest.raises(MigrationError, match=r"no_area: is no area .* AREAS"):
        migrate(database, folder)


def test_an_empty_folder_is_nothing_to_do_and_a_missing_one_an_error(database: str, empty: Path) -> None:
    assert migrate(database, empty) == []
    (empty / "receivables").rmdir()
    with pytest.raises(MigrationError, match=r"receivables: there is no such folder"):
        migrate(database, empty)


def test_several_starters_at_once_apply_each_file_once(database: str, folder: Path) -> None:
    together = threading.Barrier(6)
    write(folder, "0003_slow.sql", "SELECT pg_sleep(0.2);")

    def start() -> list[str]:
        together.wait(timeout=30)
        return migrate(database, folder)

    with ThreadPoolExecutor(6) as pool:
        results = [done.result(timeout=60) for done in [pool.submit(start) for _ in range(6)]]
    assert sorted(map(len, results)) == [0, 0, 0, 0, 0, 3]
    assert numbers(database) == [1, 2]


def test_a_starter_waits_while_another_one_is_applying(database: str, folder: Path) -> None:
    """Also a second process that has nothing to apply must not go on with a schema that is not there yet."""
    write(folder, "0003_slow.sql", "SELECT pg_sleep(0.5); CREATE TABLE billing.late ();")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(migrate, database, folder)
        while not rows(
            database, "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.5)%late%' AND pid <> pg_backend_pid()"
        ):
            assert not first.done()
        assert migrate(database, folder) == []
        assert rows(database, "SELECT count(*) FROM billing.late") == [(0,)]
        assert len(first.result(timeout=30)) == 3


def test_an_applied_file_that_was_edited_is_refused_with_what_to_do(database: str, folder: Path) -> None:
    migrate(database, folder)
    write(folder, "0001_first.sql", "CREATE TABLE billing.a (n bigint);")
    write(folder, "0003_third.sql", "INSERT INTO billing.a VALUES (9);")
    with pytest.raises(MigrationError, match=r"0001_first\.sql: was edited .* new file") as caught:
        migrate(database, folder)
    assert caught.value.file == "erp/0001_first.sql"
    assert numbers(database) == [1, 2], "nothing is applied on top of a changed history"


def test_line_endings_and_a_byte_order_mark_are_no_edit(database: str, folder: Path) -> None:
    migrate(database, folder)
    first = folder / "erp" / "0001_first.sql"
    first.write_bytes(b"\xef\xbb\xbf" + first.read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(database, folder) == []


def test_an_applied_file_that_is_missing_is_refused(database: str, folder: Path) -> None:
    migrate(database, folder)
    (folder / "erp" / "0002_second.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002_second\.sql: is applied .* Install the version"):
        migrate(database, folder)


def test_a_new_file_with_a_lower_number_is_refused(database: str, folder: Path) -> None:
    erp = folder / "erp"
    (erp / "0001_first.sql").rename(erp / "0003_first.sql")
    (erp / "0002_second.sql").rename(erp / "0004_second.sql")
    migrate(database, folder)
    write(folder, "0002_late.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"0002_late\.sql: comes before 0004_second\.sql"):
        migrate(database, folder)


def test_a_file_that_fails_names_file_line_and_reason_and_leaves_nothing_of_itself(database: str, folder: Path) -> None:
    write(folder, "0003_bad.sql", "CREATE TABLE billing.half ();\n\nINSERT INTO billing.nowhere VALUES (1);\n")
    write(folder, "0004_after.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r'0003_bad\.sql: failed.*"billing.nowhere" does not exist \(line 3\)'):
        migrate(database, folder)
    assert applied(database) == ["erp/0001_first.sql", "erp/0002_second.sql"]
    assert rows(database, "SELECT to_regclass('billing.half')") == [(None,)]

    write(folder, "0003_bad.sql", "CREATE TABLE billing.half ();")
    assert migrate(database, folder) == ["erp/0003_bad.sql", "erp/0004_after.sql"]


def test_a_file_that_cannot_be_recorded_leaves_nothing_of_itself(database: str, folder: Path) -> None:
    write(
        folder,
        "0003_unrecorded.sql",
        "CREATE TABLE billing.half ();\n"
        "ALTER TABLE billing.schema_migrations ADD CHECK (name <> '0003_unrecorded.sql');\n",
    )
    with pytest.raises(MigrationError, match=r"0003_unrecorded\.sql: failed, and nothing of it was kept"):
        migrate(database, folder)
    assert rows(database, "SELECT to_regclass('billing.half')") == [(None,)]


@pytest.mark.parametrize("command", ["COMMIT;", "select 1; commit ;", "begin;", "Rollback work;", "START TRANSACTION;"])
def test_a_file_that_would_end_its_own_transaction_is_refused_before_anything_runs(
    database: str, folder: Path, command: str
) -> None:
    write(folder, "0003_own.sql", f"CREATE TABLE billing.half ();\n{command}\nSELECT 1/0;\n")
    with pytest.raises(MigrationError, match=r"0003_own\.sql: take out"):
        migrate(database, folder)
    assert rows(database, "SELECT to_regclass('billing.a')") == [(None,)]


def test_percent_signs_functions_and_unicode_go_to_the_server_as_they_are(database: str, empty: Path) -> None:
    write(
        empty,
        "0001_text.sql",
        "CREATE TABLE billing.a (n text);\nINSERT INTO billing.a VALUES ('100 % of £ %s 𝄞');\n"
        "CREATE FUNCTION billing.f() RETURNS text LANGUAGE plpgsql AS $$\n"
        "BEGIN\n  RETURN format('%s;', 1);\nEND;\n$$;\n",
    )
    migrate(database, empty)
    assert rows(database, "SELECT n, billing.f() FROM billing.a") == [("100 % of £ %s 𝄞", "1;")]


@pytest.mark.parametrize("name", ["1_short.sql", "0003-dash.sql", "0003_Upper.sql", "notes.sql"])
def test_a_file_that_is_not_numbered_is_refused(database: str, folder: Path, name: str) -> None:
    write(folder, name, "SELECT 1;")
    with pytest.raises(MigrationError, match="name it like 0001_"):
        migrate(database, folder)


def test_two_files_with_one_number_are_refused(database: str, folder: Path) -> None:
    write(folder, "0002_another.sql", "SELECT 1;")
    with pytest.raises(MigrationError, match=r"0002_second\.sql: 0002_another\.sql has the same number"):
        migrate(database, folder)


def test_our_own_schema_is_complete_in_a_test_database_and_each_test_has_its_own(
    state_url: str, state_engine: Engine, database: str
) -> None:
    ours = sorted(f"{path.parent.name}/{path.name}" for path in shipped("sql/state").rglob("*.sql"))
    assert applied(state_url) == ours
    assert migrate(state_url, shipped("sql/state")) == []
    with state_engine.connect() as connection:
        assert connection.execute(text("SELECT current_database()")).scalar_one() in state_url
    assert rows(database, "SELECT to_regclass('billing.schema_migrations')") == [(None,)]
