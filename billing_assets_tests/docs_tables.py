"""The parts of the documentation that are made from the code; `make docs` writes them.

Each stands between `<!-- generated: name -->` and `<!-- end -->`; `test_docs.py` fails when one differs from the code.
"""

import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import click
import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from billing_assets.erp.audit.findings import CODES
from billing_assets.erp.batches import causes as batches_causes
from billing_assets.erp.batches.cause_store import StaleLock
from billing_assets.erp.close.causes import CAUSES
from billing_assets.erp.documents import documents
from billing_assets.erp.documents.documents import TRANSITIONS, State
from billing_assets.erp.documents.validation_rules import RULES
from billing_assets.erp.netsuite import mapping_file
from billing_assets.erp.netsuite.error_codes import ERROR_CODES, Outcome
from billing_assets.erp.staging import causes as staging_causes
from billing_assets.erp.staging.cause_store import Waiting, WaitingCredit
from billing_assets.foundation.alerts import Alert
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.phrases import ask_the_doctor
from billing_assets.foundation.settings import is_secret, setting_names, variable
from billing_assets.foundation.shipped import shipped
from billing_assets.invoicing.batches import codes
from billing_assets.invoicing.batches.settings import Parameters
from billing_assets.invoicing.control.explaining_kwh import PLACES
from billing_assets.invoicing.invoices import errors, quality
from billing_assets.invoicing.invoices.settings import Thresholds
from billing_assets.metering.import_engine import csv_mapping
from billing_assets.metering.import_engine.codes import CODES as FILE_CODES
from billing_assets.metering.usage import states as usage
from billing_assets.metering.validation.rules import RULES as METER_RULES
from billing_assets.operations.alerts import causes
from billing_assets.operations.cli import command_line
from billing_assets.receivables.balances import late_fee_rules
from billing_assets.receivables.reminders import plan, policy
from billing_assets.sandbox.samples.utility import rates as utility_world
from billing_assets_tests import diagrams

ROOT = Path(__file__).resolve().parent.parent
MARKED = re.compile(r"(<!-- generated: ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)

# What the column `outcome` of billing.posting_log says; test_docs.py holds the keys equal to the schema.
OUTCOMES = {
    "landed": ("NetSuite created the transaction and named its internal id.", "posted"),
    "exists": (
        "NetSuite has a record with this external id; it is looked up and compared before it is believed.",
        "posting",
    ),
    "found": ("A look-up found the transaction, and it is our document.", "posted"),
    "refused": (
        "NetSuite refused the document; sending the same again is refused again. Words that the table above does not "
        "know are looked up once first.",
        "rejected, or posting until looked up",
    ),
    "conflict": ("NetSuite has something else under its external id than was sent. See the code.", "differs"),
    "retry": ("NetSuite did nothing and may accept it later: too busy, record changed, login.", "posting, then locked"),
    "not_sent": ("No byte left this machine, or the run stopped before it: surely not landed.", "posting, then locked"),
    "unknown": ("The request left and no answer proves what became of it.", "posting"),
    "absent": (
        "A look-up proved that it did not land: not found when NetSuite could no longer be working on it.",
        "locked (sent again); rejected where NetSuite had refused it, or where it was deleted there",
    ),
}

# Codes of our own in posting_log and `billing rejected`; test_docs.py holds the keys equal to the code.
OWN_CODES = {
    "EXTERNAL_ID_CONFLICT": (
        "NetSuite has a transaction under this document's external id, but not as it was sent: changed after it "
        "landed, entered by hand, or several at once. The text names its internal id and what differs.",
        "Do not delete it. Correct it in NetSuite, then `billing differs check`; or `billing differs accept`; or "
        "credit it there, then `billing differs credited`.",
    ),
    "EXTERNAL_ID_HIDDEN": (
        "NetSuite says that the external id is taken, but shows the record to no query of this role.",
        "Let the integration's role see all subsidiaries and transactions, then `billing differs check`. Where nothing "
        "has its external id any more, `billing requeue` with its number sends it again.",
    ),
    "DELETED_IN_NETSUITE": (
        "What differed in NetSuite was deleted there: it has nothing under this external id any more.",
        "If it is still owed: `billing requeue` sends it again.",
    ),
}

_OUTCOME_WORDS: dict[Outcome, str] = {
    "exists": "looked up and compared",
    "refused": "rejected",
    "retry": "sent again",
    "throttled": "sent again, with fewer lanes",
    "unauthorized": "new token, sent again; then the run stops",
    "forbidden": "the run stops",
    "unknown": "looked up first",
}


class _SystemError(BillingError):
    """Stands for every error that names its system."""

    system = "<system>"
    to_do = ask_the_doctor(system)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    text = " ".join(text.split()).replace("|", "\\|")
    parts = re.split(r"(`[^`]*`|<br>)", text)  # what looks like HTML vanishes, but not in code
    return "".join(part if index % 2 else part.replace("<", "&lt;") for index, part in enumerate(parts))


def _code(text: object) -> str:
    return f"`{text}`"


def settings() -> str:
    """Every setting by section."""
    parts = []
    names = setting_names()
    for section in dict.fromkeys(name.rpartition(".")[0] for name in names):
        rows = [
            (_code(variable(name)), _secret(field) or _default(field), field.description or "")
            for name, field in names.items()
            if name.rpartition(".")[0] == section
        ]
        title = f"`{section}:` in the settings file" if section else "At the top of the settings file"
        parts.append(f"**{title}**\n\n{table(['variable', 'default', 'meaning'], rows)}")
    return "\n".join(parts)


def _secret(field: FieldInfo) -> str:
    return "**secret**" if is_secret(field) else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    value = field.get_default(call_default_factory=False)
    if value in (None, (), {}):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset):
        value = (*sorted(value),)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else f"`{value}`"


def rules() -> str:
    """Every validation rule."""
    rows = [(_code(code), rule.severity, rule.meaning, rule.remedy) for code, rule in RULES.items()]
    return table(["code", "severity", "meaning", "remedy"], rows)


def close_causes() -> str:
    """Why a document of a month is not the same everywhere."""
    rows = [(_code(name), cause.sort.replace("_", " "), cause.meaning, cause.to_do) for name, cause in CAUSES.items()]
    return table(["cause", "sort", "meaning", "what to do"], rows)


def audit_findings() -> str:
    """Everything that an audit may find."""
    return table(["code", "meaning", "what to do"], [(_code(code), *said) for code, said in CODES.items()])


def netsuite_errors() -> str:
    """NetSuite's error codes, in the order in which they are tried."""
    rows = [
        (
            _code(row.name),
            _statuses(row.http),
            ", ".join(part for part in (row.code and _code(row.code), row.text and f"“{row.text}”") if part) or "any",
            _OUTCOME_WORDS[row.outcome],
            row.meaning,
            row.to_do,
        )
        for row in ERROR_CODES
    ]
    return table(["our name", "HTTP", "NetSuite's code, “text”", "what happens", "meaning", "what to do"], rows)


def _statuses(http: frozenset[int]) -> str:
    if len(http) <= 3:
        return ", ".join(map(str, sorted(http)))
    left_out = [str(status) for status in range(400, 500) if status not in http]
    text = "4xx" + (f" but {', '.join(left_out)}" if left_out else "")
    return text + "".join(f", {status}" for status in sorted(http) if status >= 500)


def outcomes() -> str:
    """The outcomes of the posting log."""
    return table(
        ["outcome", "meaning", "the document is then"], [(_code(name), *said) for name, said in OUTCOMES.items()]
    )


def own_codes() -> str:
    """Codes that the pipeline itself writes where NetSuite gave none."""
    return table(["code", "meaning", "what to do"], [(_code(code), *said) for code, said in OWN_CODES.items()])


def example_alerts() -> list[Alert]:
    """One alert of every cause, made by the code that makes them, with made-up facts."""
    then, now = datetime(2010, 11, 30, 8, tzinfo=UTC), datetime(2010, 12, 1, 8, tzinfo=UTC)
    gbp = (("GBP", Decimal("12.50")),)
    lock = StaleLock("2010-11-0042", None, then, 1000, 15, gbp)
    credit = WaitingCredit("C1", "536365", "The invoice is held: ITEM_UNMAPPED.", then, "GBP", Decimal("-12.50"))
    waiting = [Waiting(state, "GBP", 3, Decimal("12.50"), then) for state in ("ready", "held")]
    found = [
        causes.run_failure(job="<job>", error="<error>", message="…", run_id="…", ui_url=""),
        causes.run_failure(job="<job>", error="<error>", known=_SystemError, message="…", run_id="…", ui_url=""),
        causes.failed_check(asset="<asset>", check="<check>", message="…", run_id="…", ui_url=""),
        batches_causes.stale_lock([lock], stale_lock_minutes=120, ui_url=""),
        *staging_causes.unposted_too_long(waiting, limit_hours=24, ui_url=""),
        staging_causes.credits_wait_too_long([credit], limit_hours=24, ui_url=""),
        staging_causes.voids_undecided(["536365"], (("GBP", Decimal("-12.50")),), then, ui_url=""),
        staging_causes.watermark_too_old(
            source="<source>", succeeded_at=then, watermark=then, now=now, limit_hours=12, ui_url=""
        ),
        batches_causes.partition_left_failed(asset="netsuite_invoices", partitions=["2010-11-0042"], ui_url=""),
        causes.put_back(then, "netsuite", covered=False, months=["2010-11"], reminders=True, ui_url=""),
        causes.journal_unusable("…", ui_url=""),
        causes.daemon_silent(then, now, 180, ui_url=""),
    ]
    return [alert for alert in found if alert is not None]


def alerts() -> str:
    """Every cause of an alert, as a person reads it."""
    rows = [(_code(one.cause), one.severity, one.title, one.what_to_do) for one in example_alerts()]
    return table(["cause", "severity", "title, e.g.", "what to do"], rows)


def commands() -> dict[str, click.Command]:
    """The subcommands of `billing` by name; those of a group as `group name`."""
    return dict(_flat(typer.main.get_command(command_line()), ""))


def _flat(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for own, subcommand in command.commands.items():
            yield from _flat(subcommand, f"{name} {own}".strip())
    else:
        yield name, command


def command_table() -> str:
    """Every command with its options."""
    rows = []
    for name, command in commands().items():
        options = [
            f"`{parameter.opts[0]}`{_option_default(parameter)}{': ' + parameter.help if parameter.help else ''}"
            for parameter in command.params
            if isinstance(parameter, click.Option) and parameter.name != "help"
        ]
        arguments = [f" {one.human_readable_name}" for one in command.params if isinstance(one, click.Argument)]
        rows.append((_code(f"billing {name}{''.join(arguments)}"), command.help or "", "<br>".join(options)))
    return table(["command", "what it does", "options"], rows)


def _option_default(option: click.Option) -> str:
    return "" if option.is_flag or option.default in (None, [], ()) else f" (`{option.default}`)"


def states() -> str:
    """The states in the words of the enum's comments."""
    source = inspect.getsource(documents.State)
    said = dict(re.findall(r'= "([a-z]+)"  # (.+)', source))
    rows = [
        (_code(state), said[state], ", ".join(f"`{to}`" for to in _targets(state)) or "none: it is the end")
        for state in State
    ]
    return table(["state", "meaning", "leaves to"], rows)


def _targets(state: State) -> Iterator[State]:
    return (target for target in State if target in TRANSITIONS[state])


def state_diagram() -> str:
    """The moves as a Mermaid diagram. States that may all follow one another are one box, to keep it readable."""
    box = TRANSITIONS[State.OPEN] | {State.OPEN}
    if not all(box - {state} <= TRANSITIONS[state] for state in box):
        raise ValueError("The states in which a document rests no longer all follow one another: draw them apart.")
    lines = ["stateDiagram-v2", '    state "staging decides, again and again" as resting {']
    lines += [f"        {state}" for state in State if state in box]
    lines += ["    }", "    [*] --> resting: staged"]
    for state in State:
        targets = list(_targets(state))
        if state in box:
            targets = [target for target in targets if target not in box]
        elif set(targets) >= box:
            lines.append(f"    {state} --> resting")
            targets = [target for target in targets if target not in box]
        lines += [f"    {state} --> {target}" for target in targets]
        if not TRANSITIONS[state]:
            lines.append(f"    {state} --> [*]")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


_MAPPING_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file", mapping_file.MappingFile),
    ("`external_id`", mapping_file.Prefixes),
    ("`currencies.<code>`", mapping_file.CurrencyMapping),
    ("`tables.<name>`", mapping_file.TableFile),
    ("`body.<field>`, `line.<field>`, `tax.type`, `tax.code`", mapping_file.FieldSource),
    ("`tax`", mapping_file.TaxMapping),
)

# Sections whose models say nothing themselves.
_MAPPING_WORDS = {
    ("MappingFile", "external_id"): "Prefixes of the external id, by kind",
    ("MappingFile", "currencies"): "The currencies that may be billed, by ISO 4217 code",
    ("MappingFile", "tables"): "Lookup tables, by a name of your choice",
    ("MappingFile", "body"): "Fields of the transaction, by NetSuite's field id; `entity` is needed",
    ("MappingFile", "line"): "Fields of every line, by NetSuite's field id; `item` is needed",
    ("MappingFile", "tax"): "Tax details of lines; without it a line with tax is held",
    ("Prefixes", "invoice"): "A-Z, 0-9, `_` and `-`; never change it once something is posted",
    ("Prefixes", "credit_memo"): "The same; neither may begin with the other",
    ("TaxMapping", "type"): "The tax type, as a field below `body` is given",
    ("TaxMapping", "code"): "The tax code, likewise",
}


def mapping_keys() -> str:
    """Every key of the mapping file, section by section."""
    parts = []
    for title, model in _MAPPING_PARTS:
        rows = [
            (_code(name), _mapping_default(field), field.description or _MAPPING_WORDS[(model.__name__, name)])
            for name, field in model.model_fields.items()
        ]
        parts.append(f"**{title}**\n\n{table(['key', 'default', 'meaning'], rows)}")
    return "\n".join(parts)


def _mapping_default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=False)
    return "" if isinstance(default, BaseModel) else _default(field)


_LATE_FEE_WORDS = {("LateFeeRules", "rules"): "The rules, in any order"}


def late_fee_keys() -> str:
    """Every key of the file of late fees."""
    models = (
        ("The file", late_fee_rules.LateFeeRules),
        ("`rules[]`", late_fee_rules.Rule),
        ("`rules[].holidays`", late_fee_rules.Holidays),
    )
    parts = []
    for title, model in models:
        rows = [
            (_code(name), _default(field), field.description or _LATE_FEE_WORDS[(model.__name__, name)])
            for name, field in model.model_fields.items()
        ]
        parts.append(f"**{title}**\n\n{table(['key', 'default', 'meaning'], rows)}")
    return "\n".join(parts)


_LADDER_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file, and each of its `branches`", policy.Terms),
    ("The file only", policy.LadderFile),
    ("`steps[]`", policy.StepEntry),
    ("`company`", policy.Company),
)


def column_mappings() -> str:
    """The column mappings that ship."""
    found = [csv_mapping.load_mapping(path.stem) for path in sorted(shipped("config/metering_mappings").glob("*.yaml"))]
    return table(["name", "version", "reads"], [(_code(one.name), str(one.version), one.title) for one in found])


_COLUMN_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("The file", csv_mapping.ColumnMapping),
    ("`times`", csv_mapping.Times),
    ("`channels`, by the text or the column", csv_mapping.Channel),
    ("`wide`", csv_mapping.Wide),
    ("`cost`", csv_mapping.Cost),
    ("`cumulative`", csv_mapping.Cumulative),
)


def column_mapping_keys() -> str:
    """Every key of a column mapping."""
    parts = []
    for title, model in _COLUMN_PARTS:
        rows = [
            (_code(field.alias or name), _mapping_default(field), field.description or "")
            for name, field in model.model_fields.items()
        ]
        parts.append(f"**{title}**\n\n{table(['key', 'default', 'meaning'], rows)}")
    return "\n".join(parts)


def ladder_keys() -> str:
    """Every key of the ladder file of payment reminders."""
    parts = []
    for title, model in _LADDER_PARTS:
        own = {name: field for name, field in model.model_fields.items() if name in model.__annotations__}
        rows = [(_code(name), _default(field), field.description or "") for name, field in own.items()]
        parts.append(f"**{title}**\n\n{table(['key', 'default', 'meaning'], rows)}")
    return "\n".join(parts)


def kept_back() -> str:
    """Why a reminder that is due is not sent."""
    return table(["reason", "in words"], [(_code(name), said) for name, said in plan.REASONS.items()])


def utility_points() -> str:
    """The kinds of points of the utility sample."""
    rows = [(pool, f"{share * utility_world.POINTS // 1_000:,}") for pool, share in utility_world.SHARES.items()]
    return table(["points", "number"], rows)


def utility_faults() -> str:
    """What goes wrong with points of the utility sample."""
    rows = [
        (one.pool, one.name, str(one.rate), one.what, f"{one.ends} {_code(one.code)}" if one.code else one.ends)
        for one in utility_world.FAULTS
    ]
    return table(["points", "fault", "of 1,000", "what happens", "the month in the end"], rows)


def utility_file_faults() -> str:
    """What goes wrong with files of the utility sample."""
    rows = [
        (one.format, one.name, str(one.rate), one.what, f"{one.verdict} {_code(one.code)}" if one.code else one.verdict)
        for one in utility_world.FILE_FAULTS
    ]
    return table(["files", "fault", "of 1,000", "what happens", "verdict"], rows)


def usage_states() -> str:
    """The states of usage and charges in the words of the enum's comments."""
    said = dict(re.findall(r'= "([a-z]+)"  # (.+)', inspect.getsource(usage.State)))
    rows = [
        (
            _code(state),
            said[state],
            ", ".join(f"`{to}`" for to in usage.State if to in targets) or "none: it is the end",
        )
        for state in usage.State
        for targets in [usage.TRANSITIONS[state]]
    ]
    return table(["state", "meaning", "leaves to"], rows)


def usage_rules() -> str:
    """What each arrival of usage and charges does."""
    rows = [(one.arrives, one.finds, one.effect, one.code and _code(one.code)) for one in usage.RULES.values()]
    return table(["arrives", "finds", "effect", "code"], rows)


def usage_codes() -> str:
    """Why usage and charges are held or wait."""
    rows = [(_code(code), one.meaning, one.to_do, "yes" if one.releasable else "") for code, one in usage.CODES.items()]
    return table(["code", "meaning", "what to do", "can be released"], rows)


def kwh_places() -> str:
    """Where usage may be."""
    return table(["place", "meaning"], [(one.replace("_", " "), meaning) for one, meaning in PLACES.items()])


def file_codes() -> str:
    """What a file can be refused or held for, or be warned of, by what is read."""
    rows = [
        (what, _code(one.code), _MEANS[one.severity], one.sentence.replace("{", "*").replace("}", "*"), one.to_do)
        for what, codes in FILE_CODES.items()
        for one in codes.values()
    ]
    return table(["read", "code", "means", "sentence", "what to do"], rows)


_MEANS = {"refuse": "refused", "hold": "held", "warn": "kept"}


def validation_rules() -> str:
    """The rules that readings are judged by, in their order."""
    rows = [
        (
            _code(code),
            rule.severity,
            rule.meaning,
            ", ".join(f"{name} {value:f}" for name, value in rule.parameters.items()),
            rule.remedy,
        )
        for code, rule in METER_RULES.items()
    ]
    return table(["code", "severity", "checks", "parameters", "what to do"], rows)


def invoice_validations() -> str:
    """The validations before an invoice, in their order, with what may be set."""
    rows = [
        (
            _code(code),
            one.severity,
            _shown(one.sentence),
            "yes" if one.waivable else "",
            "always" if code in codes.ALWAYS else "",
            _set(Parameters, one.parameters),
            codes.TO_DO[code],
        )
        for code, one in codes.CODES.items()
    ]
    return table(["code", "severity", "sentence", "can be waived", "on", "parameters", "what to do"], rows)


def invoice_checks() -> str:
    """The checks before release, with what may be set."""
    rows = [
        (_code(code), one.severity, _shown(one.sentence), _set(Thresholds, one.thresholds), quality.TO_DO[code])
        for code, one in quality.CODES.items()
    ]
    return table(["code", "severity", "sentence", "thresholds", "what to do"], rows)


def invoice_errors() -> str:
    """Why a member is not invoiced, or a batch not issued."""
    return table(
        ["code", "sentence", "what to do"],
        [(_code(code), _shown(one.sentence), one.to_do) for code, one in errors.CODES.items()],
    )


def _shown(sentence: str) -> str:
    return sentence.replace("{", "*").replace("}", "*")


def _set(section: type[BaseModel], names: Iterable[str]) -> str:
    """Settings with their defaults."""
    return ", ".join(f"`{name}` {_default(section.model_fields[name])}".strip() for name in names)


GENERATED = {
    "invoice_validations": invoice_validations,
    "invoice_checks": invoice_checks,
    "invoice_errors": invoice_errors,
    "file_codes": file_codes,
    "validation_rules": validation_rules,
    "utility_points": utility_points,
    "utility_faults": utility_faults,
    "utility_file_faults": utility_file_faults,
    "column_mappings": column_mappings,
    "column_mapping_keys": column_mapping_keys,
    "ladder_keys": ladder_keys,
    "kept_back": kept_back,
    "settings": settings,
    "rules": rules,
    "close_causes": close_causes,
    "audit_findings": audit_findings,
    "netsuite_errors": netsuite_errors,
    "outcomes": outcomes,
    "own_codes": own_codes,
    "alerts": alerts,
    "commands": command_table,
    "states": states,
    "state_diagram": state_diagram,
    "areas_diagram": diagrams.areas,
    "sinks": diagrams.sinks,
    "usage_diagram": diagrams.usage,
    "usage_states": usage_states,
    "usage_rules": usage_rules,
    "usage_codes": usage_codes,
    "kwh_places": kwh_places,
    "mapping_keys": mapping_keys,
    "late_fee_keys": late_fee_keys,
}


def generated(text: str) -> str:
    """A document's text with everything between its markers made anew. Raises KeyError for an unknown name."""
    return MARKED.sub(lambda found: f"{found[1]}\n{GENERATED[found[2]]()}\n{found[3]}", text)


def main() -> None:
    """Rewrites the documents whose generated parts are not up to date."""
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (anew := generated(text)) != text:
            path.write_text(anew, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} rewritten")


if __name__ == "__main__":
    main()
