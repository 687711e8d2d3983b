"""A worker's log: lines of JSON with job, session and turn, and no secret in them."""

import io
import json
import logging
from types import SimpleNamespace

import pytest

from agent_runtime.compat.job import current_job
from agent_runtime.worker.logs import LogStyle


@pytest.fixture(autouse=True)
def _put_back():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_what_was_given(monkeypatch):
    monkeypatch.setenv("SHOP_API_KEY", "very-secret-key")
    stream = io.StringIO()
    LogStyle("INFO").set_up(stream)
    log = logging.getLogger("shop")
    log.debug("not told")
    log.info("order %d with very-secret-key", 7, extra={"table": 3})
    try:
        raise ValueError("no such pizza")
    except ValueError:
        log.exception("the order failed")
    first, second = lines(stream)
    assert (first["level"], first["logger"], first["message"]) == ("info", "shop", "order 7 with ********")
    assert first["table"] == 3
    assert str(first["time"]).endswith("Z")
    assert "exception" not in first
    assert "ValueError: no such pizza" in str(second["exception"])


def test_a_line_tells_its_job_session_and_turn():
    stream = io.StringIO()
    LogStyle("INFO").set_up(stream)
    session = SimpleNamespace(events=SimpleNamespace(session_id="S1"), _report=SimpleNamespace(turn_id="T4"))
    job = SimpleNamespace(
        job=SimpleNamespace(id="J1", room=SimpleNamespace(name="kitchen")),
        log_context_fields={"customer": "Ada"},
        _primary_session=session,
    )
    token = current_job.set(job)  # type: ignore[arg-type]  # as much of one as the log looks at
    try:
        logging.getLogger("shop").info("hello")
        session._report.turn_id = None
        logging.getLogger("shop").info("hello")
        job._primary_session = None
        logging.getLogger("shop").info("hello")
    finally:
        current_job.reset(token)
    logging.getLogger("shop").info("hello")
    fields = ("job_id", "room", "session_id", "turn_id", "customer")
    assert [[line.get(field) for field in fields] for line in lines(stream)] == [
        ["J1", "kitchen", "S1", "T4", "Ada"],
        ["J1", "kitchen", "S1", None, "Ada"],
        ["J1", "kitchen", None, None, "Ada"],
        [None] * 5,
    ]


def test_libraries_that_tell_everything_are_told_to_tell_less():
    stream = io.StringIO()
    LogStyle("DEBUG").set_up(stream)
    logging.getLogger("websockets.client").info("> GET / HTTP/1.1")
    logging.getLogger("shop").debug("told")
    assert [line["message"] for line in lines(stream)] == ["told"]


def test_a_line_can_be_for_people():
    stream = io.StringIO()
    LogStyle("WARN", as_json=False).set_up(stream)
    logging.getLogger("shop").info("not told")
    logging.getLogger("shop").warning("too late", extra={"job_id": "J1", "agent_name": ""})
    assert stream.getvalue().endswith("WARNING shop: too late  [job_id=J1]\n")
