"""The process's log lines as events, without the secrets in them."""

from __future__ import annotations

import io
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Final, Literal, TextIO, cast

from agent_runtime.events import LogWritten
from agent_runtime.redaction import Redactor

_OURS: Final = ("agent_runtime", "agent_console", "agent_tools")


class EventLogHandler(logging.Handler):
    """Passes log records on as `LogWritten`, from whatever thread they come."""

    def __init__(self, emit: Callable[[LogWritten], object], redact: Redactor) -> None:
        super().__init__()
        self._emit = emit
        self._redact = redact
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        if getattr(self._busy, "value", False):
            return  # delivering a log line failed and was logged; telling it again would fail again
        self._busy.value = True
        try:
            self._emit(self._event(record))
        except Exception:
            self.handleError(record)
        finally:
            self._busy.value = False

    def _event(self, record: logging.LogRecord) -> LogWritten:
        details = "".join(traceback.format_exception(*record.exc_info)).rstrip() if record.exc_info else ""
        return LogWritten(_level(record.levelno), record.name, self._redact(record.getMessage()), self._redact(details))


class LogCapture:
    """While it is installed, everything that the process logs, prints or warns goes to a handler and nowhere else.

    Our own loggers speak from `level` up, other libraries' from warnings up unless `level` is debug. A thread that
    dies of an exception is an error in the log.
    """

    def __init__(self, handler: logging.Handler, level: Literal["debug", "info", "warning", "error"]) -> None:
        self._handler = handler
        self._level = level.upper()
        self._before: tuple[list[logging.Handler], int] | None = None
        self._streams: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        self._prints = (PrintCapture("stdout"), PrintCapture("stderr"))

    def install(self) -> None:
        """Begin."""
        root = logging.getLogger()
        self._before = (root.handlers[:], root.level)
        root.handlers[:] = [self._handler]
        root.setLevel(self._level if self._level in ("DEBUG", "ERROR") else "WARNING")
        for name in _OURS:
            logging.getLogger(name).setLevel(self._level)
        logging.captureWarnings(True)
        threading.excepthook = _log_dead_thread
        self._streams = (sys.stdout, sys.stderr)
        sys.stdout, sys.stderr = (cast(TextIO, capture) for capture in self._prints)

    def remove(self) -> None:
        """Put everything back."""
        if self._before is None:
            return
        root = logging.getLogger()
        root.handlers[:], level = self._before
        root.setLevel(level)
        for name in _OURS:
            logging.getLogger(name).setLevel(logging.NOTSET)
        logging.captureWarnings(False)
        threading.excepthook = threading.__excepthook__
        # Somebody else may have put another stream in its place meanwhile; theirs stays.
        if sys.stdout is self._prints[0]:
            sys.stdout = self._streams[0]
        if sys.stderr is self._prints[1]:
            sys.stderr = self._streams[1]
        self._before = None


def _log_dead_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit and args.exc_value is not None:
        info = (args.exc_type, args.exc_value, args.exc_traceback)
        name = args.thread.name if args.thread is not None else "?"
        logging.getLogger("agent_runtime.threads").error("the thread %s died", name, exc_info=info)


def _level(number: int) -> Literal["debug", "info", "warning", "error"]:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


class PrintCapture(io.TextIOBase):
    """Stands in for `sys.stdout`: what an agent prints becomes log lines, since the screen is the console's."""

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"agent_runtime.{name}")
        self._part = threading.local()  # a line printed in one thread isn't torn by another's

    def writable(self) -> bool:
        """See `io.TextIOBase`."""
        return True

    def write(self, text: str) -> int:
        """See `io.TextIOBase`."""
        *lines, rest = (getattr(self._part, "text", "") + text).split("\n")
        self._part.text = rest
        for line in lines:
            if line.strip():
                self._logger.info("%s", line)
        return len(text)
