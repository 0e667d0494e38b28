"""What the documentation says is so: its tables are the code's, and what it names exists."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import click
import pytest
import yaml

from billing_assets.areas import brought
from billing_assets.definitions import build_defs
from billing_assets.erp.documents.documents import TRANSITIONS, State
from billing_assets.erp.netsuite import error_codes, look_up
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import is_secret, load_settings, setting_names, variable
from billing_assets.invoicing.batches import codes as validations
from billing_assets.posting import look_up as core_look_up
from billing_assets_tests import docs_tables
from billing_assets_tests.docs_tables import ROOT

DOCUMENTS = sorted(
    path
    for pattern in (
        "*.md",
        "docs/*.md",
        "billing_assets/**/*.md",
        "sql/**/*.md",
        "proving/**/*.md",
        "deploy/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
TOP_FOLDERS = (
    "billing_assets/",
    "billing_assets_tests/",
    "sql/",
    "config/",
    "docs/",
    "proving/",
    "deploy/",
    ".ci/",
)

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def prose(path: Path) -> str:
    return FENCED.sub("", path.read_text(encoding="utf-8"))


def code(path: Path) -> Iterator[str]:
    """Inline code, and the lines of fenced code that are commands."""
    yield from INLINE.findall(prose(path))
    for language, text in FENCED.findall(path.read_text(encoding="utf-8")):
        if language == "sh":
            yield from (line.split(" #")[0].strip() for line in text.splitlines())


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_a_generated_table_is_what_the_code_says_now(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == docs_tables.generated(text), "run `make docs`"


def test_every_generated_table_stands_in_some_document() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert {name for _, name, _ in docs_tables.MARKED.findall(texts)} == set(docs_tables.GENERATED)


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in LINK.findall(prose(path)):
        file, _, anchor = target.partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        found = (path.parent / unquote(file)).resolve() if file else path
        if not found.exists() or (anchor and anchor not in anchors(found)):
            broken.append(target)
    assert broken == []


@each_document
def test_a_link_stays_within_the_project(path: Path) -> None:
    targets = [path.parent / link.split("#")[0] for link in LINK.findall(prose(path)) if "://" not in link]
    assert [target for target in targets if not target.resolve().is_relative_to(ROOT)] == []


@each_document
def test_every_command_and_option_named_exists(path: Path) -> None:
    commands = docs_tables.commands()
    wrong = []
    for text in code(path):
        for found in re.finditer(r"(?:^|[/(;&] ?)billing ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?([^|;&)]*)", text):
            words = found[0].split("billing ", 1)[1].split()[:3]
            command = next((commands[name] for n in (1, 2, 3) if (name := " ".join(words[:n])) in commands), None)
            is_group = found[2] is None and any(name.startswith(f"{found[1]} ") for name in commands)
            known = {option for one in command.params for option in one.opts} if command else set[str]()
            options = re.findall(r"(?<=\s)--[a-z-]+", found[3])
            if (command is None and not is_group) or not set(options) <= known | {"--help"}:
                wrong.append(found[0].strip())
    assert wrong == []


@each_document
def test_every_variable_named_is_a_setting(path: Path) -> None:
    known = {variable(name) for name in setting_names()}
    known |= {variable(name) + "_FILE" for name, field in setting_names().items() if is_secret(field)}
    known |= validations.CODES.keys()  # BILLING_MODEL_MISMATCH
    named = set(re.findall(r"BILLING_[A-Z0-9_]*[A-Z0-9]", path.read_text(encoding="utf-8")))
    assert {name for name in named - known if not name.startswith("BILLING_TEST_")} == set()


@each_document
def test_every_make_target_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {found for text in code(path) for found in re.findall(r"(?:^|\s)make ([a-z]+)", text)}
    assert named - targets == set()


@each_document
def test_every_file_named_in_code_exists(path: Path) -> None:
    named = {text for text in INLINE.findall(prose(path)) if text.startswith(TOP_FOLDERS) and "<" not in text}
    gone = {text for text in named if not re.search(r"NNNN|[*{]", text) and not (ROOT / text).exists()}
    assert gone == set()


@each_document
def test_every_block_of_code_ends_before_the_next_heading(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("```") % 2 == 0
    blocks = [block for language, block in FENCED.findall(text) if language != "sh"]  # there, # is a comment
    assert [block for block in blocks if re.search(r"^#+ ", block, re.MULTILINE)] == []


def test_the_state_diagram_shows_every_move_and_no_other() -> None:
    diagram = docs_tables.state_diagram()
    box = set(re.search(r"\{\n(.*?)\}", diagram, re.DOTALL)[1].split())  # type: ignore[index]
    moves = {(one, other) for one in box for other in box if one != other}
    for source, target in re.findall(r"^    (\w+) --> (\w+)$", diagram, re.MULTILINE):
        moves |= {(source, one) for one in (box if target == "resting" else {target})}
    assert moves == {(str(state), str(target)) for state in State for target in TRANSITIONS[state]}


def test_every_cause_of_an_alert_is_in_the_table() -> None:
    makers = {
        name
        for module in brought("causes")
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_")
        and name != "alerts"
        and "Alert" in str(inspect.signature(function).return_annotation)
    }
    used = {name for name in makers if f"causes.{name}(" in inspect.getsource(docs_tables.example_alerts)}
    assert used == makers


def test_every_outcome_and_code_of_ours_is_explained() -> None:
    schema = (ROOT / "sql/state/erp/0003_netsuite.sql").read_text(encoding="utf-8")
    allowed = re.search(r"outcome\s+text\s+not null check \(outcome in\s*\((.*?)\)\)", schema, re.DOTALL)
    assert allowed is not None
    assert set(re.findall(r"'(\w+)'", allowed[1])) == set(docs_tables.OUTCOMES)
    ours = inspect.getsource(look_up) + inspect.getsource(core_look_up).replace("{system.upper()}", "NETSUITE")
    assert set(re.findall(r'"([A-Z]+_[A-Z_]+)"', ours)) == set(docs_tables.OWN_CODES)
    assert {row.outcome for row in error_codes.ERROR_CODES} <= set(get_args(error_codes.Outcome))


def test_the_runbook_knows_every_sensor_schedule_job_and_check() -> None:
    definitions = build_defs(Runtime(load_settings()))
    repository = definitions.get_repository_def()
    names = {sensor.name for sensor in definitions.sensors or ()}
    names |= {schedule.name for schedule in definitions.schedules or ()}
    names |= {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    names |= {key.name for key in repository.asset_graph.asset_check_keys}
    runbook = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    assert {name for name in names if f"`{name}`" not in runbook} == set()


def test_the_runbook_says_why_each_value_of_dagster_yaml() -> None:
    values = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    section = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("## Why each value")[2]
    assert [value for value in _values(values, "") if f"`{value}`" not in section] == []


def _values(values: dict[str, object], above: str) -> Iterator[str]:
    for name, value in values.items():
        if name == "postgres_url":  # the variable that it comes from is our own business
            yield above + name
        elif isinstance(value, dict):
            yield from _values(value, f"{above}{name}.")
        else:
            yield f"{above}{name}: {str(value).lower() if isinstance(value, bool) else value}"


def test_commands_have_help_for_the_table() -> None:
    assert [name for name, command in docs_tables.commands().items() if not command.help] == []
    assert all(isinstance(command, click.Command) for command in docs_tables.commands().values())
