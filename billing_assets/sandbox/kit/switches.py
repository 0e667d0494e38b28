"""Switches: how one declares them, reads them from a command line and changes them while the sandbox runs."""

import difflib
import json
import random
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, ValidationError

from billing_assets.sandbox.kit.errors import SwitchError


class Switches(BaseModel):
    """The base of a sandbox's switches: one field each, typed, its default what a healthy system does."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """These switches, the others at their defaults. Raises SwitchError with every problem in one sentence."""
        for name in values:
            if name not in cls.model_fields:
                raise SwitchError(_unknown(str(name), cls.model_fields))
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            problems = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise SwitchError("; ".join(problems)) from error

    def changed(self, values: Mapping[str, Any]) -> Self:
        """The switches with these ones replaced. Raises SwitchError."""
        return type(self).of({**self.model_dump(), **values})


class LatencySwitches(Switches):
    """Switches of a server that takes its time."""

    latency_median_ms: NonNegativeFloat = 0.0
    latency_sigma: NonNegativeFloat = 0.5
    latency_tail: tuple[Annotated[float, Field(ge=0, le=1)], NonNegativeFloat] = (0.0, 0.0)

    def latency_seconds(self) -> float:
        """One draw of the server's working time."""
        probability, tail_ms = self.latency_tail
        if probability and random.random() < probability:  # noqa: S311  chance, no secret
            return tail_ms / 1000
        if not self.latency_median_ms:
            return 0.0
        # a lognormal's median is e^mu
        return self.latency_median_ms * random.lognormvariate(0.0, self.latency_sigma) / 1000


def parse_switches(texts: Iterable[str]) -> dict[str, Any]:
    """`name=value` of a command line, the value as JSON or else as plain text. Raises SwitchError."""
    return dict(_parsed(text) for text in texts)


def _parsed(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator:
        raise SwitchError(f"{text} has no value: give name=value")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _unknown(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, 2)
    hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"there are {', '.join(names)}"
    return f"there is no switch {name}: {hint}"
