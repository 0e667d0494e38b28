"""Codes of findings: what each means for its unit, its sentence, and what a clerk does about it."""

from typing import NamedTuple

from billing_assets.foundation.outside_text import code
from billing_assets.metering.import_engine.messages import FINDINGS_KEPT, FileReport, Severity

_LONGEST_QUOTE = 80


class Code(NamedTuple):
    """A code. `sentence`: with `{line}` and the facts in braces. `whole`: of the file, not of one message in it."""

    code: str
    severity: Severity
    sentence: str
    to_do: str
    whole: bool = True


def table(*codes: Code) -> dict[str, Code]:
    """Codes by their names."""
    found = {one.code: one for one in codes}
    if len(found) < len(codes):
        raise ValueError("A code is in the table twice.")
    return found


def note(report: FileReport, code: Code, line: int | None = None, **facts: object) -> None:
    """Notes a finding. Texts among the facts are from the file: they are shown short and without controls."""
    sentence = sentence_of(code, line=line, **facts) if len(report.findings) < FINDINGS_KEPT else ""
    report.add(code.code, line, sentence, code.severity, whole=code.whole)


def sentence_of(code: Code, **facts: object) -> str:
    """A code's sentence with its facts."""
    return code.sentence.format(**{name: shown(fact) for name, fact in facts.items()})


def shown(fact: object) -> str:
    """A fact as it may be in a sentence."""
    text = fact.decode("utf-8", "replace") if isinstance(fact, bytes) else str(fact)
    text = text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
    return text if text.isprintable() else "".join(char if char.isprintable() else code(char) for char in text)
