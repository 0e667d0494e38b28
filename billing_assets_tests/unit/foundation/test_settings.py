"""Settings as an operator meets them: environment, file, secrets, and what is said when something is wrong."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from billing_assets.erp.settings import CloseSettings, NetSuiteSettings, SourceSettings
from billing_assets.foundation.settings import (
    SettingsError,
    load_settings,
    readable_by_others,
    setting_names,
    variable,
)

SECRET = "postgresql://billing:geheim-4711@db/billing"


@pytest.fixture(autouse=True)
def _no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("BILLING_") and not name.startswith("BILLING_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty settings file that BILLING_CONFIG names."""
    path = tmp_path / "settings.yaml"
    path.touch()
    monkeypatch.setenv("BILLING_CONFIG", str(path))
    return path


def secret_file(tmp_path: Path, content: str = SECRET + "\n", mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(mode)
    return path


def refused() -> str:
    """The message of the error; one line per fault, no secret, no traceback text."""
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert "geheim" not in message
    assert "Traceback" not in message
    assert "pydantic" not in message.lower()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert all(line.strip() for line in message.split("\n"))
    return message


@pytest.mark.parametrize("env", ["dev", "qa", "prod"])
def test_every_shipped_settings_file_is_valid(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_ENV", env)
    settings = load_settings()
    assert settings.env == env
    assert settings.mapping.is_file()


def test_without_any_setting_dev_is_read_and_state_is_embedded() -> None:
    settings = load_settings()
    assert (settings.env, settings.embedded) == ("dev", True)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("netsuite: {lanes: 7, timeout_seconds: 30}\nhome: /tmp/from-file\n")
    monkeypatch.setenv("BILLING_NETSUITE__LANES", "9")
    settings = load_settings()
    assert settings.of(NetSuiteSettings).lanes == 9
    assert settings.of(NetSuiteSettings).timeout_seconds == 30
    assert settings.of(NetSuiteSettings).auth == "oauth2"
    assert settings.home == Path("/tmp/from-file")  # noqa: S108


def test_an_empty_environment_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BILLING_DATABASE_URL", "BILLING_NETSUITE__LANES", "BILLING_ENV", "BILLING_SOURCE__URL_FILE"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert settings.embedded
    assert settings.of(NetSuiteSettings).lanes == 15


def test_relative_paths_in_the_file_are_relative_to_the_file(file: Path) -> None:
    file.write_text(
        "mapping: my-mapping.yaml\nsource: {queries: sql}\nnetsuite: {private_key_file: key.pem}\n"
        "close: {fonts: fonts}\n"
    )
    (file.parent / "fonts").mkdir()
    settings = load_settings()
    assert settings.mapping == file.parent / "my-mapping.yaml"
    assert settings.of(SourceSettings).queries == file.parent / "sql"
    assert settings.of(NetSuiteSettings).private_key_file == file.parent / "key.pem"
    assert settings.of(CloseSettings).fonts == file.parent / "fonts"


def test_alert_urls_are_separated_by_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_ALERTS__URLS", "json://a/b  mailto://c")
    assert [url.get_secret_value() for url in load_settings().alerts.urls] == ["json://a/b", "mailto://c"]


def test_branches_have_their_time_zones_from_file_and_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evening = datetime(2011, 1, 6, 0, 30, tzinfo=UTC)
    assert load_settings().calendar.zones.day("USA", evening) == date(2011, 1, 6), "UTC, where nothing is said"
    file.write_text("calendar: {time_zone: America/New_York, time_zones: {Germany: Europe/Berlin}}\n")
    zones = load_settings().calendar.zones
    assert [zones.of(branch).key for branch in ("Germany", "USA")] == ["Europe/Berlin", "America/New_York"]
    monkeypatch.setenv("BILLING_CALENDAR__TIME_ZONES", '{"USA": "America/Los_Angeles"}')
    assert load_settings().calendar.zones.day("USA", evening) == date(2011, 1, 5)


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("time_zone", "Pacific Time", "Value error, is no time zone"),
        ("time_zones", '{"USA": "California"}', "Value error, 'California' of USA is no time zone"),
        ("time_zones", '{"USA": "../../etc/passwd"}', "'../../etc/passwd' of USA is no time zone"),
    ],
)
def test_an_unknown_time_zone_is_refused_by_name(
    setting: str, value: str, said: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"BILLING_CALENDAR__{setting.upper()}"
    monkeypatch.setenv(name, value)
    message = refused()
    assert message.startswith(f"{name}: calendar.{setting}: ")
    assert f"{said} of the IANA database, such as Europe/London" in message
    monkeypatch.delenv(name)
    file.write_text(f"calendar: {{{setting}: {value}}}\n")
    assert refused().startswith(f"{file}: calendar.{setting}: ")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("BILLING_NETSUITE__LANE", "Did you mean BILLING_NETSUITE__LANES?"),
        ("BILLING_DATABASE", "Did you mean BILLING_DATABASE_URL?"),
        ("billing_env", "Did you mean BILLING_ENV?"),
        ("BILLING_ZZZZZZZZZZZZZZZZZZZZ", "docs/reference.md"),
    ],
)
def test_a_misspelt_variable_is_refused_with_a_hint(name: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    message = refused()
    assert message.startswith(f"{name} is not a setting.")
    assert hint in message


def test_every_misspelt_variable_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_HOMER", "1")
    monkeypatch.setenv("BILLING_NETSUITE__LANE", "1")
    assert len(refused().split("\n")) == 2


def test_a_misspelt_name_in_the_file_is_refused_with_a_hint(file: Path) -> None:
    file.write_text("netsuite: {lane: 7}\nhomes: x\n1: y\n")
    lines = refused().split("\n")
    assert len(lines) == 3
    assert f"{file}: netsuite.lane is not a setting. Did you mean netsuite.lanes?" in lines
    assert f"{file}: homes is not a setting. Did you mean home?" in lines
    assert f"{file}: 1 is not a setting." in lines


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("netsuite.lanes", "many"),
        ("netsuite.lanes", "0"),
        ("netsuite.auth", "basic"),
        ("netsuite.timeout_seconds", "inf"),
        ("netsuite.max_request_seconds", "-1"),
        ("netsuite.read_back_seconds", "nan"),
        ("batches.max_documents", "1001"),
        ("batches.at_once_below", "0"),
        ("batches.lease_seconds", "inf"),
        ("staging.overlap_minutes", "0"),
        ("log_format", "xml"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(name), value)
    message = refused()
    assert "\n" not in message
    assert message.startswith(f"{variable(name)}: {name}: ")
    assert f"(value: {value!r})" in message


def test_a_wrong_value_in_the_file_is_named_with_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("netsuite: {lanes: many}\nbatches: all\n")
    monkeypatch.setenv("BILLING_BATCHES__PARALLEL_RUNS", "none")
    lines = refused().split("\n")
    assert any(line.startswith(f"{file}: netsuite.lanes: ") and "'many'" in line for line in lines)
    assert len(lines) >= 2


@pytest.mark.parametrize("name", ["client_id", "consumer_key", "consumer_secret", "token_id", "token_secret"])
def test_a_secret_too_short_to_be_whole_is_refused_without_being_shown(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"BILLING_NETSUITE__{name.upper()}", " seven77 ")
    message = refused()
    assert f"BILLING_NETSUITE__{name.upper()}: netsuite.{name}: " in message
    assert "shorter than 8 characters" in message
    assert "seven77" not in message
    monkeypatch.setenv(f"BILLING_NETSUITE__{name.upper()}", "eight888")
    load_settings()


@pytest.mark.parametrize("env", ["staging", "mapping", "../config/dev"])
def test_an_unknown_environment_is_refused(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_ENV", env)
    assert refused() == f"BILLING_ENV: there is no environment {env!r}; use dev, qa or prod."


@pytest.mark.parametrize(
    "content",
    [
        f"source:\n  url: {SECRET}\n",
        f"database_url: {SECRET}\n",
        "netsuite: {token_secret: geheim}\n",
        "alerts: {urls: [mailto://geheim@x]}\n",
    ],
)
def test_a_secret_in_the_file_is_refused_and_the_variable_named(content: str, file: Path) -> None:
    file.write_text(content)
    message = refused()
    assert str(file) in message
    assert "BILLING_" in message
    assert "_FILE" in message


@pytest.mark.parametrize(
    "content", [f"source:\n  url: {SECRET}: x\n", "a: [geheim\n", "- geheim\n", "geheim\n", "a: \x01\n"]
)
def test_a_broken_file_is_named_on_one_line_without_its_content(content: str, file: Path) -> None:
    file.write_text(content)
    message = refused()
    assert "\n" not in message
    assert str(file) in message


def test_a_file_that_is_missing_or_not_text_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"home: \xff\xfe\n")
    assert "not text in UTF-8" in refused()
    monkeypatch.setenv("BILLING_CONFIG", str(file.with_name("none.yaml")))
    assert refused() == f"BILLING_CONFIG: there is no file {file.with_name('none.yaml')}."


@pytest.mark.parametrize("name", ["database_url", "source.url", "netsuite.client_id", "alerts.urls"])
def test_a_secret_comes_from_the_file_that_a_variable_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable(name) + "_FILE", str(secret_file(tmp_path)))
    settings = load_settings()
    section, _, inner = name.rpartition(".")
    value = getattr(getattr(settings, section) if section else settings, inner)
    value = value[0] if isinstance(value, tuple) else value
    assert value.get_secret_value() == SECRET
    assert variable(name) not in os.environ  # or every process that we start would inherit it
    assert load_settings() == settings


def test_a_secret_file_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = secret_file(tmp_path, mode=0o640)
    monkeypatch.setenv("BILLING_SOURCE__URL_FILE", str(path))
    message = refused()
    assert message.startswith("BILLING_SOURCE__URL_FILE: ")
    assert f"chmod 600 {path}" in message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make a file of root's")
def test_a_secret_file_of_root_that_is_handed_to_our_group_is_taken_as_kubernetes_hands_it(tmp_path: Path) -> None:
    verdicts = {}
    for mode in (0o440, 0o640, 0o444, 0o460, 0o450):
        file = secret_file(tmp_path, mode=mode).stat()
        os.seteuid(65534)
        try:
            verdicts[mode] = readable_by_others(file)
        finally:
            os.seteuid(0)
    assert verdicts == {0o440: False, 0o640: False, 0o444: True, 0o460: True, 0o450: True}


def test_a_secret_given_twice_or_not_readable_is_refused_each_on_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_DATABASE_URL", SECRET)
    monkeypatch.setenv("BILLING_DATABASE_URL_FILE", str(secret_file(tmp_path)))
    monkeypatch.setenv("BILLING_SOURCE__URL_FILE", str(tmp_path / "none"))
    lines = refused().split("\n")
    assert [line.split(":")[0] for line in lines] == ["BILLING_DATABASE_URL_FILE", "BILLING_SOURCE__URL_FILE"]
    assert "BILLING_DATABASE_URL is set too" in lines[0]
    assert "No such file" in lines[1]


def test_a_variable_that_names_a_file_exists_for_secrets_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_NETSUITE__LANES_FILE", "x")
    assert "BILLING_NETSUITE__LANES_FILE is not a setting" in refused()


@pytest.mark.parametrize(
    "name", ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR"]
)
def test_what_kubernetes_says_of_a_service_called_billing_is_no_misspelt_setting(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"BILLING_WEB_{name}", "tcp://10.0.0.1:80")
    assert load_settings().env == "dev"


def test_no_secret_shows_in_the_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = [name for name, field in setting_names().items() if "SecretStr" in str(field.annotation)]
    assert len(secrets) >= 8
    for name in secrets:
        monkeypatch.setenv(variable(name), "postgresql://u:geheim@h/d")
    settings = load_settings()
    assert "geheim" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.database_url is not None
    assert "geheim" in settings.database_url.get_secret_value()


def test_settings_do_not_change_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().home = Path("x")  # type: ignore[misc]


def test_every_setting_has_a_description() -> None:
    assert [name for name, field in setting_names().items() if not field.description] == []
    assert "netsuite.lanes" in setting_names()
    assert set(type(load_settings()).model_fields) >= {name.split(".")[0] for name in setting_names()}


@pytest.mark.parametrize(
    ("account", "setting", "address"),
    [
        ("1234567", "BASE_URL", "https://1234567-sb1.suitetalk.api.netsuite.com"),
        ("1234567_SB1", "BASE_URL", "https://1234567.suitetalk.api.netsuite.com"),
        ("1234567_SB1", "BASE_URL", "https://1234567-SB2.suitetalk.api.NetSuite.com:443/"),
        ("1234567", "BASE_URL", "https://rest.netsuite.com"),
        ("1234567", "APP_URL", "https://1234567-sb1.app.netsuite.com"),
        ("1234567_SB1", "APP_URL", "https://1234567.app.netsuite.com"),
    ],
)
def test_an_address_of_another_account_is_refused_with_both(
    account: str, setting: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_NETSUITE__ACCOUNT", account)
    monkeypatch.setenv(f"BILLING_NETSUITE__{setting}", address)
    message = refused()
    assert f"BILLING_NETSUITE__ACCOUNT is {account}, and BILLING_NETSUITE__{setting} leads to " in message
    assert "Correct one of the two" in message


@pytest.mark.parametrize(
    ("account", "address"),
    [
        ("1234567_SB1", "https://1234567-sb1.suitetalk.api.netsuite.com"),
        ("1234567-sb1", "https://1234567-SB1.suitetalk.api.netsuite.com/"),
        ("1234567", "https://gateway.example.com/netsuite"),
        ("1234567", "http://127.0.0.1:8080"),
        ("1234567", "https://notnetsuite.com"),
    ],
)
def test_the_accounts_own_address_a_gateway_and_the_sandbox_are_taken(
    account: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILLING_NETSUITE__ACCOUNT", account)
    monkeypatch.setenv("BILLING_NETSUITE__BASE_URL", address)
    assert load_settings().of(NetSuiteSettings).base_url == address


@pytest.mark.parametrize("account", ["1234567_SB1", "1234567-sb2", "TSTDRV1234567", "1234567_RP", "td1234567"])
def test_production_never_goes_to_a_sandbox_account(account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_NETSUITE__ACCOUNT", account)
    monkeypatch.setenv("BILLING_ENV", "prod")
    assert f"BILLING_ENV is prod, and BILLING_NETSUITE__ACCOUNT is {account}" in refused()
    monkeypatch.setenv("BILLING_ENV", "qa")
    assert load_settings().of(NetSuiteSettings).account == account


@pytest.mark.parametrize("env", ["dev", "qa", "prod"])
def test_no_account_is_anybodys_default(env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_ENV", env)
    assert load_settings().of(NetSuiteSettings).account is None
