"""The log of the command line: one line an event, to standard error, never a secret."""

from __future__ import annotations

import logging
import sys

import structlog
import typer

_LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG}


def set_up_log(level: str) -> None:
    """Log what is at least as grave as ``level``. Ends the program for another word."""
    if level not in _LEVELS:
        typer.echo(f"--log is error, warning, info or debug, not {level!r}", err=True)
        raise typer.Exit(2)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log through the standard module: only what is grave, and never the bodies of requests.
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), format="%(asctime)s %(name)s %(message)s")
