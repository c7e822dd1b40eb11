"""Logs: readable lines on a terminal, JSON where a machine reads them; never a secret."""

from collections.abc import Mapping
from typing import Any

import structlog

from detectviz.contracts.masking import masked_mapping
from detectviz.observability.context import current_context

EventDict = structlog.typing.EventDict


def add_request(logger: Any, name: str, event: EventDict) -> EventDict:
    """Add the id of the request being served."""
    context = current_context()
    if context.address is not None:
        event["request_id"] = context.request_id
    return event


def hide_secrets(logger: Any, name: str, event: EventDict) -> EventDict:
    """Mask what names or looks like a secret."""
    return {
        key: masked_mapping({key: value})[key] if isinstance(value, str | Mapping | list) else value
        for key, value in event.items()
    }


def _console() -> structlog.dev.ConsoleRenderer:
    """Return readable lines. Rich tracebacks would print local variables, secrets among them."""
    return structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )


def logging_settings(log_format: str) -> dict[str, Any]:
    """Return Django's LOGGING for ``console`` or ``json``: all to standard error, in one format.

    What plugins say is kept in the process's journal as well.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_request,
        hide_secrets,
    ]
    final: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_console()]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "structured"},
            "journal": {"()": "detectviz.pluginhost.journal.journal_handler"},
        },
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "detectviz": {"level": "INFO", "handlers": ["journal"]},
            "apps": {"level": "INFO"},
            "django": {"level": "WARNING"},
            # One line per stranger's Host header would let strangers fill the log.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "celery": {"level": "WARNING"},
        },
    }
