"""Log lines as events: levels, secrets, prints, and what must never loop."""

import logging
import sys
import threading
import warnings

import pytest

from agent_runtime.events import LogWritten
from agent_runtime.host.logs import EventLogHandler, LogCapture, PrintCapture
from agent_runtime.redaction import Redactor


@pytest.fixture
def lines():
    """What was logged, with a capture at info installed."""
    seen: list[LogWritten] = []
    capture = LogCapture(EventLogHandler(seen.append, Redactor(["hunter22"], {})), "info")
    capture.install()
    yield seen
    capture.remove()


def test_a_record_becomes_an_event(lines):
    logging.getLogger("agent_runtime.x").info("hello %s", "you")
    assert lines == [LogWritten("info", "agent_runtime.x", "hello you")]


@pytest.mark.parametrize(
    ("number", "level"), [(10, "debug"), (20, "info"), (25, "info"), (30, "warning"), (40, "error"), (50, "error")]
)
def test_levels_have_four_names(number, level):
    seen: list[LogWritten] = []
    handler = EventLogHandler(seen.append, Redactor((), {}))
    handler.handle(logging.LogRecord("x", number, __file__, 1, "m", None, None))
    assert seen[0].level == level


def test_other_libraries_speak_from_warnings_up_and_ours_from_the_level(lines):
    logging.getLogger("httpx").info("noise")
    logging.getLogger("httpx").warning("heard")
    logging.getLogger("agent_runtime").debug("too fine")
    logging.getLogger("agent_console").info("heard too")
    assert [line.message for line in lines] == ["heard", "heard too"]


def test_a_traceback_comes_as_details(lines):
    try:
        raise ValueError("with hunter22 inside")
    except ValueError:
        logging.getLogger("agent_runtime").exception("it failed")
    assert "ValueError" in lines[0].details
    assert "hunter22" not in lines[0].details


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("the key is hunter22", "the key is ********"),
        ("sk-proj-abcdefghijklmnop123", "********"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ********"),
        ("from-the-environment", "********"),
        ("?token=eyJhbGciOi.eyJ2aWRlbyI6.c2lnbmF0dXJl&x=1", "?token=********&x=1"),
        ("a task-based desk-top", "a task-based desk-top"),
    ],
)
def test_secrets_are_masked(text, redacted):
    environ = {"SOME_API_KEY": "from-the-environment", "SHORT_KEY": "a", "PATH": "task"}
    assert Redactor(["hunter22"], environ)(text) == redacted


def test_the_longer_of_two_secrets_is_masked_whole():
    assert Redactor(["secret", "secret-and-more"], {})("secret-and-more") == "********"


@pytest.mark.filterwarnings("default::UserWarning")
def test_prints_warnings_and_dead_threads_are_logged():
    seen: list[LogWritten] = []
    # Not the fixture: pytest puts its own streams in place after it.
    capture = LogCapture(EventLogHandler(seen.append, Redactor((), {})), "info")
    capture.install()
    try:
        print("printed", "words")
        sys.stderr.write("half ")
        sys.stderr.write("a line\n")
        warnings.warn("old", UserWarning, stacklevel=1)
        thread = threading.Thread(target=lambda: 1 / 0, name="worker-7")
        thread.start()
        thread.join()
    finally:
        capture.remove()
    got = [(line.logger, line.level, line.message) for line in seen]
    assert ("agent_runtime.stdout", "info", "printed words") in got
    assert ("agent_runtime.stderr", "info", "half a line") in got
    assert any(logger == "py.warnings" and "old" in message for logger, _, message in got)
    assert ("agent_runtime.threads", "error", "the thread worker-7 died") in got


def test_two_threads_print_whole_lines(lines):
    capture = PrintCapture("stdout")
    capture.write("from the main ")
    other = threading.Thread(target=lambda: capture.write("from the other\n"))
    other.start()
    other.join()
    capture.write("thread\n")
    assert [line.message for line in lines] == ["from the other", "from the main thread"]


def test_everything_is_put_back():
    root = logging.getLogger()
    before = (root.handlers[:], root.level, sys.stdout, sys.stderr, threading.excepthook)
    capture = LogCapture(logging.NullHandler(), "debug")
    capture.install()
    assert sys.stdout is not before[2]
    capture.remove()
    assert (root.handlers[:], root.level, sys.stdout, sys.stderr, threading.excepthook) == before


def test_a_failing_reader_of_log_lines_does_not_log_for_ever():
    calls = 0

    def fail(line: LogWritten) -> None:
        nonlocal calls
        calls += 1
        logging.getLogger("agent_runtime").error("delivering failed")

    capture = LogCapture(EventLogHandler(fail, Redactor((), {})), "info")
    capture.install()
    try:
        logging.getLogger("agent_runtime").info("once")
    finally:
        capture.remove()
    assert calls == 1
