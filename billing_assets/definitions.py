"""The code location: what the rooms of the areas that are switched on bring, and what all of them share."""

import dagster as dg

from billing_assets.areas import verbs
from billing_assets.foundation.dagster_helpers.resource import billing_resource
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import load_settings


def build_defs(runtime: Runtime | None = None) -> dg.Definitions:
    """Fresh definitions on a runtime, by default the one of the environment's settings.

    Raises SettingsError when the settings are wrong.
    """
    runtime = runtime or Runtime(load_settings(), may_start_server=False)
    settings = runtime.settings
    configure_logs(settings.log_format)
    shared = dg.Definitions(resources={"billing": billing_resource(runtime)}, executor=dg.in_process_executor)
    rooms = [build(settings) for build in verbs("definitions", "build", settings.areas)]
    return dg.Definitions.merge(shared, *rooms)


defs = build_defs()
