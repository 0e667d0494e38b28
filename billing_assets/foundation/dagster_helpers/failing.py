"""What people read of a failed step: the reason, what to do and where the runbook says more, as its metadata.

Every asset, check and op is decorated with `explained`. Its failure, and the page of its asset, then begin with the
same few entries, whatever failed. The error itself stays the failure's cause.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import quote

import dagster as dg

from billing_assets.foundation.dagster_helpers.presentation import Shown
from billing_assets.foundation.errors import BillingError
from billing_assets.foundation.outside_text import visible
from billing_assets.foundation.phrases import shortened
from billing_assets.foundation.sections import AlertSettings

P = ParamSpec("P")
R = TypeVar("R")

RUNBOOK = "docs/operations.md"
_CHAPTER = "green-and-red"
_LONGEST_REASON = 2000
_TO_DO = (
    "Fix what the reason names, then start the run again: it takes up only what is left and sends nothing twice. If "
    "the reason names nothing that you can fix, report it with the id of this run."
)


def failure(
    reason: str,
    settings: AlertSettings,
    *,
    to_do: str,
    chapter: str = _CHAPTER,
    metadata: Mapping[str, Shown] | None = None,
) -> dg.Failure:
    """A failure that says why, what to do, and which chapter of the runbook says more, before any other metadata."""
    reason = visible(reason)
    told: dict[str, Shown] = {"reason": reason, "what_to_do": to_do, "runbook": runbook(chapter, settings)}
    return dg.Failure(reason, metadata=told | dict(metadata or {}), allow_retries=False)


def runbook(chapter: str, settings: AlertSettings) -> dg.MetadataValue:
    """A chapter of the runbook: a link where the settings say how people reach it, else the name of the file."""
    if settings.runbook_url is None:
        return dg.MetadataValue.text(f"{RUNBOOK}#{chapter}")
    return dg.MetadataValue.url(f"{settings.runbook_url.rstrip('/')}#{chapter}")


def page_of(asset: str, partition: str, settings: AlertSettings) -> dg.MetadataValue:
    """The page of an asset's partition: *Materialize…* there has chosen the partition already."""
    page = f"{settings.ui_url.rstrip('/')}/assets/{asset}?view=partitions&partition={quote(partition, safe='')}"
    return dg.MetadataValue.url(page)


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """Turns whatever an asset, check or op raises into a failure that explains itself.

    It stands below Dagster's decorator. What the function takes as `billing` tells where the runbook is.
    """
    in_parts = inspect.isgeneratorfunction(function)
    if in_parts or function.__annotations__.get("return") is dg.MaterializeResult:  # an asset

        @wraps(function)
        def materializes(*args: P.args, **kwargs: P.kwargs) -> Iterator[Any]:
            try:
                with _explaining(kwargs):
                    if in_parts:
                        yield from cast("Iterator[Any]", function(*args, **kwargs))
                    else:
                        yield function(*args, **kwargs)
            except dg.Failure as told:
                yield from _on_its_page(told)
                raise

        return cast("Callable[P, R]", materializes)

    @wraps(function)
    def acts(*args: P.args, **kwargs: P.kwargs) -> R:
        with _explaining(kwargs):
            return function(*args, **kwargs)

    return acts


@contextmanager
def _explaining(arguments: Mapping[str, Any]) -> Iterator[None]:
    billing = arguments.get("billing")
    settings = billing.settings.alerts if billing is not None else AlertSettings()
    try:
        if billing is not None:
            billing.started()
        yield
    except dg.Failure:
        raise
    except Exception as error:
        raise _of(error, settings) from error


def _on_its_page(told: dg.Failure) -> Iterator[dg.AssetObservation]:
    """The same for the asset's page, where Dagster shows observations and no failures."""
    context = dg.AssetExecutionContext.get()
    partition = context.partition_key if context.has_partition_key else None
    for key in context.selected_asset_keys:
        yield dg.AssetObservation(key, partition=partition, metadata=told.metadata)


def _of(error: Exception, settings: AlertSettings) -> dg.Failure:
    """What is known of an error by its type: the system it came from, and the chapter that is about it. Only errors of
    our own are sentences."""
    told = shortened(str(error).strip(), _LONGEST_REASON)
    kind = type(error).__name__
    if not isinstance(error, BillingError):
        return failure(f"{kind}: {told}", settings, to_do=_TO_DO, metadata={"error": kind})
    return failure(
        told,
        settings,
        to_do=error.to_do or _TO_DO,
        chapter=error.chapter or _CHAPTER,
        metadata={"error": error.code} | ({"system": error.system} if error.system else {}),
    )
