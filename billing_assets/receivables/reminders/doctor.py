"""Reminders, as `billing doctor` sees them."""

from collections.abc import Iterator

from billing_assets.erp.contract import BillingSystem, NetSuite
from billing_assets.foundation.doctor import Checked, looked
from billing_assets.foundation.runtime import Runtime
from billing_assets.receivables.reminders.materials import load_materials
from billing_assets.receivables.reminders.smtp import Mailer, parse_server
from billing_assets.receivables.settings import ReminderSettings


def examine(runtime: Runtime) -> Iterator[Checked]:
    """Looks at ladder, templates and mail server."""
    yield looked("Reminders", _reminders, runtime)


def _reminders(runtime: Runtime) -> str:
    settings = runtime.settings.of(ReminderSettings)
    if not settings.enabled:
        return "switched off; nothing is sent"
    materials = load_materials(
        settings,
        runtime.of(BillingSystem).engine,
        runtime.of(BillingSystem).queries,
        runtime.settings.calendar.zones,
        in_sample=runtime.of(NetSuite).in_sample,
    )
    materials.templates.check(materials.policy)
    server = parse_server(settings.smtp_url)
    with Mailer(server, materials.policy.domain) as mailer:
        mailer.greet()
    return f"ladder and templates are whole; the mail server {server.host} answers and takes the login, if it wants one"
