"""Every switch of the sandbox: validated values, and the list of faults. README.md explains each one."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, StringConstraints

from billing_assets.sandbox.kit.faults import strike
from billing_assets.sandbox.kit.lost_answers import LostAnswer, LostAnswerRule
from billing_assets.sandbox.kit.switches import LatencySwitches

Operation = Literal["create", "read", "update", "transform", "suiteql", "batch"]
FaultName = Literal[
    LostAnswer,
    "workflow_lock",  # reading and updating the record is refused; SuiteQL and creating work
    "refuse_workflow",  # creating is refused with the workflow lock's error row
    "refuse_record_changed",
    "refuse_permission",
    "refuse_unauthorized",
    "refuse_concurrency",
    "refuse_request_limit",
    "refuse",  # refused with the rule's own `status`, `code`, `detail` and `path`
]


class FaultRule(LostAnswerRule):
    """One rule of the list `faults`. The first rule that fits a request strikes; all conditions must hold."""

    fault: FaultName
    external_ids: list[str] | None = Field(None, description="Only these external ids, in any case of letters")
    operations: list[Operation] | None = Field(
        None, description="Default: create and transform; for workflow_lock read and update"
    )
    record_types: list[Literal["invoice", "creditMemo", "customerPayment"]] | None = None
    status: int = Field(400, ge=400, le=599, description="refuse and html_502: the HTTP status")
    code: str = "USER_ERROR"
    detail: str = "Error while accessing a resource."
    path: str | None = None


class Switches(LatencySwitches):
    """All switches with their defaults: a healthy Premium account without latency."""

    concurrency_limit: PositiveInt = 15
    governance: Literal["forbidden", "integrationSpecific", "accountLimit", "internal"] = "forbidden"
    over_limit: Literal["429", "401"] = "429"
    over_limit_401_seconds: NonNegativeFloat = 60.0
    token_lifetime_seconds: PositiveFloat = 3600.0
    timestamp_skew_seconds: PositiveFloat = 300.0
    closed_periods: list[Annotated[str, StringConstraints(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]] = Field([])
    suiteql_lag_seconds: NonNegativeFloat = 0.0
    suiteql_hidden: list[str] = Field([])
    suiteql_exponents: list[str] = Field([])
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
    faults: list[FaultRule] = Field([])

    def strike(self, operation: Operation, record_type: str | None, external_id: str | None) -> FaultRule | None:
        """The rule that strikes this request, counted down, or None."""
        return strike(self.faults, lambda rule: _fits(rule, operation, record_type, external_id))


def _fits(rule: FaultRule, operation: Operation, record_type: str | None, external_id: str | None) -> bool:
    default = ("read", "update") if rule.fault == "workflow_lock" else ("create", "transform")
    if operation not in (rule.operations or default):
        return False
    if rule.record_types is not None and record_type not in rule.record_types:
        return False
    return rule.external_ids is None or _named(external_id, rule.external_ids)


def _named(external_id: str | None, names: Iterable[str]) -> bool:
    return external_id is not None and external_id.lower() in {name.lower() for name in names}
