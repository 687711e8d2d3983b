"""Attaching to a worker, over a socket: who gets in, what they read, and what they may ask."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import replace
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agent_runtime import events as ev
from agent_runtime.errors import WorkerError
from agent_runtime.events.codec import loads
from agent_runtime.worker import feed as feed_module
from agent_runtime.worker.access import AttachOptions, Gate, TokenFile, is_loopback, tell_token
from agent_runtime.worker.feed import JOB_OVER, READ_ONLY, TOO_SLOW
from agent_runtime.worker.report import WorkerReport
from agent_runtime.worker.requests import Asked
from tests.support.worker_feed import TOKEN, FakeWorker, worker
from tests.unit.test_worker_health import ask


def event(seq: int, data: ev.EventData) -> ev.AnyEvent:
    return ev.Event(seq, float(seq), "s", None, None, data)


PAST = [event(1, ev.SessionStarted("Weather", "room", 0.0, {})), event(2, ev.TurnStarted(1))]


def attach(to: FakeWorker, path: str = "", token: str = TOKEN) -> connect:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    return connect(f"{to.url.replace('http', 'ws')}/attach{path}", additional_headers=headers, proxy=None)


async def events(socket: ClientConnection, count: int) -> list[ev.AnyEvent]:
    found: list[ev.AnyEvent] = []
    while len(found) < count:
        found += [loads(line) for line in str(await socket.recv()).split("\n")]
    return found


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [("", "", 401), ("", "a-token-for-the-test", 401), ("/AJ_1", "", 401), ("/AJ_9", TOKEN, 404), ("/AJ_9", "", 401)],
)
async def test_nobody_gets_in_without_the_token(path, token, status):
    async with worker(PAST) as it:
        with pytest.raises(InvalidStatus) as refused:
            async with attach(it, path, token):
                pass
        assert refused.value.response.status_code == status
        assert it.jobs.readers == {}


async def test_the_token_alone_is_no_websocket():
    async with worker() as it:
        answer = await ask(it.server.port, "/attach", Authorization=f"bearer {TOKEN}")
        assert answer.status == 426
        answer = await ask(it.server.port, "/attach")
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await ask(it.server.port, "/attached")).status == 404


async def test_the_report_is_told_again_when_it_changes(monkeypatch):
    monkeypatch.setattr(feed_module, "LOOK", 0.0)
    async with worker() as it, attach(it) as socket:
        assert WorkerReport.from_json(await socket.recv()) == it.report
        it.report = replace(it.report, active_jobs=0, jobs=())
        assert WorkerReport.from_json(await socket.recv()).jobs == ()


async def test_a_jobs_events_are_told_from_the_past_on():
    async with worker(PAST) as it:
        async with attach(it, "/AJ_1") as socket:
            assert await events(socket, 2) == PAST
            new = event(3, ev.AgentText("s1", "i1", "Zwei\nZeilen"))
            it.jobs.tell("AJ_1", new)
            assert await events(socket, 1) == [new]
        await until(lambda: it.jobs.readers == {"AJ_1": []})  # nobody reads any more


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what a reader does over a socket raises no event here
            await asyncio.sleep(0.001)


async def test_who_reads_a_job_that_ends_gets_its_last_words_and_why():
    async with worker(PAST) as it, attach(it, "/AJ_1") as socket, attach(it, "/AJ_2") as other:
        assert await events(socket, 2) == PAST
        assert await events(other, 2) == PAST
        last = event(3, ev.SessionClosed("error", "no model"))
        it.jobs.tell("AJ_1", last)
        it.feed.job_over("AJ_1", "RuntimeError: no model\n" + "x" * 200)
        assert await events(socket, 1) == [last]
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == JOB_OVER
        assert str(socket.close_reason).startswith("RuntimeError: no model x")
        it.jobs.tell("AJ_2", last)  # the neighbour's reader notices nothing
        assert await events(other, 1) == [last]


async def test_a_worker_that_goes_away_says_so():
    async with worker(PAST) as it, attach(it) as reports, attach(it, "/AJ_1") as job:
        await it.server.aclose()
        for socket in (reports, job):
            await asyncio.wait_for(socket.wait_closed(), 10)
            assert socket.close_code == 1001


async def test_who_cannot_keep_up_is_hung_up_on(monkeypatch):
    monkeypatch.setattr(feed_module, "MOST_WAITING", 100)
    async with worker() as it, attach(it, "/AJ_1") as socket:
        await until(lambda: it.jobs.readers.get("AJ_1"))
        it.jobs.readers["AJ_1"][0](b"x" * 101)
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == TOO_SLOW


async def test_requests_are_passed_on_only_where_that_is_allowed(caplog):
    line = Asked("text", "Hello").to_json()
    async with worker(PAST) as it, attach(it, "/AJ_1") as socket:
        await socket.send(line)
        await socket.wait_closed()
        assert (socket.close_code, it.jobs.asked) == (READ_ONLY, [])
    async with worker(PAST, write=True) as it, attach(it, "/AJ_1") as socket:
        await socket.send("stop everything")
        await socket.send(line)
        await until(lambda: it.jobs.asked)
        assert it.jobs.asked == [("AJ_1", line.encode())]
        assert "can't be passed on" in caplog.text


# --- the gate --------------------------------------------------------------------------------------------------------


def test_a_worker_that_others_reach_is_not_attached_to_without_tls(tmp_path):
    assert Gate(AttachOptions(), "0.0.0.0").why_closed.startswith("nobody can attach")
    page = Gate(AttachOptions(), "0.0.0.0").refusal({"authorization": f"Bearer {TOKEN}"})
    assert page is not None
    assert page.status == 403
    with pytest.raises(WorkerError, match=r"^attaching at 0\.0\.0\.0 would be possible without TLS: give "):
        Gate(AttachOptions(token=TOKEN), "0.0.0.0")
    for options in (AttachOptions(token=TOKEN, insecure=True), AttachOptions(token=TOKEN, certificate="c.pem")):
        assert Gate(options, "0.0.0.0").refusal({"authorization": f"BEARER  {TOKEN} "}) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("", "127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.4", "example.org")),
    ],
)
def test_what_only_this_machine_reaches(host, expected):
    assert is_loopback(host) is expected


def test_each_worker_makes_up_a_token_of_its_own():
    one, other = Gate(AttachOptions(), ""), Gate(AttachOptions(), "")
    assert one.is_made_up
    assert one.token != other.token
    assert len(one.token) >= 40
    assert one.refusal({"authorization": f"Bearer {other.token}"}) is not None


def test_the_environment_says_how_to_attach():
    given = {"TOKEN": TOKEN, "CERTIFICATE": "c.pem", "KEY": "k.pem", "INSECURE": "1", "WRITE": "Yes"}
    environ = {f"AGENT_CONSOLE_ATTACH_{name}": value for name, value in given.items()}
    assert AttachOptions.from_environment(environ) == AttachOptions(TOKEN, "c.pem", "k.pem", True, True)
    assert AttachOptions.from_environment({}) == AttachOptions()
    assert TOKEN not in repr(AttachOptions(TOKEN))
    with pytest.raises(WorkerError, match=r"^AGENT_CONSOLE_ATTACH_TOKEN: .* could be guessed$"):
        AttachOptions.from_environment({"AGENT_CONSOLE_ATTACH_TOKEN": "short"})


def test_a_certificate_that_cannot_be_used_is_named(tmp_path):
    assert AttachOptions().tls() is None
    (tmp_path / "c.pem").write_text("no certificate")
    for name in ("c.pem", "missing.pem"):
        with pytest.raises(WorkerError, match=rf"CERTIFICATE: .*{name} can't be used: "):
            AttachOptions(certificate=str(tmp_path / name)).tls()


def test_the_token_is_found_on_the_same_machine_by_the_same_user(tmp_path):
    kept = TokenFile(8081, tmp_path / "run")
    assert kept.read() is None
    assert kept.write("old-token")
    assert kept.write(TOKEN)
    assert TokenFile(8081, tmp_path / "run").read() == TOKEN
    if os.name == "posix":
        assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(kept.path.parent.stat().st_mode) == 0o700
    kept.remove()
    kept.remove()
    assert TokenFile(8081, tmp_path / "run").read() is None
    (tmp_path / "file").write_text("")
    assert not TokenFile(8081, tmp_path / "file").write(TOKEN)  # no place for it


def test_the_token_is_shown_on_a_terminal_and_in_no_log(monkeypatch, capsys, caplog):
    caplog.set_level("INFO")
    gate = Gate(AttachOptions(), "")
    tell_token(gate, "http://127.0.0.1:9000")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    tell_token(gate, "http://127.0.0.1:9000")
    tell_token(Gate(AttachOptions(token=TOKEN), ""), "http://127.0.0.1:9000")
    assert capsys.readouterr().err == f"agent-console attach http://127.0.0.1:9000 --token {gate.token}\n"
    assert gate.token not in caplog.text
    assert TOKEN not in caplog.text
