"""Workers at a real server: found, given jobs, killed, drained, and what is wrong said once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from livekit import api, rtc

from tests.support.livekit_server import KEY, SECRET, LiveKitServer, livekit_server, missing
from tests.support.room import token, until
from tests.support.worker_process import AGENT, WorkerProcess, alive, worker

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def server() -> Iterator[LiveKitServer]:
    with livekit_server() as running:
        yield running


@contextlib.asynccontextmanager
async def person(server: LiveKitServer, room: str) -> AsyncIterator[rtc.Room]:
    """Somebody in a room, which makes it."""
    joined = rtc.Room()
    await joined.connect(server.url, token("person", room))
    try:
        yield joined
    finally:
        await joined.disconnect()


async def agent_in(room: rtc.Room, besides: str = "") -> dict[str, str]:
    """What the agent's attributes tell, once it is there."""

    def agents() -> list[rtc.RemoteParticipant]:
        return [one for one in room.remote_participants.values() if "pid" in one.attributes and one.identity != besides]

    await until(agents, "the agent")
    return {"identity": agents()[0].identity, **agents()[0].attributes}


async def ask_for(server: LiveKitServer, room: str, agent_name: str, metadata: str = "") -> str:
    """Have an agent sent to a room; the dispatch's id."""
    async with api.LiveKitAPI(server.url, KEY, SECRET) as livekit:
        request = api.CreateAgentDispatchRequest(room=room, agent_name=agent_name, metadata=metadata)
        return (await livekit.agent_dispatch.create_dispatch(request)).id


async def logged(process: WorkerProcess, text: str) -> dict[str, object]:
    return await asyncio.to_thread(process.wait_for, text)


async def ended(process: WorkerProcess) -> int:
    return await asyncio.to_thread(process.wait)


async def test_an_agent_comes_by_itself_and_a_worker_that_drains_waits_for_it(server: LiveKitServer) -> None:
    with worker(server) as process:
        await logged(process, "registered")
        async with person(server, "automatic") as room:
            agent = await agent_in(room)
            assert agent["ready"] == "made ready"
            assert int(agent["pid"]) in process.family() - {process.process.pid}
            line = await logged(process, "the job begins")
            assert (line["logger"], line["room"]) == ("shop", "automatic")
            assert str(line["job_id"]).startswith("AJ_")
            process.send(signal.SIGTERM)
            await logged(process, "draining")
            await asyncio.sleep(0.5)  # it would have ended by now
            assert process.process.poll() is None
            family = process.family()
        assert await ended(process) == 0
        await until(lambda: not alive(family), "the end of all that it started")


async def test_an_agent_with_a_name_comes_where_it_is_asked_for(server: LiveKitServer) -> None:
    with worker(server, WORKER_AGENT_NAME="desk") as process:
        await logged(process, "registered")
        async with person(server, "named") as room:
            await ask_for(server, "named", "desk", metadata="table 4")
            agent = await agent_in(room)
            assert agent["metadata"] == "table 4"
            assert agent["lk.agent.name"] == "desk"
            assert len(room.remote_participants) == 1
        process.send(signal.SIGINT)
        assert await ended(process) == 0


async def test_a_worker_that_is_killed_leaves_nothing_and_the_other_takes_over(
    server: LiveKitServer, tmp_path: Path
) -> None:
    twin = {"WORKER_AGENT_NAME": "twin", "TMPDIR": str(tmp_path)}
    with worker(server, **twin) as one, worker(server, **twin) as other:
        ids = {str((await logged(process, "registered"))["worker_id"]): process for process in (one, other)}
        async with person(server, "twins") as room:
            left: dict[str, int] = {}
            room.on("participant_disconnected", lambda who: left.update({who.identity: who.disconnect_reason}))
            await ask_for(server, "twins", "twin")
            first = await agent_in(room)
            killed = ids.pop(first["worker"])
            family = killed.family()
            killed.send(signal.SIGKILL)
            await ended(killed)
            await until(lambda: not alive(family), "the end of the job's process")
            assert not [name for name in os.listdir(tmp_path) if name.startswith("agent-job-")]
            await until(lambda: first["identity"] in left, "the agent's leaving")
            # It left in order, rather than that the server missed it at some time.
            assert left[first["identity"]] == rtc.DisconnectReason.CLIENT_INITIATED
            await ask_for(server, "twins", "twin")
            second = await agent_in(room, besides=first["identity"])
            assert second["worker"] in ids


async def test_a_server_that_starts_anew_finds_its_workers_again(server: LiveKitServer) -> None:
    with worker(server, WORKER_AGENT_NAME="lasting") as process:
        await logged(process, "registered")
        async with person(server, "before") as room:
            await ask_for(server, "before", "lasting")
            await agent_in(room)
            server.kill()
            await logged(process, "attempt 1")
        server.start()
        await logged(process, "registered")
        async with person(server, "after") as room:
            await ask_for(server, "after", "lasting")
            assert (await agent_in(room))["ready"] == "made ready"


async def test_a_dispatch_that_is_deleted_ends_its_job(server: LiveKitServer) -> None:
    with worker(server, WORKER_AGENT_NAME="brief") as process:
        await logged(process, "registered")
        async with person(server, "deleted") as room:
            dispatch = await ask_for(server, "deleted", "brief")
            agent = await agent_in(room)
            async with api.LiveKitAPI(server.url, KEY, SECRET) as livekit:
                await livekit.agent_dispatch.delete_dispatch(dispatch, "deleted")
            await until(lambda: not room.remote_participants, "the agent's leaving")
            await until(lambda: not alive({int(agent["pid"])}), "the end of its process")
        assert process.process.poll() is None


async def test_a_second_signal_ends_it_at_once(server: LiveKitServer) -> None:
    with worker(server, WORKER_AGENT_NAME="hasty") as process:
        await logged(process, "registered")
        async with person(server, "hasty") as room:
            await ask_for(server, "hasty", "hasty")
            await agent_in(room)
            family = process.family()
            process.send(signal.SIGTERM)
            await logged(process, "draining")
            process.send(signal.SIGTERM)
            assert await ended(process) == 128 + signal.SIGTERM
            await until(lambda: not alive(family), "the end of the job's process")


async def test_connect_joins_one_room_that_asked_for_nobody(server: LiveKitServer) -> None:
    flags = ["connect", "--room", "asked-nobody", "--participant-identity", "me"]
    async with person(server, "asked-nobody") as room:
        with worker(server, command=[str(AGENT), *flags], WORKER_AGENT_NAME="named") as process:
            agent = await agent_in(room)
            assert (agent["identity"], agent["ready"]) == ("me", "made ready")
            family = process.family()
            process.send(signal.SIGINT)
            assert await ended(process) == 0
            await until(lambda: not room.remote_participants, "the agent's leaving")
            await until(lambda: not alive(family), "the end of all that it started")


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"LIVEKIT_API_KEY": "nobody"}, "the server doesn't know the key"),
        ({"LIVEKIT_API_SECRET": "not-the-secret-of-this-key-at-all"}, "the secret isn't that of the key"),
        ({"LIVEKIT_URL": ""}, "no LiveKit server is configured (LIVEKIT_URL not set)"),
        ({"LIVEKIT_URL": "localhost:7880"}, "is no URL of a LiveKit server"),
        ({"LIVEKIT_URL": "ws://no-such-host.invalid"}, "there is no host of the name"),
    ],
)
async def test_what_is_wrong_is_said_once(server: LiveKitServer, environment: dict[str, str], problem: str) -> None:
    with worker(server, **environment) as process:
        assert await ended(process) == 2
        errors = [line["message"] for line in process.log if line["level"] in ("warning", "error")]
        assert len(errors) == 1, process.told()
        assert problem in errors[0]
        assert alive(process.family()) == set()


async def test_a_port_in_use_is_said(server: LiveKitServer, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with worker(server, command=[*headless(tmp_path), "--port", str(port)]) as process:
            assert await ended(process) == 2
            assert f"port {port} on 127.0.0.1 is in use" in process.told()


@pytest.mark.parametrize(
    ("flag", "value", "problem"),
    [
        ("--port", "65536", "port is 0 at least and 65535 at most, not 65536"),
        ("--drain-timeout", "-1", "drain_timeout is 0 at least, not -1"),
        ("--idle-processes", "-2", "num_idle_processes is 0 at least, not -2"),
        ("--load-threshold", "0", "load_threshold is 0.01 at least, not 0.0"),
        ("--load-threshold", "nan", "load_threshold is 0.01 at least, not nan"),
    ],
)
async def test_numbers_with_which_it_could_not_work_are_refused(
    server: LiveKitServer, tmp_path: Path, flag: str, value: str, problem: str
) -> None:
    with worker(server, command=[*headless(tmp_path), flag, value]) as process:
        assert await ended(process) == 2
        assert [line["message"] for line in process.log] == [problem]


async def test_saved_code_runs_in_a_new_worker_and_code_that_doesnt_run_leaves_the_one_before(
    server: LiveKitServer, tmp_path: Path
) -> None:
    file = tmp_path / "saved_agent.py"
    source = (
        "from agent_runtime import AgentServer, cli\nserver = AgentServer(port=0)\n"
        "@server.rtc_session(agent_name='{}')\nasync def talk(job): await job.connect()\n"
        "if __name__ == '__main__':\n    cli.run_app(server)\n"
    )
    file.write_text(source.format("one"))
    with worker(server, command=[str(file), "dev"]) as process:
        await until(lambda: "registered as 'one'" in process.told(), "the first worker")
        file.write_text(source.format("two"))
        await until(lambda: "registered as 'two'" in process.told(), "the second worker")
        await until(lambda: "draining" in process.told(), "the first one's end")
        file.write_text("this is no Python")
        await until(lambda: "the saved code doesn't run: the worker before goes on" in process.told(), "the refusal")
        assert process.process.poll() is None
        family = process.family()
        process.send(signal.SIGINT)
        assert await ended(process) == 0
        await until(lambda: not alive(family), "the end of all that it started")


def headless(folder: Path) -> list[str]:
    """Serve a file that has an agent and nothing else, with parts that need no model."""
    file = folder / "greeter.py"
    file.write_text(
        "from agent_runtime import Agent, AgentSession\n"
        "from agent_runtime.testing import Answer, ScriptedLLM\n"
        "class Greeter(Agent):\n"
        "    def __init__(self):\n"
        "        super().__init__(instructions='Greet.')\n"
        "def make() -> AgentSession:\n"
        "    return AgentSession(stt=None, vad=None, tts=None, llm=ScriptedLLM([Answer('Hello there.')]))\n"
    )
    (folder / "agent-console.toml").write_text("llm = 'none'\nstt = 'none'\ntts = 'none'\nvad = 'none'\n")
    return ["-m", "agent_console", "--headless", str(file)]


async def test_a_file_that_has_only_an_agent_is_served_headless(server: LiveKitServer, tmp_path: Path) -> None:
    # Whatever else runs here is no reason to take no job.
    flags = ["--agent-name", "greeter", "--port", "0", "--idle-processes", "1", "--load-threshold", "2"]
    with worker(server, command=[*headless(tmp_path), *flags]) as process:
        await logged(process, "registered")
        health = next(line["message"] for line in process.log if "health is told at" in line["message"])
        url = health.rpartition(" ")[2]
        with urllib.request.urlopen(f"{url}/worker") as answer:  # noqa: ASYNC210 - on loopback, and nothing else waits
            assert json.load(answer)["agent_name"] == "greeter"
        async with person(server, "greeted") as room:
            said: list[str] = []
            room.register_text_stream_handler("lk.transcription", lambda reader, _: tasks.append(read(reader, said)))
            tasks: list[object] = []
            await ask_for(server, "greeted", "greeter")
            await until(lambda: room.remote_participants, "the agent")
            await room.local_participant.send_text("Hi!", topic="lk.chat")
            await until(lambda: any("Hello there." in text for text in said), "the agent's answer")
        process.send(signal.SIGTERM)
        assert await ended(process) == 0


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "agent_console", "--headless", "FILE", "--load-threshold", "2"],
        ["-m", "agent_runtime.compat", "FILE", "start"],
    ],
)
async def test_a_file_for_livekit_agents_is_served_unchanged(
    server: LiveKitServer, tmp_path: Path, command: list[str]
) -> None:
    text = AGENT.read_text()
    assert text.count("from agent_runtime import") == 1
    file = tmp_path / "their_agent.py"
    file.write_text(text.replace("from agent_runtime import", "from livekit.agents import"))
    with worker(server, command=[str(file) if word == "FILE" else word for word in command]) as process:
        await logged(process, "registered")
        room_name = f"theirs-{len(command)}"
        async with person(server, room_name) as room:
            assert (await agent_in(room))["ready"] == "made ready"
        process.send(signal.SIGTERM)
        assert await ended(process) == 0
    assert not [line for line in process.other if "ModuleNotFoundError" in line]


def read(reader: rtc.TextStreamReader, said: list[str]) -> asyncio.Task[None]:
    async def take() -> None:
        said.append(await reader.read_all())

    return asyncio.get_running_loop().create_task(take())
