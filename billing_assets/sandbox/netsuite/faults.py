"""What a fault does to a request, before and after its record is saved: NetSuite's refusals, and lost answers."""

from collections.abc import Callable

from starlette.responses import Response

from billing_assets.sandbox.kit import lost_answers
from billing_assets.sandbox.netsuite import errors
from billing_assets.sandbox.netsuite.switches import FaultRule, Switches

_REFUSALS: dict[str, Callable[[], errors.NetSuiteError]] = {
    "workflow_lock": errors.workflow_lock,
    "refuse_workflow": errors.workflow_lock,
    "refuse_record_changed": errors.record_changed,
    "refuse_permission": errors.permission,
    "refuse_unauthorized": errors.invalid_login,
    "refuse_concurrency": errors.concurrency_exceeded,
}


async def before_saving(rule: FaultRule | None, switches: Switches) -> Response | None:
    """Wait, refuse (NetSuiteError) or answer in the server's place; None lets the request go on."""
    if rule is None:
        return None
    if rule.fault in lost_answers.LOST_ANSWERS:
        return await lost_answers.before_saving(rule, _unexpected)
    if rule.fault == "refuse_request_limit":
        raise errors.request_limit(switches.request_limit_status)
    if rule.fault == "refuse":
        raise errors.NetSuiteError(rule.status, rule.code, rule.detail, rule.path)
    raise _REFUSALS[rule.fault]()


async def after_saving(rule: FaultRule | None) -> Response | None:
    """What becomes of the answer after the record was saved; None: it is given."""
    return await lost_answers.after_saving(rule, _unexpected)


def _unexpected() -> Response:
    raise errors.unexpected()
