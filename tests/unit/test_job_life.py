"""A job from its entrypoint to its end, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession
from agent_runtime.testing import Answer, ScriptedLLM, run_virtual
from agent_runtime.worker import job_life
from agent_runtime.worker.job import JobContext, JobProcess, get_job_context
from agent_runtime.worker.job_life import LEFT, NOTHING_LEFT, JobLife
from agent_runtime.worker.plan import JobPlan
from tests.support import jobs

Entrypoint = Callable[[JobContext], Awaitable[None]]


class Room:
    """A room that is left when the test says so."""

    def __init__(self) -> None:
        self.handlers: dict[str, Callable[..., None]] = {}
        self.remote_participants: dict[str, Any] = {}

    def on(self, name: str, handler: Callable[..., None]) -> None:
        self.handlers[name] = handler

    async def connect(self, url: str, token: str, *, options: Any) -> None:
        await asyncio.sleep(0.1)

    async def disconnect(self) -> None:
        await asyncio.sleep(0.1)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    found = Room()
    monkeypatch.setattr(job_life, "_new_room", lambda: found)
    return found


def life(entrypoint: Entrypoint, *, fake: bool = True, **given: Any) -> JobLife:
    info = jobs.info()
    info.fake_job = fake
    session_end, on_session = given.pop("session_end", None), given.pop("on_session", lambda _: None)
    times = {"session_end_timeout": 300.0, "shutdown_timeout": 10.0} | given
    return JobLife(JobPlan(entrypoint, None, session_end), info, JobProcess(), on_session=on_session, **times)


def run(make: Callable[[], JobLife]) -> tuple[str | None, float]:
    """How the job went wrong, and how many seconds it took."""

    async def scenario() -> tuple[str | None, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await make().run(), loop.time() - began
        await asyncio.sleep(30.0)  # for what won't end at once; in a process it would end with that
        return result

    return run_virtual(scenario())


def test_it_lasts_until_its_code_ends_it_and_knows_its_context(room: Room):
    reasons: list[str] = []

    async def entrypoint(job: JobContext) -> None:
        assert get_job_context() is job
        await job.connect()
        job.add_shutdown_callback(over)
        await asyncio.sleep(5.0)
        job.shutdown("the shop closes")
        job.shutdown("and again")

    async def over(reason: str) -> None:
        reasons.append(reason)

    assert run(lambda: life(entrypoint)) == (None, 5.0)
    assert reasons == ["the shop closes"]
    assert get_job_context(required=False) is None


def test_it_lasts_until_its_room_is_left_though_the_entrypoint_returned(room: Room):
    async def entrypoint(job: JobContext) -> None:
        await job.connect()
        await job.connect()  # once joined, it does nothing
        asyncio.get_running_loop().call_later(60.0, lambda: room.handlers["disconnected"]("room closed"))

    error, took = run(lambda: life(entrypoint, fake=False))
    assert error is None
    assert took == pytest.approx(60.2)


def test_an_entrypoint_that_returns_without_a_room_or_session_is_told_so(room: Room):
    async def entrypoint(job: JobContext) -> None: ...

    assert run(lambda: life(entrypoint)) == (NOTHING_LEFT, 0.0)
    assert LEFT != NOTHING_LEFT


def test_an_entrypoint_that_never_joins_is_reminded(room: Room, caplog: pytest.LogCaptureFixture):
    async def entrypoint(job: JobContext) -> None:
        await asyncio.sleep(30.0)
        job.shutdown()

    assert run(lambda: life(entrypoint)) == (None, 30.0)
    assert "after 10 s the entrypoint hasn't joined its room: it does by ctx.connect()" in caplog.text


def test_an_error_in_mid_conversation_ends_the_job_with_its_session_and_callbacks(room: Room):
    told: list[str] = []

    async def entrypoint(job: JobContext) -> None:
        session: AgentSession[None] = AgentSession(stt=None, vad=None, tts=None, llm=ScriptedLLM([Answer("Hello.")]))
        session.on("close", lambda _: told.append("session closed"))
        await session.start(Agent(instructions=""))
        assert job.primary_session is session
        job.add_shutdown_callback(over)
        raise KeyError("table 4")

    async def over() -> None:
        told.append("callback")

    async def session_end(job: JobContext) -> None:
        told.append("session end")

    sessions: list[object] = []
    error, _ = run(lambda: life(entrypoint, session_end=session_end, on_session=sessions.append))
    assert error is not None
    assert error.startswith("KeyError: 'table 4' (test_job_life.py:")
    assert told == ["session closed", "session end", "callback"]
    assert len(sessions) == 1


def test_what_hangs_at_the_end_is_given_up_and_told(room: Room, caplog: pytest.LogCaptureFixture):
    async def entrypoint(job: JobContext) -> None:
        session: AgentSession[None] = AgentSession(stt=None, vad=None, tts=None, llm=ScriptedLLM([]))
        await session.start(Agent(instructions=""))
        job.add_shutdown_callback(hangs)
        job.shutdown()

    async def hangs(*_: object) -> None:
        await asyncio.sleep(1000.0)

    error, took = run(lambda: life(entrypoint, session_end=hangs, session_end_timeout=7.0, shutdown_timeout=3.0))
    assert (error, took) == (None, 10.0)
    assert "the session's end took longer than 7 s and was given up" in caplog.text
    assert "the shutdown callbacks took longer than 3 s and was given up" in caplog.text


def test_an_entrypoint_that_will_not_end_is_left(room: Room, caplog: pytest.LogCaptureFixture):
    async def entrypoint(job: JobContext) -> None:
        asyncio.get_running_loop().call_later(1.0, job.shutdown)
        try:
            await asyncio.sleep(100.0)
        except asyncio.CancelledError:
            await asyncio.sleep(20.0)

    error, took = run(lambda: life(entrypoint, shutdown_timeout=3.0))
    assert (error, took) == (None, 4.0)
    assert "the entrypoint's end took longer than 3 s and was given up" in caplog.text


def test_a_callback_that_fails_keeps_no_other(room: Room, caplog: pytest.LogCaptureFixture):
    called: list[str] = []

    async def entrypoint(job: JobContext) -> None:
        job.add_shutdown_callback(fails)
        job.add_shutdown_callback(works)
        job.shutdown()

    async def fails() -> None:
        raise ValueError("no good-bye")

    async def works(reason: str) -> None:
        called.append(reason)

    with caplog.at_level(logging.ERROR):
        assert run(lambda: life(entrypoint))[0] is None
    assert called == ["user requested"]
    assert "fails failed" in caplog.text
    assert "no good-bye" in caplog.text


def test_who_comes_gets_the_participant_entrypoints(room: Room):
    class Participant:
        def __init__(self, identity: str, kind: int) -> None:
            self.identity, self.kind, self.track_publications = identity, kind, dict[str, Any]()

    from livekit.rtc import ParticipantKind

    people: list[str] = []

    async def greet(job: JobContext, participant: Any) -> None:
        people.append(participant.identity)

    async def entrypoint(job: JobContext) -> None:
        job.add_participant_entrypoint(greet)
        with pytest.raises(ValueError, match="greet is a participant entrypoint of this job already"):
            job.add_participant_entrypoint(greet)
        await job.connect()
        room.handlers["participant_connected"](Participant("eve", ParticipantKind.PARTICIPANT_KIND_SIP))
        room.handlers["participant_connected"](Participant("another agent", ParticipantKind.PARTICIPANT_KIND_AGENT))
        await asyncio.sleep(1.0)
        job.shutdown()

    room.remote_participants["ada"] = Participant("ada", ParticipantKind.PARTICIPANT_KIND_STANDARD)
    assert run(lambda: life(entrypoint, fake=False))[0] is None
    assert people == ["ada", "eve"]
