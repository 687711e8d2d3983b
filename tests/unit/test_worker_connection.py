"""A worker registers, stays registered, and says what is wrong where it can't."""

import asyncio
import contextlib
import itertools
import logging
import time

import pytest
from livekit.protocol import agent

from agent_runtime.errors import WorkerError
from agent_runtime.testing import VirtualClock, in_virtual_time
from agent_runtime.worker.channel import ServerAddress, open_channel
from agent_runtime.worker.connection import TRANSITIONS, ConnectionState, WorkerConnection
from tests.support.scripted_livekit import ScriptedLiveKit, bare_server, websocket_server

PASSING = "the line is cut"


class Worker:
    """What a connection calls back, written down."""

    def __init__(self, server: ScriptedLiveKit, max_retry: int = 16) -> None:
        self.ids: list[str] = []
        self.messages: list[str] = []
        self.losses = 0
        self.connection = WorkerConnection(
            server.connect,
            agent.RegisterWorkerRequest(agent_name="desk"),
            on_registered=lambda welcome: self.ids.append(welcome.worker_id),
            on_message=lambda message: self.messages.append(str(message.WhichOneof("message"))),
            on_lost=self._lost,
            max_retry=max_retry,
            clock=VirtualClock(),
        )

    def _lost(self) -> None:
        self.losses += 1

    @contextlib.asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.connection.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def job_status(job_id: str) -> agent.WorkerMessage:
    return agent.WorkerMessage(update_job=agent.UpdateJobStatus(job_id=job_id))


def load(value: float) -> agent.WorkerMessage:
    return agent.WorkerMessage(update_worker=agent.UpdateWorkerStatus(load=value))


@in_virtual_time
async def test_the_first_message_registers_and_messages_go_both_ways():
    server = ScriptedLiveKit()
    worker = Worker(server)
    async with worker.running():
        await asyncio.sleep(0.1)
        assert worker.connection.state is ConnectionState.REGISTERED
        assert server.said[0].message.register.agent_name == "desk"
        assert worker.ids == ["W1"]
        worker.connection.send(load(0.5))
        server.offer("J1")
        await asyncio.sleep(0.1)
        assert server.said[1].message.update_worker.load == 0.5
        assert worker.messages == ["availability"]
    assert worker.connection.state is ConnectionState.CLOSED


@in_virtual_time
async def test_a_lost_connection_is_made_again_and_keeps_only_what_became_of_jobs():
    server = ScriptedLiveKit()
    worker = Worker(server)
    async with worker.running():
        await asyncio.sleep(20.0)  # steady: the first attempt comes at once
        server.refusals = [WorkerError(PASSING, retry=True)]
        server.drop()
        await asyncio.sleep(1.0)
        assert worker.connection.state is ConnectionState.WAITING
        worker.connection.send(load(0.9))
        worker.connection.send(job_status("J1"))
        await asyncio.sleep(5.0)
        assert worker.connection.state is ConnectionState.REGISTERED
        assert worker.losses == 1
        assert worker.ids == ["W1", "W3"]
        assert [said.kind for said in server.said] == ["register", "register", "update_job"]
        assert server.attempts == [0.0, 20.0, 22.0]


@in_virtual_time
async def test_attempts_come_ever_later_and_end_with_what_was_wrong():
    server = ScriptedLiveKit(refusals=[WorkerError(PASSING, retry=True) for _ in range(30)])
    worker = Worker(server)
    with pytest.raises(WorkerError, match="given up after 16 attempts: the line is cut"):
        await worker.connection.run()
    assert worker.connection.state is ConnectionState.FAILED
    delays = [later - earlier for earlier, later in itertools.pairwise(server.attempts)]
    assert delays == [0.0, 2.0, 4.0, 6.0, 8.0] + [10.0] * 11


@in_virtual_time
async def test_a_server_that_accepts_and_hangs_up_isnt_stormed():
    server = ScriptedLiveKit()
    worker = Worker(server, max_retry=4)
    async with worker.running() as task:
        for number in range(1, 6):
            await server.wait_for("register", number)
            await asyncio.sleep(0.01)
            server.drop()
        with pytest.raises(WorkerError, match="given up after 4 attempts"):
            await task
    assert len(server.attempts) == 5
    assert server.attempts[-1] == pytest.approx(2 + 4 + 6, abs=0.1)


@in_virtual_time
async def test_a_refusal_that_wont_pass_ends_it_at_once_unless_the_server_knew_the_worker():
    server = ScriptedLiveKit(refusals=[WorkerError("the secret is wrong")])
    with pytest.raises(WorkerError, match=r"^the secret is wrong$"):
        await Worker(server).connection.run()
    assert server.attempts == [0.0]
    server = ScriptedLiveKit()
    worker = Worker(server)
    async with worker.running():
        await asyncio.sleep(20.0)
        server.refusals = [WorkerError("the secret is wrong")]
        server.drop()
        await asyncio.sleep(5.0)
        assert worker.connection.state is ConnectionState.REGISTERED


@in_virtual_time
async def test_a_server_that_doesnt_answer_the_registration_is_tried_again():
    server = ScriptedLiveKit(welcome=False)
    worker = Worker(server)
    async with worker.running():
        await asyncio.sleep(9.9)
        assert worker.connection.state is ConnectionState.REGISTERING
        server.welcome = True
        await asyncio.sleep(0.2)
        assert worker.connection.state is ConnectionState.REGISTERED
        assert worker.losses == 0


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff", "hello", b""])
@in_virtual_time
async def test_nonsense_in_place_of_a_welcome_is_told(nonsense: bytes | str):
    server = ScriptedLiveKit(welcome=False)
    worker = Worker(server)
    async with worker.running() as task:
        await asyncio.sleep(0.1)
        server.send_raw(nonsense)
        with pytest.raises(WorkerError, match="what answers is no LiveKit server: check LIVEKIT_URL"):
            await task


@in_virtual_time
async def test_nonsense_later_is_left_out_and_logged(caplog):
    server = ScriptedLiveKit()
    worker = Worker(server)
    async with worker.running():
        await asyncio.sleep(0.1)
        with caplog.at_level(logging.WARNING):
            server.send_raw(b"\xff\xff\xff")
            server.offer("J1")
            await asyncio.sleep(0.1)
        assert "none of the protocol's" in caplog.text
        assert worker.messages == ["availability"]


@in_virtual_time
async def test_a_server_that_goes_away_is_connected_to_again():
    server = ScriptedLiveKit()
    worker = Worker(server)
    async with worker.running():
        await asyncio.sleep(20.0)
        message = agent.ServerMessage()
        message.go_away.SetInParent()
        server.send(message)
        await asyncio.sleep(0.1)
        assert worker.ids == ["W1", "W2"]


@in_virtual_time
async def test_what_is_still_to_be_said_can_be_waited_for():
    server = ScriptedLiveKit()
    worker = Worker(server)
    async with worker.running():
        await asyncio.sleep(0.1)
        worker.connection.send(job_status("J1"))
        await worker.connection.flush(1.0)
        assert [said.kind for said in server.said] == ["register", "update_job"]


def test_every_state_can_be_left():
    left = {state for state, _ in TRANSITIONS}
    assert left == set(ConnectionState)
    assert {after for _, after in TRANSITIONS.items()} <= set(ConnectionState)


# --- the WebSocket ---------------------------------------------------------------------------------------------------


def address(port: int, **changes: object) -> ServerAddress:
    given = {"url": f"ws://127.0.0.1:{port}", "key": "devkey", "secret": "s" * 32, "proxy": None}
    return ServerAddress(**(given | changes))  # type: ignore[arg-type]  # a dict of mixed values


async def test_a_channel_carries_messages_and_tells_its_end():
    async def echo(connection) -> None:
        assert connection.request.path == "/agent"
        assert connection.request.headers["Authorization"].startswith("Bearer ey")
        await connection.send(await connection.recv())

    async with websocket_server(echo) as port:
        channel = await open_channel(address(port))
        await channel.send(b"hello")
        assert await channel.receive() == b"hello"
        with pytest.raises(WorkerError, match="the connection to the server is lost") as lost:
            await channel.receive()
        assert lost.value.retry
        with pytest.raises(WorkerError, match="the connection to the server is lost"):
            await channel.send(b"hello")
        await channel.close()


@pytest.mark.parametrize(
    ("answer", "problem", "retry"),
    [
        (
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 21\r\n\r\ninvalid API key: nope",
            "doesn't know the key",
            False,
        ),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "no LiveKit server", False),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "not available for now", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "can't connect to", True),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no LiveKit server", False),
        (None, "no LiveKit server", False),
    ],
)
async def test_a_refusal_says_what_to_do(answer: bytes | None, problem: str, retry: bool):
    async with bare_server(answer) as port:
        with pytest.raises(WorkerError, match=problem) as refused:
            await open_channel(address(port))
    assert refused.value.retry is retry


@pytest.mark.parametrize(
    ("changes", "problem", "retry"),
    [
        ({"url": "ws://127.0.0.1:1"}, "nothing listens at ws://127.0.0.1:1", True),
        ({"url": "ws://no-such-host.invalid"}, "there is no host of the name", False),
    ],
)
async def test_an_address_where_nothing_is_says_what_to_do(changes: dict[str, str], problem: str, retry: bool):
    with pytest.raises(WorkerError, match=problem) as refused:
        await open_channel(address(0, **changes))
    assert refused.value.retry is retry


async def test_a_server_without_tls_is_told():
    async with bare_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        with pytest.raises(WorkerError, match="speaks no TLS: use ws://"):
            await open_channel(address(port, url=f"wss://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"url": ""}, r"no LiveKit server is configured \(LIVEKIT_URL not set\)"),
        ({"key": "", "secret": ""}, r"\(LIVEKIT_API_KEY, LIVEKIT_API_SECRET not set\)"),
        ({"url": "127.0.0.1:7880"}, "is no URL of a LiveKit server"),
        ({"url": "ftp://127.0.0.1"}, "is no URL of a LiveKit server"),
    ],
)
def test_an_address_is_checked(changes: dict[str, str], problem: str):
    with pytest.raises(WorkerError, match=problem):
        address(7880, **changes).check()
    address(7880).check()


def test_an_address_leads_to_the_servers_agents():
    assert address(7880, url="https://a.example/base/").agent_url == "wss://a.example/base/agent"
    assert address(7880, url="ws://a.example:7880", worker_token="a b").agent_url == (
        "ws://a.example:7880/agent?worker_token=a%20b"
    )
    assert "ssss" not in repr(address(7880))


def test_the_token_is_livekits_and_a_clock_that_is_ahead_does_no_harm():
    from livekit.api import TokenVerifier

    token = address(7880).token(now=time.time() + 600)
    claims = TokenVerifier("devkey", "s" * 32).verify(token)
    assert claims.video is not None
    assert claims.video.agent
