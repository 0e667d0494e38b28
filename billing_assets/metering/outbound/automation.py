"""When interchanges go to their partners: as soon as there are some; and the button that sends one again."""

import dagster as dg
from pydantic import Field

from billing_assets.foundation.dagster_helpers.failing import explained
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.metering.outbound.delivery import due
from billing_assets.metering.outbound.resending import resend
from billing_assets.metering.outbound.settings import OutboundSettings

SEND_JOB = "send_outbound_interchanges"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


class ResendConfig(dg.Config):
    """Which interchange is sent again; who decides, and why, kept for good."""

    interchange: int = Field(description="Number of the interchange, as `billing metering status` shows it.")
    by: str = Field(default="", description="Your name.")
    why: str = Field(default="", description="The reason.")


@dg.op(description="Has an interchange sent to its partner once more: the same bytes under the same control number.")
@explained
def resend_interchange(
    context: dg.OpExecutionContext, config: ResendConfig, billing: dg.ResourceParam[Runtime]
) -> None:
    """Notes the decision; the sensor asks for the delivery."""
    with billing.state() as connection:
        name = resend(connection, config.interchange, config.by, config.why)
    context.add_output_metadata({"file": name})
    context.log.info(f"{name} leaves with the next delivery.")


@dg.job(
    description="Send an interchange that a partner refused or lost once more, by your decision. Give its number, who "
    "and why in the config."
)
def resend_outbound_interchange() -> None:
    """One step: note the decision."""
    resend_interchange()


def send_when_due_sensor(settings: Settings) -> dg.SensorDefinition:
    """Asks for a run while a batch can be delivered."""

    @dg.sensor(
        name="send_outbound_interchanges_when_due",
        job_name=SEND_JOB,
        minimum_interval_seconds=settings.of(OutboundSettings).sensor_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a run when there are interchanges that can be delivered to their partners now.",
    )
    def send_when_due(
        context: dg.SensorEvaluationContext, billing: dg.ResourceParam[Runtime]
    ) -> dg.SensorResult | dg.SkipReason:
        with billing.state() as connection:
            batches = due(connection, billing.settings)
        if not batches:
            return dg.SkipReason("Everything is delivered, rests, or waits for a person.")
        if context.instance.get_runs(dg.RunsFilter(job_name=SEND_JOB, statuses=_UNFINISHED), limit=1):
            return dg.SkipReason("A run delivers already.")
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={"billing/asked_by": "send_outbound_interchanges"})])

    return send_when_due
