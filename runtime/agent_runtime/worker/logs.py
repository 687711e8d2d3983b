"""The log of a worker and of its jobs' processes: a line of JSON each, or a line to read."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from typing import Any, Final, TextIO

from agent_runtime.records import record
from agent_runtime.redaction import Redactor
from agent_runtime.worker.job import current_job

_OTHERS: Final = ("aiohttp", "asyncio", "hpack", "httpcore", "httpx", "livekit", "openai", "urllib3", "websockets")
"""Libraries that tell at length what they do."""
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "job_fields"}
_LEVELS: Final = {"TRACE": logging.DEBUG, "WARN": logging.WARNING}


@record(frozen=True, slots=True)
class LogStyle:
    """How the log is written. Can be sent to another process.

    `level` is the least severe line, `as_json` a line of JSON each.
    """

    level: str = "INFO"
    as_json: bool = True

    def set_up(self, stream: TextIO | None = None) -> None:
        """Write everything that this process logs to `stream`, standard error if unset, and nowhere else."""
        handler = logging.StreamHandler(sys.stderr if stream is None else stream)
        handler.addFilter(add_job_fields)
        redact = Redactor()
        handler.setFormatter(JsonLines(redact) if self.as_json else ReadableLines(redact))
        root = logging.getLogger()
        root.handlers[:] = [handler]
        level = _LEVELS.get(self.level.upper(), self.level.upper())
        root.setLevel(level)
        for name in _OTHERS:
            logging.getLogger(name).setLevel(max(root.level, logging.WARNING))
        logging.captureWarnings(True)


def add_job_fields(record: logging.LogRecord) -> bool:
    """Note in which job, session and turn a line was written. Keeps every line."""
    job = current_job.get()
    if job is not None:
        fields: dict[str, Any] = {"job_id": job.job.id, "room": job.job.room.name}
        session = getattr(job, "_primary_session", None)
        if session is not None:
            fields["session_id"] = session.events.session_id
            if (turn_id := session._report.turn_id) is not None:
                fields["turn_id"] = turn_id
        record.job_fields = fields | job.log_context_fields
    return True


class JsonLines(logging.Formatter):
    """`time` (UTC), `level`, `logger`, `message`, what was given as `extra`, the job's fields, and `exception`."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        time = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._redact(json.dumps(line, ensure_ascii=False, default=str))


class ReadableLines(logging.Formatter):
    """Time, level, logger and message, with what else is known after it."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._redact = redact

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.formatMessage`."""
        extra = " ".join(f"{name}={value}" for name, value in _extra(record).items() if value not in ("", None))
        return super().formatMessage(record) + (f"  [{extra}]" if extra else "")

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        return self._redact(super().format(record))


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    return {**getattr(record, "job_fields", {}), **given}
