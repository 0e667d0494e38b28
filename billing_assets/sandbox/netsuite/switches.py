"""Every switch of the sandbox: validated values, and the list of faults. README.md explains each one."""

import random
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, StringConstraints

Operation = Literal["create", "read", "update", "transform", "suiteql", "batch"]
FaultName = Literal[
    "commit_then_drop",  # the record is saved, the connection is cut without an answer
    "commit_then_500",  # the record is saved, the answer is 500 UNEXPECTED_ERROR
    "commit_then_delay",  # the record is saved, the answer comes `seconds` later
    "late_commit",  # waits `seconds`, then saves, whether the client is still there or not
    "drop_without_commit",  # the connection is cut, nothing is saved
    "error_500_without_commit",  # 500 UNEXPECTED_ERROR, nothing is saved
    "html_502",  # a gateway's HTML page (`status` 502, 503 or 504), nothing is saved
    "workflow_lock",  # reading and updating the record is refused; SuiteQL and creating work
    "refuse_workflow",  # creating is refused with the workflow lock's error row
    "refuse_record_changed",
    "refuse_permission",
    "refuse_unauthorized",
    "refuse_concurrency",
    "refuse_request_limit",
    "refuse",  # refused with the rule's own `status`, `code`, `detail` and `path`
]
COMMITTING: frozenset[str] = frozenset({"commit_then_drop", "commit_then_500", "commit_then_delay", "late_commit"})


class FaultRule(BaseModel):
    """One rule of the list `faults`. The first rule that fits a request strikes; all conditions must hold."""

    model_config = ConfigDict(extra="forbid")

    fault: FaultName
    probability: float = Field(1.0, ge=0, le=1)
    next: int | None = Field(None, ge=0, description="Strikes this many times, then never again")
    external_ids: list[str] | None = Field(None, description="Only these external ids, in any case of letters")
    operations: list[Operation] | None = Field(
        None, description="Default: create and transform; for workflow_lock read and update"
    )
    record_types: list[Literal["invoice", "creditMemo", "customerPayment"]] | None = None
    seconds: NonNegativeFloat = Field(
        0.0, description="late_commit: how long the server works before it saves; commit_then_delay: after it"
    )
    status: int = Field(400, ge=400, le=599, description="refuse and html_502: the HTTP status")
    code: str = "USER_ERROR"
    detail: str = "Error while accessing a resource."
    path: str | None = None


class Switches(BaseModel):
    """All switches with their defaults: a healthy Premium account without latency."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    latency_median_ms: NonNegativeFloat = 0.0
    latency_sigma: NonNegativeFloat = 0.5
    latency_tail: tuple[Annotated[float, Field(ge=0, le=1)], NonNegativeFloat] = (0.0, 0.0)
    concurrency_limit: PositiveInt = 15
    governance: Literal["forbidden", "integrationSpecific", "accountLimit", "internal"] = "forbidden"
    over_limit: Literal["429", "401"] = "429"
    over_limit_401_seconds: NonNegativeFloat = 60.0
    token_lifetime_seconds: PositiveFloat = 3600.0
    timestamp_skew_seconds: PositiveFloat = 300.0
    closed_periods: list[Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]] = []
    suiteql_lag_seconds: NonNegativeFloat = 0.0
    suiteql_hidden: list[str] = []
    suiteql_exponents: list[str] = []
    transaction_subsidiary: bool = False
    metadata: Literal["inline", "linked", "refused"] = "inline"
    credit_total_sign: Literal["negative", "positive"] = "negative"
    line_sign: Literal["ledger", "entered"] = "ledger"
    status_format: Literal["object", "enum", "string"] = "object"
    idempotency_status: Literal[400, 409] = 400
    job_location: Literal["relative", "absolute"] = "relative"
    task_links: Literal["one_item", "item_each"] = "one_item"
    async_processors: PositiveInt = 2
    request_limit_status: Literal[400, 429] = 429
    faults: list[FaultRule] = []

    def latency_seconds(self) -> float:
        """One draw of the server's working time."""
        probability, tail_ms = self.latency_tail
        if probability and random.random() < probability:  # noqa: S311  chance, no secret
            return tail_ms / 1000
        if not self.latency_median_ms:
            return 0.0
        # a lognormal's median is e^mu
        return self.latency_median_ms * random.lognormvariate(0.0, self.latency_sigma) / 1000

    def strike(self, operation: Operation, record_type: str | None, external_id: str | None) -> FaultRule | None:
        """The rule that strikes this request, counted down, or None."""
        for rule in self.faults:
            if _fits(rule, operation, record_type, external_id):
                if rule.next is not None:
                    rule.next -= 1
                return rule
        return None


def _fits(rule: FaultRule, operation: Operation, record_type: str | None, external_id: str | None) -> bool:
    default = ("read", "update") if rule.fault == "workflow_lock" else ("create", "transform")
    if rule.next == 0 or operation not in (rule.operations or default):
        return False
    if rule.record_types is not None and record_type not in rule.record_types:
        return False
    if rule.external_ids is not None and not _named(external_id, rule.external_ids):
        return False
    return rule.probability >= 1 or random.random() < rule.probability  # noqa: S311  chance, no secret


def _named(external_id: str | None, names: Iterable[str]) -> bool:
    return external_id is not None and external_id.lower() in {name.lower() for name in names}


def changed(current: Switches, values: dict[str, Any]) -> Switches:
    """The switches with the given ones replaced. Raises pydantic's ValidationError, which names the wrong one."""
    return Switches.model_validate({**current.model_dump(), **values})
