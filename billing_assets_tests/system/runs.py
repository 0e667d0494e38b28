"""Runs that go well and runs that fail in every way that leaves a traceback, in a process of its own.

Takes the settings from the environment, and makes a real Dagster instance in our database, so that all its events are
kept. All that it says and writes is looked through afterwards. Orders come as JSON on standard input.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import dagster as dg
import typer
from pydantic import SecretStr
from sqlalchemy import make_url

from billing_assets.definitions import build_defs
from billing_assets.erp.settings import SourceSettings
from billing_assets.foundation.commands.machine import opened_runtime
from billing_assets.foundation.database.connection import connect
from billing_assets.foundation.logs import configure_logs
from billing_assets.foundation.runtime import Runtime
from billing_assets.foundation.settings import Settings
from billing_assets.operations import cli, environment
from billing_assets.posting import retries
from proving.world.raw_server import Call, raw_server


def main() -> None:
    """Bills what the source has, then fails; says of each run how it ended."""
    orders = json.loads(sys.stdin.read())
    with opened_runtime() as found:
        configure_logs("json")
        prepared = environment.prepare(found)
        environment.write_environment_file(prepared.home)
        settings, instance = prepared.runtime.settings, prepared.instance
        batch = _bill(instance, prepared.runtime)
        for what, changed in _broken(settings, Path(orders["queries"])).items():
            _run(instance, what, changed, "stage_invoices")
        _run_on_a_table_that_refuses(instance, settings, orders["touch"])
        _run_on_an_odd_netsuite(instance, settings, batch)
        _run(instance, "a dry run", settings, "preview_batch", batch)
    for command in (["status"], ["status", "--json"], ["held"], ["rejected"], ["doctor"]):
        with contextlib.suppress(typer.Exit):
            cli.command_line()(command, standalone_mode=False)


def _bill(instance: dg.DagsterInstance, runtime: Runtime) -> str:
    """Stages, plans and posts as the sensors ask; the batch that NetSuite refused some documents of."""
    _run(instance, "a staging", runtime.settings, "stage_invoices")
    defs = build_defs(runtime)
    with dg.build_sensor_context(instance=instance, resources={"billing": runtime}) as context:
        planned: Any = defs.resolve_sensor_def("plan_batches")(context)
    for request in planned.dynamic_partitions_requests:
        instance.add_dynamic_partitions(request.partitions_def_name, list(request.partition_keys))
    (batch,) = [str(one.partition_key) for one in planned.run_requests]
    _run(instance, "a batch with refusals", runtime.settings, "post_batch", batch)
    return batch


def _broken(settings: Settings, queries: Path) -> dict[str, Settings]:
    url, ours = make_url(_text(settings.of(SourceSettings).url)), make_url(_text(settings.database_url))
    return {
        "a billing database that is not there": _with(settings, "source", url=_secret(url.set(port=1))),
        "a wrong password": _with(settings, "source", url=_secret(url.set(password="MARKER-wrong"))),
        "a URL that is none": _with(settings, "source", url=SecretStr("postgresql+psycopg://x:MARKER-pass@[::1/x")),
        "a query that stumbles over a value": _with(settings, "source", queries=queries),
        "our database not there": settings.model_copy(update={"database_url": _secret(ours.set(port=1))}),
    }


def _run_on_a_table_that_refuses(instance: dg.DagsterInstance, settings: Settings, number: str) -> None:
    """PostgreSQL says of a refused row everything that stands in it."""
    with connect(_text(settings.of(SourceSettings).url)) as source:
        source.execute("update invoices set memo = memo || '.' where number = %s", [number])
    with connect(_text(settings.database_url)) as state:
        state.execute("alter table billing.staged_invoices add constraint planted check (memo is null) not valid")
        try:
            _run(instance, "a row that our own database refuses", settings, "stage_invoices")
        finally:
            state.execute("alter table billing.staged_invoices drop constraint planted")


def _run_on_an_odd_netsuite(instance: dg.DagsterInstance, settings: Settings, batch: str) -> None:
    def refuse(call: Call) -> bool:
        said = {"error": "invalid_client", "error_description": f"No such client: {call.body.decode()}"}
        return call.answer(400, json.dumps(said).encode())

    def give(call: Call) -> bool:
        return call.answer(200, json.dumps({"access_token": "MARKER-bearer-token", "expires_in": 3600}).encode())

    def repeat(call: Call) -> bool:
        detail = f"Failed on {call.head} {call.body.decode('utf-8', 'replace')}"
        said = {"status": 400, "o:errorDetails": [{"detail": detail, "o:errorCode": "UNEXPECTED_ERROR"}]}
        return call.answer(400, json.dumps(said).encode())

    for what, log_in in (("a login that is refused", refuse), ("a NetSuite that repeats everything", give)):
        # Twice tried is as good as eight times: every try says the same.
        with raw_server(repeat, on_login=log_in) as server, patch.object(retries, "TRIES", 2):
            changed = _with(settings, "netsuite", base_url=server.base_url, outage_seconds=0, max_request_seconds=0)
            _run(instance, what, changed, "post_batch", batch)


def _run(instance: dg.DagsterInstance, what: str, settings: Settings, job: str, partition: str | None = None) -> None:
    """One run and, where it fails, the sensor that tells people."""
    runtime = Runtime(settings)
    defs = build_defs(runtime)
    result = defs.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=partition, raise_on_error=False
    )
    print(f"{what}: {'went well' if result.success else 'failed'}")
    run = instance.get_run_by_id(result.run_id)
    failures = [one for one in result.all_events if one.event_type_value == "PIPELINE_FAILURE"]
    if run and failures and settings.database_url and make_url(_text(settings.database_url)).port != 1:
        context = dg.build_run_status_sensor_context(
            sensor_name="alert_on_run_failure",
            dagster_instance=instance,
            dagster_run=run,
            dagster_event=failures[0],
            resources={"billing": runtime},
        ).for_run_failure()
        defs.resolve_sensor_def("alert_on_run_failure")(context)


def _with(settings: Settings, section: str, **values: Any) -> Settings:
    return settings.model_copy(update={section: getattr(settings, section).model_copy(update=values)})


def _text(secret: SecretStr | None) -> str:
    assert secret is not None
    return secret.get_secret_value()


def _secret(url: Any) -> SecretStr:
    return SecretStr(url.render_as_string(hide_password=False))


if __name__ == "__main__":
    main()
