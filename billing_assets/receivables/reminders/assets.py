"""Payment reminders as an asset: what went out, what did not and why.

It has no partitions: what goes out depends on what is open and on what was said before, not on a day. No one can send
yesterday's reminders again, and a day is not the same for two customers. The table has every reminder with its time.
"""

from collections import Counter
from collections.abc import Iterator

import dagster as dg

from billing_assets.erp.contract import BillingSystem, NetSuite
from billing_assets.foundation.dagster_helpers.failing import explained, failure
from billing_assets.foundation.dagster_helpers.presentation import money, typed_table
from billing_assets.foundation.journal.compared import journal_of
from billing_assets.foundation.runtime import Runtime
from billing_assets.receivables.reminders import store
from billing_assets.receivables.reminders.materials import load_materials
from billing_assets.receivables.reminders.sending import Report, send_due, utc_now
from billing_assets.receivables.reminders.smtp import Delivery, parse_server
from billing_assets.receivables.settings import ReminderSettings

ARRIVE = dg.AssetCheckSpec(
    "reminders_arrive",
    asset="payment_reminders",
    description="No customer's last reminder came back. The metadata lists them by number: fix the address in the "
    "billing system.",
)
KNOWN = dg.AssetCheckSpec(
    "every_reminder_is_known",
    asset="payment_reminders",
    description="Of every reminder it is known whether the mail server took it. What is not, a person decides: "
    "`billing reminders resolve`.",
)
WRITTEN = dg.AssetCheckSpec(
    "every_mail_can_be_written",
    asset="payment_reminders",
    description="Of every reminder that was due a mail could be made. The metadata names what is wrong with a "
    "template, or with a name or number of the billing system; the others were sent.",
)

_SHOWN = ["number", "open_amount", "customer", "step", "currency"]


@dg.asset(
    metadata={"dagster/table_name": "billing.reminders"},
    deps=["open_receivables"],
    group_name="reminders",
    kinds={"postgres", "email"},
    owners=["team:finance"],
    check_specs=[ARRIVE, KNOWN, WRITTEN],
    description="One row per open invoice and step of the ladder: payment reminders by e-mail, in the customer's "
    "business hours, at most one per step and invoice. Sent every half hour to those whose office is open; nothing is "
    "sent unless `reminders.enabled` says so.",
)
@explained
def payment_reminders(
    context: dg.AssetExecutionContext, billing: dg.ResourceParam[Runtime]
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Sends what is due now, and fails at its end if the mail server stopped it."""
    settings = billing.settings.of(ReminderSettings)
    report = Report(stopped_by=None)
    with billing.state() as connection:
        if settings.enabled:
            billing.of(BillingSystem).compare()
            materials = load_materials(
                settings,
                billing.of(BillingSystem).engine,
                billing.of(BillingSystem).queries,
                billing.settings.calendar.zones,
                in_sample=billing.of(NetSuite).in_sample,
            )
            journal = journal_of(connection, billing.settings)
            report = send_due(
                connection, materials, parse_server(settings.smtp_url), context.run.run_id, utc_now, journal
            )
        unreachable = store.unreachable(connection)
        unknown = store.listed(connection, ["unknown"])
    metadata = {"enabled": settings.enabled, **report_metadata(report)}
    unwritten = [one for one in report.kept if one.problem]
    yield dg.AssetCheckResult(
        check_name=ARRIVE.name,
        passed=not unreachable,
        metadata={
            "customers": len(unreachable),
            "bounced": typed_table(unreachable, [*_SHOWN, "smtp_code", "smtp_status", "settled_at"]),
        },
    )
    yield dg.AssetCheckResult(
        check_name=KNOWN.name,
        passed=not unknown,
        metadata={"reminders": len(unknown), "unknown": typed_table(unknown, [*_SHOWN, "claimed_at"])},
    )
    yield dg.AssetCheckResult(
        check_name=WRITTEN.name,
        passed=not unwritten,
        metadata={
            "reminders": len(unwritten),
            "unwritten": typed_table(
                (one.invoice._asdict() | {"step": one.step, "problem": one.problem} for one in unwritten),
                ["number", "problem", *_SHOWN[1:]],
            ),
        },
    )
    if report.stopped_by:
        raise failure(
            report.stopped_by,
            billing.settings.alerts,
            to_do="Run `billing doctor` and fix the mail server. What was not sent is sent by the next run, and "
            "nothing twice.",
            chapter="payment-reminders",
            metadata=metadata,
        )
    yield dg.MaterializeResult(metadata=metadata)


def report_metadata(report: Report) -> dict[str, dg.MetadataValue | int | bool]:
    """A run's report as finance reads it: counts by step, amounts per currency, what did not go out and why."""
    metadata: dict[str, dg.MetadataValue | int | bool] = {
        "sent": report.count(Delivery.SENT),
        "deferred": report.count(Delivery.LATER),
        "bounced": report.count(Delivery.NEVER),
        "unknown": report.count(Delivery.UNKNOWN) + report.orphans,
        "skipped_steps": report.passed_over,
        "kept_back": len(report.kept),
        "by_step": typed_table(
            ({"step": step, "sent": sent} for step, sent in sorted(report.sent_by_step.items())), ["step", "sent"]
        ),
        "kept_back_by_reason": typed_table(
            ({"reason": why, "invoices": n} for why, n in sorted(Counter(one.reason for one in report.kept).items())),
            ["reason", "invoices"],
        ),
        "not_taken": typed_table(
            (
                one._asdict() | {"delivery": one.delivery.value}
                for one in report.tried
                if one.delivery is not Delivery.SENT
            ),
            ["number", "delivery", "code", "status", *_SHOWN[1:]],
        ),
    }
    for currency, total in sorted(report.sent_amounts.items()):
        metadata |= money(f"asked_for_{currency}", total)
    return metadata
