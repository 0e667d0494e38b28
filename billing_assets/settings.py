"""Settings per environment; the only reader of environment variables.

`config/<env>.yaml` gives the values, an environment variable (`BILLING_` prefix, `__` between levels) wins over it.
Secrets come from the environment or from a file that a `*_file` setting names; a settings file with one is refused.
"""

import difflib
import os
import re
import stat
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

import yaml
from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as PydanticSettingsError

from billing_assets.domain import accounts
from billing_assets.erp.pack_delivery.settings import PackDeliverySettings
from billing_assets.settings_sections import (
    AlertSettings,
    AuditSettings,
    BatchSettings,
    CalendarSettings,
    CloseSettings,
    NetSuiteSettings,
    ReceivablesSettings,
    ReminderSettings,
    RetentionSettings,
    Section,
    SourceSettings,
    StagingSettings,
)
from billing_assets.shipped import shipped

PREFIX = "BILLING_"
Environment = Literal["dev", "qa", "prod"]
ENVIRONMENTS: tuple[str, ...] = get_args(Environment)


# The tests' own, and what Kubernetes tells every pod about a service whose name begins with "billing".
_NOT_OURS = re.compile(
    rf"^{PREFIX}TEST_|_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$"
)


class SettingsError(Exception):
    """A setting is missing or wrong. The message names the setting, its value's place and what to do."""


class Settings(BaseSettings):
    """All settings. Build with `load_settings()`, which turns every fault into one `SettingsError`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    env: Environment = Field("dev", description="Which config/<env>.yaml is read")
    home: Path = Field(Path(".billing"), description="Folder for all state on this machine")
    config: Path | None = Field(None, description="Another settings file instead of config/<env>.yaml")
    journal: Path | None = Field(
        None,
        description="Folder of the journal of closes and sent reminders, outside the database and its backup; default: "
        "`journal` in home. On several machines: one shared folder",
    )
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL 15 or newer for our state and Dagster's; default: the embedded one under home",
    )
    source: SourceSettings = SourceSettings()
    netsuite: NetSuiteSettings = NetSuiteSettings()
    staging: StagingSettings = StagingSettings()
    batches: BatchSettings = BatchSettings()
    calendar: CalendarSettings = CalendarSettings()
    close: CloseSettings = CloseSettings()
    pack_delivery: PackDeliverySettings = PackDeliverySettings()
    receivables: ReceivablesSettings = ReceivablesSettings()
    audit: AuditSettings = AuditSettings()
    retention: RetentionSettings = RetentionSettings()
    alerts: AlertSettings = AlertSettings()
    reminders: ReminderSettings = ReminderSettings()
    mapping: Path = Field(Path("config/mapping.yaml"), description="Mapping of documents to NetSuite's fields")
    log_format: Literal["console", "json"] = Field("console", description="console for people, json for collectors")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the settings file, whose values arrive as init arguments."""
        if isinstance(env_settings, EnvSettingsSource):  # BILLING_…_FILE names a file; it is no setting itself
            ours = {name.lower() for name in _file_variables()}
            env_settings.env_vars = {name: value for name, value in env_settings.env_vars.items() if name not in ours}
        return env_settings, init_settings

    @property
    def absence_counts_after_seconds(self) -> float:
        """From when, after an attempt was noted as unknown, its absence from SuiteQL proves that it did not land.

        A run that was unlocked may send until its lease ends; then NetSuite works on the request; then it shows.
        """
        return self.batches.lease_seconds + self.netsuite.max_request_seconds + self.netsuite.read_back_seconds

    @property
    def journal_folder(self) -> Path:
        """Where the journal is."""
        return (self.journal or self.home / "journal").absolute()

    @property
    def embedded(self) -> bool:
        """Whether our state lives in the embedded PostgreSQL under `home`."""
        return self.database_url is None


def load_settings() -> Settings:
    """The settings of this process: `config/<env>.yaml`, then the environment.

    Relative paths in the settings file are relative to that file, those in the environment to the working folder.
    Raises SettingsError with one line per fault; each names the setting, where it stands and what is wrong.
    """
    _check_names()
    path = _settings_file()
    values = _read_yaml(path)
    if secrets := sorted(_secrets_in(values)):
        raise SettingsError(
            f"{path}: {', '.join(secrets)} may hold a secret and must not be in a settings file. "
            f"Set {', '.join(variable(name) for name in secrets)} instead (or the same with _FILE and a path)."
        )
    _add_secret_files(values)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(fault, path) for fault in error.errors())) from None
    except PydanticSettingsError as error:
        raise SettingsError(f"An environment variable cannot be read: {error}") from None
    _check_account(settings)
    return settings


def _check_account(settings: Settings) -> None:
    """The account, the hosts and the environment must be of one another. Raises SettingsError.

    A host that is not NetSuite's own (the sandbox, a gateway) may serve any account. Production documents never go to a
    sandbox account; that `dev` and `qa` go to none of production our database sees to, where a person may decide so.
    """
    netsuite = settings.netsuite
    if netsuite.account is None:
        return
    named = f"{variable('netsuite.account')} is {netsuite.account}"
    for name in ("base_url", "app_url"):
        host = _host(getattr(netsuite, name))
        if host and accounts.is_another_accounts(host, netsuite.account):
            raise SettingsError(
                f"{named}, and {variable(f'netsuite.{name}')} leads to {host}, which is not that account's. Correct "
                f"one of the two; without {variable(f'netsuite.{name}')} the address follows from the account."
            )
    if settings.env == "prod" and accounts.is_sandbox(netsuite.account):
        raise SettingsError(
            f"{variable('env')} is prod, and {named}, which is a sandbox or test account: what is billed would never "
            f"reach production. Name the production account, or set {variable('env')} to qa or dev."
        )


def _host(url: str | None) -> str | None:
    try:
        return urlsplit(url.strip()).hostname if url else None
    except ValueError:
        return None  # the code that uses the address says what is wrong with it


def variable(setting: str) -> str:
    """The environment variable of a setting: `netsuite.base_url` → `BILLING_NETSUITE__BASE_URL`."""
    return PREFIX + setting.replace(".", "__").upper()


def setting_names() -> dict[str, FieldInfo]:
    """Every setting by its dotted name, sections expanded."""
    names: dict[str, FieldInfo] = {}
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names |= {f"{name}.{inner}": f for inner, f in field.annotation.model_fields.items()}
        else:
            names[name] = field
    return names


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting holds a secret: it is masked wherever it is shown."""
    return "SecretStr" in str(field.annotation)


def _file_variables() -> dict[str, str]:
    """The secret settings by the variable that names a file with them: `BILLING_X_FILE` for `BILLING_X`."""
    return {variable(name) + "_FILE": name for name, field in setting_names().items() if is_secret(field)}


def _check_names() -> None:
    known = {variable(name) for name in setting_names()} | set(_file_variables())
    faults = []
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name not in known and not _NOT_OURS.search(name):
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"Did you mean {near[0]}?" if near else "The settings are listed in docs/reference.md."
            faults.append(f"{name} is not a setting. {hint}")
    if faults:
        raise SettingsError("\n".join(faults))


def _add_secret_files(values: dict[str, Any]) -> None:
    """`BILLING_X_FILE` gives the content of a secret setting `BILLING_X`, as container platforms mount secrets.

    It goes into `values` and not into the environment, which every process that we start inherits.
    """
    faults = []
    for file_variable, name in _file_variables().items():
        if not (path := os.environ.get(file_variable)):
            continue
        section, _, inner = name.rpartition(".")
        holder = (values.setdefault(section, None) or {}) if section else values
        if os.environ.get(variable(name)):
            faults.append(f"{file_variable}: {variable(name)} is set too; keep one of the two.")
        elif isinstance(holder, dict):
            try:
                holder[inner] = read_private_file(Path(path)).strip()
            except OSError as error:
                faults.append(f"{file_variable}: {path} cannot be read ({error.strerror}).")
            except UnicodeDecodeError:
                faults.append(f"{file_variable}: {path} is not text in UTF-8.")
            except SettingsError as error:
                faults.append(f"{file_variable}: {error}")
            if section:
                values[section] = holder
    if faults:
        raise SettingsError("\n".join(faults))


def read_private_file(path: Path) -> str:
    """Text of a file that only its owner may read. Raises SettingsError when others can, OSError when it is missing."""
    if readable_by_others(path.stat()):
        raise SettingsError(f"{path} holds a secret and others can read it. Run: chmod 600 {path}")
    return path.read_text(encoding="utf-8")


def readable_by_others(file: os.stat_result) -> bool:
    """Whether a file with a secret is open to more than its owner. Pipes and the like are not looked at.

    Where the owner is root and we are not, our group may read it, as PostgreSQL sees it too: Kubernetes hands secrets
    to a process without privileges in this way only.
    """
    if os.name != "posix" or not stat.S_ISREG(file.st_mode):
        return False
    handed_to_us = file.st_uid == 0 != os.geteuid()
    return bool(file.st_mode & (0o037 if handed_to_us else 0o077))


def _settings_file() -> Path:
    if named := os.environ.get(variable("config")):
        if not (path := Path(named)).is_file():
            raise SettingsError(f"{variable('config')}: there is no file {path}.")
        return path
    env = os.environ.get(variable("env")) or "dev"
    if env not in ENVIRONMENTS:
        raise SettingsError(f"{variable('env')}: there is no environment {env!r}; use dev, qa or prod.")
    return shipped(f"config/{env}.yaml")


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not text in UTF-8.") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not valid YAML: {yaml_problem(error)}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: expected settings as `name: value`, found {type(values).__name__}.")
    values = {str(name): value for name, value in values.items()}
    for dotted in (
        "mapping",
        "journal",
        "source.queries",
        "netsuite.private_key_file",
        "close.fonts",
        "pack_delivery.key_file",
        "receivables.late_fees",
        "reminders.ladder",
        "reminders.templates",
    ):
        section, _, name = dotted.rpartition(".")
        holder = values.get(section, {}) if section else values
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            holder[name] = path.parent / holder[name]
    return values


def yaml_problem(error: yaml.YAMLError) -> str:
    """What is wrong and where, on one line and without the text that stands there: it may be a secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem or 'not understood'}."
    return "it holds a character that YAML does not take."


def _secrets_in(values: dict[str, Any]) -> list[str]:
    found = []
    for name, field in setting_names().items():
        section, _, inner = name.rpartition(".")
        holder = values.get(section) if section else values
        if is_secret(field) and isinstance(holder, dict) and holder.get(inner):
            found.append(name)
    return found


def _explain(fault: ErrorDetails, path: Path) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    where = variable(name) if variable(name) in os.environ else str(path)
    field = setting_names().get(name)
    shown = "" if field is None or is_secret(field) else f" (value: {fault['input']!r})"
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, setting_names(), n=1)
        return f"{where}: {name} is not a setting." + (f" Did you mean {near[0]}?" if near else "")
    return f"{where}: {name}: {fault['msg']}{shown}"
