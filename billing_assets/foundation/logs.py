"""Structured logs on standard error, with the run's and the batch's id on every line where there is one."""

import logging
import sys
from typing import Literal

import structlog

from billing_assets.foundation.outside_text import code, visible


def configure_logs(log_format: Literal["console", "json"]) -> None:
    """Console lines for people or JSON lines for collectors; call once at the start of a process."""
    colors = sys.stderr.isatty()
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_shown, structlog.dev.ConsoleRenderer(colors=colors)]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever standard error is by then
        cache_logger_on_first_use=False,
    )


def _shown(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts from outside colour no terminal and make no lines of their own; tracebacks keep theirs."""
    for name, value in event.items():
        if isinstance(value, str):
            shown = visible(value)
            event[name] = shown if name == "exception" else shown.replace("\n", code("\n"))
    return event
