"""Logs: one event a line, for people on a terminal and as JSON for programs. Nothing here ever sees a token."""

import logging
import sys

import structlog


def configure_logs(level: str, *, as_json: bool) -> None:
    """Send every logger of the process through one printer, to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    printer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        # Plain tracebacks: the pretty ones print local variables, and with them whatever secret is at hand.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.processors.format_exc_info] if as_json else shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, printer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Strawberry would log documents, and with them whatever stands in their literals.
    logging.getLogger("strawberry").setLevel(logging.CRITICAL)
    # Its own lines would stand beside ours and say less.
    for library in ("uvicorn", "websockets"):
        logging.getLogger(library).setLevel(logging.WARNING)
