"""Rules that say which request a fault strikes, and how often. What the fault does is the sandbox's own matter.

`lost_answers.py` has the faults that every HTTP server can have.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field


class FaultRule(BaseModel):
    """The base of a rule: a sandbox narrows `fault` and `operations` to its own names and adds what else narrows."""

    model_config = ConfigDict(extra="forbid")

    fault: str
    probability: float = Field(1.0, ge=0, le=1)
    next: int | None = Field(None, ge=0, description="Strikes this many times, then never again")
    operations: Sequence[str] | None = None


Rule = TypeVar("Rule", bound=FaultRule)


def strike(rules: Iterable[Rule], fits: Callable[[Rule], bool]) -> Rule | None:
    """The first rule that fits a request and strikes it, counted down; None where none does."""
    for rule in rules:
        if rule.next == 0 or not fits(rule):
            continue
        if rule.probability >= 1 or random.random() < rule.probability:  # noqa: S311  chance, no secret
            if rule.next is not None:
                rule.next -= 1
            return rule
    return None
