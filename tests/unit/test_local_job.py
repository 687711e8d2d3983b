"""An agent's file with an entrypoint, opened where there is no room: the entrypoint runs up to its session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from livekit import api, rtc

from agent_runtime import compat
from agent_runtime.agent_loader import LoadedAgent, load_agent, parse_target
from agent_runtime.errors import AgentLoadError
from agent_runtime.reload.successor import make_successor
from agent_runtime.testing import Answer, ScriptedLLM, run_virtual
from agent_runtime.worker import local_job
from agent_runtime.worker.job import current_job
from agent_runtime.worker.local_room import LocalAgent, LocalRoom

HEAD = """
import asyncio
from livekit.agents import Agent, AgentSession, JobContext, JobProcess, WorkerOptions, cli, get_job_context

class Clerk(Agent):
    def __init__(self, who="nobody"):
        super().__init__(instructions=f"Serve {who}.")

done = []

"""
TAIL = """

if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, prewarm_fnc=prewarm))
"""


@pytest.fixture(autouse=True)
def _uninstalled():
    yield
    compat.uninstall()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., LoadedAgent]:
    def write(body: str, *, head: str = HEAD, tail: str = TAIL) -> LoadedAgent:
        file = tmp_path / "clerk.py"
        file.write_text(head + dedent(body) + tail)
        return load_agent(parse_target(str(file)))

    return write


async def started(loaded: LoadedAgent, *answers: Answer) -> Any:
    agent, session = await loaded.build()
    assert session is not None
    session.update_options(llm=ScriptedLLM(list(answers)))
    await session.start(agent)
    return session


async def end(session: Any) -> None:
    await session.aclose()
    await local_job.wait_for_ends()


GOOD = """
def prewarm(process: JobProcess):
    process.userdata["till"] = 7

async def entrypoint(ctx: JobContext):
    person = await ctx.wait_for_participant()
    session = AgentSession(userdata={"till": ctx.proc.userdata["till"]})

    async def over(reason: str):
        done.append(reason)

    ctx.add_shutdown_callback(over)
    await session.start(Clerk(person.identity), room=ctx.room)
    done.append("started")
    await session.say("Good day.", add_to_chat_ctx=True)
    done.append("said")
"""


def test_the_entrypoints_session_is_the_conversation(load):
    async def scenario() -> None:
        loaded = load(GOOD)
        agent, session = await loaded.build()
        assert agent.instructions == "Serve console-user."
        assert session.userdata == {"till": 7}
        await asyncio.sleep(1.0)
        assert loaded.module.done == []  # it waits for whoever runs the session
        await session.start(agent)
        await asyncio.sleep(1.0)
        assert loaded.module.done == ["started", "said"]
        assert session.history.messages()[-1].text_content == "Good day."
        job = current_job.get()
        assert job is not None
        assert job.primary_session is session
        assert job.room.name == "console"
        await end(session)
        assert loaded.module.done[2:] == ["the session is over"]
        assert not local_job._lives

    run_virtual(scenario())


def test_a_worker_of_our_own_names(load):
    body = """
    from agent_runtime import Agent, AgentServer, AgentSession

    server = AgentServer()

    @server.rtc_session()
    async def talk(ctx):
        ctx.add_participant_entrypoint(greet)
        await AgentSession().start(Agent(instructions="Listen."), room=ctx.room)

    met = []
    async def greet(ctx, participant):
        met.append(participant.identity)
    """

    async def scenario() -> None:
        loaded = load(body, head="", tail="")
        assert (loaded.name, loaded.kind) == ("talk", "entrypoint")
        session = await started(loaded, Answer("Yes."))
        assert loaded.module.met == ["console-user"]
        assert session.current_agent.instructions == "Listen."
        result = await session.run(user_input="Hello?")
        result.expect.next_event().is_message(role="assistant")
        await end(session)

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("1 / 0", r"clerk\.py:14: entrypoint can't run here: ZeroDivisionError"),
        ("return", "it returned without starting a session"),
        ("await asyncio.sleep(1000)", "it started no session within 20 s"),
        ("ctx.shutdown()\n    await asyncio.sleep(1000)", "user requested"),
    ],
)
def test_an_entrypoint_that_comes_to_nothing(load, caplog: pytest.LogCaptureFixture, body: str, problem: str):
    caplog.set_level(logging.WARNING)
    text = f"\nprewarm = None\nasync def entrypoint(ctx: JobContext):\n    {body}\n"

    async def with_another_agent() -> None:
        agent, session = await load(text).build()
        assert (type(agent).__name__, session) == ("Clerk", None)
        assert not local_job._lives

    run_virtual(with_another_agent())
    [warning] = [record for record in caplog.records if record.name == "agent_runtime.agent_loader"]
    assert "Clerk is started without it" in warning.getMessage()

    async def with_nothing_else() -> None:
        with pytest.raises(AgentLoadError, match=problem):
            await load(text, head=HEAD.replace('who="nobody"', "who")).build()

    run_virtual(with_nothing_else())


def test_what_fails_after_the_start_is_told_and_the_conversation_goes_on(load):
    async def scenario() -> None:
        loaded = load(GOOD.replace("await session.say", "1 / 0; await session.say"))
        agent, session = await loaded.build()
        told: list[Any] = []
        session.events.subscribe(lambda event: told.append(event.data))
        session.update_options(llm=ScriptedLLM([Answer("Still here.")]))
        await session.start(agent)
        await asyncio.sleep(1.0)
        [error] = [data for data in told if type(data).__name__ == "ErrorOccurred"]
        assert error.source == "entrypoint"
        assert "ZeroDivisionError" in error.message
        await session.run(user_input="Hello?")
        assert session.history.messages()[-1].text_content == "Still here."
        await end(session)
        assert loaded.module.done[1:] == ["the session is over"]

    run_virtual(scenario())


def test_deleting_the_room_hangs_up(load):
    async def scenario() -> None:
        session = await started(load(GOOD))
        job = current_job.get()
        assert job is not None
        await job.api.room.delete_room(api.DeleteRoomRequest(room=job.room.name))
        await asyncio.sleep(1.0)
        await local_job.wait_for_ends()
        assert session._closed

    run_virtual(scenario())


def test_another_rooms_api_needs_a_server(load, monkeypatch: pytest.MonkeyPatch):
    for name in ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"):
        monkeypatch.delenv(name, raising=False)

    async def scenario() -> None:
        session = await started(load(GOOD))
        job = current_job.get()
        assert job is not None
        with pytest.raises(ValueError, match="url must be set"):
            await job.api.room.delete_room(api.DeleteRoomRequest(room="another"))
        await end(session)

    run_virtual(scenario())


def test_a_reload_runs_it_again_for_the_new_agent_alone(load):
    async def scenario() -> None:
        loaded = load(GOOD)
        session = await started(loaded)
        await asyncio.sleep(1.0)
        again = load_agent(loaded.target, loaded, everything=True)
        agent = session.current_agent
        successor = await make_successor(again, agent, in_use=loaded, is_start=True)
        assert successor.agent.instructions == agent.instructions
        assert successor.agent is not agent
        assert successor.session is not None
        await successor.session.aclose()
        await asyncio.sleep(1.0)
        assert again.module.done == ["the session is over"]  # its session was only for the comparison
        assert loaded.module.done == ["started", "said"]
        assert len(local_job._lives) == 1
        await end(session)

    run_virtual(scenario())


async def test_the_room_has_a_person_and_an_agent():
    room = LocalRoom()
    assert room.isconnected()
    assert await room.sid == "RM_console"
    assert [p.kind for p in room.remote_participants.values()] == [rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD]
    agent = room.local_participant
    assert isinstance(agent, LocalAgent)
    await agent.set_attributes({"mood": "good", "hat": "red"})
    await agent.set_attributes({"hat": ""})
    await agent.set_name("Ada")
    await agent.set_metadata("{}")
    assert (agent.attributes, agent.name, agent.metadata) == ({"mood": "good"}, "Ada", "{}")

    @agent.register_rpc_method("greet")
    async def greet(data: Any) -> str:
        return "hello"

    assert agent.rpc_methods == {"greet": greet}
    agent.unregister_rpc_method("greet")
    assert agent.rpc_methods == {}
    with pytest.raises(rtc.RpcError, match="nobody's client"):
        await agent.perform_rpc(destination_identity="console-user", method="show", payload="")


async def test_what_is_sent_to_nobody_is_told(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    agent = LocalRoom().local_participant
    await agent.publish_data(b"menu", topic="ui")
    await agent.send_text("hello", topic="chat")
    assert [record.getMessage() for record in caplog.records] == [
        "the agent sends data on ui, which nobody takes here: b'menu'",
        "the agent sends text on chat, which nobody takes here: hello",
    ]
