"""Logs: one event a line, for people on a terminal and as JSON for programs. Nothing here ever sees a token."""

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import orjson
import structlog

from api.tally import Line

_MILLISECONDS = 1000.0


def configure_logs(level: str, *, as_json: bool, worker: int | None = None) -> None:
    """Send every logger of the process through one printer, to standard error. Of several, lines tell the `worker`."""

    def add_worker(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return event if worker is None else {**event, "worker": worker}

    shared: list[structlog.typing.Processor] = [
        add_worker,
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
    # Their own lines would stand beside ours and say less; those of httpx name addresses, which may be secrets.
    for library in ("uvicorn", "websockets", "httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # These would tell the addresses that are called, some of which are secrets by themselves, and what is sent there.
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)


def operation_writer(*, as_json: bool) -> Callable[[Sequence[Line]], None] | None:
    """Return what writes the lines of operations, many at once; `None` if nobody reads them.

    Not by way of a logger: printing one line there takes as long as answering a short operation.
    """
    if not logging.getLogger("ringside.operations").isEnabledFor(logging.INFO):
        return None
    shown = _as_json if as_json else _as_text

    def write(lines: Sequence[Line]) -> None:
        sys.stderr.write("".join(shown(line) for line in lines))
        sys.stderr.flush()

    return write


def _as_json(line: Line) -> str:
    told: dict[str, Any] = {
        "event": "operation",
        "level": "info",
        "logger": "ringside.operations",
        "timestamp": line.at,
        **{name: value for name, value in asdict(line).items() if name not in {"at", "seconds"}},
        "milliseconds": round(line.seconds * _MILLISECONDS, 3),
    }
    return orjson.dumps(told, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE).decode()


def _as_text(line: Line) -> str:
    at = line.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return (
        f"{at} [info     ] operation kind={line.kind} name={line.name} path={line.path} outcome={line.outcome} "
        f"milliseconds={line.seconds * _MILLISECONDS:.3f} cost={line.cost} statements={line.statements} "
        f"token={line.token}\n"
    )
