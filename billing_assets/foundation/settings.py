"""Settings per environment; the only reader of environment variables.

A room declares its section (a `Section`) in its `settings.py`, and reads it as `settings.of(ItsSection)`.
`config/<env>.yaml` gives the values, an environment variable (`BILLING_` prefix, `__` between levels) wins over it.
Secrets come from the environment or from a file that a `*_file` setting names; a settings file with one is refused.
"""

import difflib
import os
import re
import stat
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeGuard, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, Field, SecretStr, ValidationError, create_model, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as PydanticSettingsError

from billing_assets.areas import AREAS, ON_BY_DEFAULT, brought, verbs
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.sections import AlertSettings, BatchSettings, CalendarSettings, Section
from billing_assets.foundation.shipped import shipped

S = TypeVar("S", bound=Section)
PREFIX = "BILLING_"
Environment = Literal["dev", "qa", "prod"]
ENVIRONMENTS: tuple[str, ...] = get_args(Environment)


# The tests' own, and what Kubernetes tells every pod about a service whose name begins with "billing".
_NOT_OURS = re.compile(
    rf"^{PREFIX}TEST_|_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$"
)


class SettingsError(BillingError):
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
    areas: Annotated[tuple[str, ...], NoDecode] = Field(
        ON_BY_DEFAULT, description=f"Areas that are switched on, separated by commas: {', '.join(AREAS)}"
    )
    batches: BatchSettings = BatchSettings()
    calendar: CalendarSettings = CalendarSettings()
    alerts: AlertSettings = AlertSettings()
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

    @field_validator("areas", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value

    @field_validator("areas")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if one not in AREAS:
                raise ValueError(f"there is no area {one!r}; use {', '.join(AREAS)}")
        return value

    def of(self, section: type[S]) -> S:
        """A room's section."""
        return cast("S", getattr(self, section.section))

    @property
    def journal_folder(self) -> Path:
        """Where the journal is."""
        return (self.journal or self.home / "journal").absolute()

    @property
    def embedded(self) -> bool:
        """Whether our state lives in the embedded PostgreSQL under `home`."""
        return self.database_url is None


@cache
def sections() -> dict[str, type[Section]]:
    """Every section that a room declares, by its name."""
    declared = [one for module in brought("settings") for one in vars(module).values() if _is_section(one)]
    return {one.section: one for one in declared}


def _is_section(found: object) -> TypeGuard[type[Section]]:
    return isinstance(found, type) and issubclass(found, Section) and hasattr(found, "section")


@cache
def whole() -> type[Settings]:
    """The settings with the sections of all rooms."""
    fields: dict[str, Any] = {name: (section, section()) for name, section in sections().items()}
    return create_model("Settings", __base__=Settings, **fields)


def make_settings(**values: Any) -> Settings:
    """Settings of these values and the environment's. Raises pydantic's ValidationError."""
    return whole()(**values)


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
        settings = make_settings(**values)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(fault, path) for fault in error.errors())) from None
    except PydanticSettingsError as error:
        raise SettingsError(f"An environment variable cannot be read: {error}") from None
    for check in verbs("settings", "check", settings.areas):
        check(settings)
    return settings


def variable(setting: str) -> str:
    """The environment variable of a setting: `netsuite.base_url` → `BILLING_NETSUITE__BASE_URL`."""
    return PREFIX + setting.replace(".", "__").upper()


def setting_names() -> dict[str, FieldInfo]:
    """Every setting by its dotted name, sections expanded."""
    names: dict[str, FieldInfo] = {}
    for name, field in whole().model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            names |= {f"{name}.{inner}": f for inner, f in field.annotation.model_fields.items()}
        else:
            names[name] = field
    return names


def is_secret(field: FieldInfo) -> bool:
    """Whether a setting holds a secret, itself or in a part of it: it is masked wherever it is shown."""
    return _holds_secret(field.annotation)


def _holds_secret(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(is_secret(field) for field in annotation.model_fields.values())
    return annotation is SecretStr or any(_holds_secret(part) for part in get_args(annotation))


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
    for dotted in sorted(name for name, field in setting_names().items() if _is_relative_to_the_file(name, field)):
        section, _, name = dotted.rpartition(".")
        holder = values.get(section, {}) if section else values
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            holder[name] = path.parent / holder[name]
    return values


def _is_relative_to_the_file(name: str, field: FieldInfo) -> bool:
    """Whether a path in a settings file starts at that file; where all state is does not."""
    return "Path" in str(field.annotation) + str(field.metadata) and name not in {"home", "config"}


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
