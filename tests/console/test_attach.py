"""The console on a job of a worker: the list, the screen, what is asked, and connections that are lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from agent_console.attach import link
from agent_console.attach.address import WorkerAddress, find_worker
from agent_console.attach.app import AttachApp
from agent_console.attach.backend import AttachBackend, Attachment
from agent_console.attach.jobs_screen import JobsScreen
from agent_console.attach.link import LinkState
from agent_runtime import events as ev
from agent_runtime.errors import AgentConsoleError
from agent_runtime.worker.access import TokenFile
from tests.support.console_process import ConsoleProcess
from tests.support.conversation import STORIES
from tests.support.screenshots import settle
from tests.support.worker_feed import REPORT, TOKEN, FakeWorker, worker

WALL = 1_700_000_090.0


class Attached:
    """The app with its pilot; `until` waits for what comes over the network."""

    def __init__(self, app: AttachApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def backend(self) -> AttachBackend:
        return self.app.attach

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not condition():  # noqa: ASYNC110  # what comes over a socket raises no event here
                await asyncio.sleep(0.01)
        await self.pilot.pause()

    async def until_told(self, text: str) -> None:
        await self.until(lambda: text in self.text())

    def text(self) -> str:
        """What is on the screen."""
        width, height = self.app.size
        lines = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in lines[:height] if width)

    async def settle(self, seq: int) -> None:
        await self.until(lambda: self.app.state.seq >= seq and self.app.is_settled)


@asynccontextmanager
async def attached(
    to: FakeWorker, job: str | None = None, size: tuple[int, int] = (110, 30), token: str = TOKEN
) -> AsyncIterator[Attached]:
    app = AttachApp(
        AttachBackend(WorkerAddress(to.url, token), job), wall=lambda: WALL, monotonic=lambda: 0.0, encoding="utf-8"
    )
    async with app.run_test(size=size) as pilot:
        yield Attached(app, pilot)


def story(name: str = "interrupted") -> list[ev.AnyEvent]:
    return list(STORIES[name]().events)


async def test_a_job_is_picked_from_the_list_and_shown_as_if_it_ran_here():
    past = story()
    async with worker(past) as it, attached(it) as console:
        await console.until_told("kitchen")
        assert "garden" in console.text()
        assert "0:00:30    58 MB" in console.text()
        await console.pilot.press("j", "enter")
        await console.settle(past[-1].seq)
        assert console.backend.attachment.job_id == "AJ_2"
        assert console.app.state.entries
        await console.until_told("read-only")
        new = ev.Event(past[-1].seq + 1, past[-1].time, "session-1", None, None, ev.TurnMarked("from afar"))
        it.jobs.tell("AJ_2", new)
        await console.settle(new.seq)


async def test_the_only_job_needs_no_picking():
    async with worker(story()) as it:
        it.report = replace(REPORT, jobs=REPORT.jobs[:1])
        async with attached(it) as console:
            await console.until(lambda: console.backend.attachment.job_id == "AJ_1")
            await console.until(lambda: not isinstance(console.app.screen, JobsScreen))


async def test_where_one_may_only_watch_nothing_is_sent_and_it_is_said():
    past = story()
    async with worker(past) as it, attached(it, "AJ_1") as console:
        await console.settle(past[-1].seq)
        await console.pilot.press("t")
        assert not console.app.console_screen._prompt_bar.display
        for key in ("i", "m", "r", "R", "x"):
            await console.pilot.press(key)
        await console.until(lambda: any(b.key == "refused" for b in console.app.state.banners))
        assert it.jobs.asked == []


async def test_where_that_is_allowed_one_types_interrupts_and_mutes():
    past = story()
    async with worker(past, write=True) as it, attached(it, "AJ_1") as console:
        await console.settle(past[-1].seq)
        await console.until(lambda: console.backend.attachment.can_write)
        await console.pilot.press("escape", "m", "i", "t", *"hello", "enter")
        await console.until(lambda: len(it.jobs.asked) == 3)
        assert [line.decode() for _, line in it.jobs.asked] == [
            '{"request": "mute", "muted": true}',
            '{"request": "interrupt"}',
            '{"request": "text", "text": "hello"}',
        ]


async def test_a_lost_connection_is_shown_and_made_again_without_telling_anything_twice(monkeypatch):
    monkeypatch.setattr(link, "DELAYS", (0.01,))
    monkeypatch.setattr("agent_console.attach.backend.DELAYS", (0.01,))
    past = story()
    async with worker(past) as it, attached(it, "AJ_1") as console:
        await console.settle(past[-1].seq)
        await console.until(lambda: console.backend.attachment.worker.state == "connected")
        count, port = console.app.state.event_count, it.server.port
        await it.server.aclose()
        await console.until_told("trying again; what is here stays to be read")
        assert console.backend.attachment.worker.state == "lost"
        new = ev.Event(past[-1].seq + 1, past[-1].time, "session-1", None, None, ev.TurnMarked("meanwhile"))
        async with worker([*past, new], port=port):
            await console.until(lambda: console.backend.attachment.job.state == "connected")
            await console.settle(new.seq)
            assert console.app.state.event_count == count + 1
            await console.until(lambda: "trying again" not in console.text())


async def test_a_job_that_ends_is_told_and_another_can_be_picked():
    past = story()
    async with worker(past) as it, attached(it, "AJ_1") as console:
        await console.settle(past[-1].seq)
        it.feed.job_over("AJ_1", "RuntimeError: no model")
        await console.until_told("the job is over: RuntimeError: no model")
        await console.pilot.press("J")
        await console.until_told("garden")
        await console.pilot.press("down", "enter")
        await console.until(lambda: console.backend.attachment.job_id == "AJ_2")
        await console.until(lambda: console.backend.attachment.over is None)
        await console.settle(past[-1].seq)


async def test_a_job_that_is_not_there_is_over():
    async with worker() as it, attached(it, "AJ_9") as console:
        await console.until_told("the job is over")


async def test_a_wrong_token_is_told_and_not_tried_again():
    async with worker() as it, attached(it, token="not-the-token-at-all") as console:
        await console.until_told("the worker doesn't know this token")
        assert console.backend.attachment.worker.state == "refused"


async def test_a_draining_worker_is_told():
    async with worker(story()) as it:
        it.report = replace(REPORT, state="draining")
        async with attached(it, "AJ_1") as console:
            await console.until_told("the worker is draining")


def test_the_command_opens_it_in_a_terminal(tmp_path):
    """As people type it: the address, the token from the environment, and back to the shell."""
    ready, done = threading.Event(), threading.Event()
    found: list[str] = []

    async def work() -> None:
        async with worker(story()) as it:
            found.append(it.url)
            ready.set()
            await asyncio.to_thread(done.wait)

    serving = threading.Thread(target=asyncio.run, args=(work(),))
    serving.start()
    try:
        assert ready.wait(20)
        with ConsoleProcess(["attach", found[0]], size=(110, 30), env={"AGENT_CONSOLE_ATTACH_TOKEN": TOKEN}) as console:
            console.wait_for("kitchen")
            console.press("enter")
            console.wait_for("hardly any wind")
            console.wait_for("read-only")
            console.type("q")
            assert console.wait_for_exit() == 0
            console.assert_terminal_restored()
    finally:
        done.set()
        serving.join()


# --- pictures --------------------------------------------------------------------------------------------------------


class Still(AttachBackend):
    """Attached to a recording, without a connection."""

    def __init__(self, now: Attachment, events: list[ev.AnyEvent]) -> None:
        super().__init__(WorkerAddress(now.url, TOKEN), now.job_id)
        self.attachment, self._events = now, events

    def start(self, sink: Callable[[ev.AnyEvent], None]) -> None:
        for event in self._events:
            sink(event)
        self.on_changed()

    def stop(self, timeout: float = 5.0) -> bool:
        return True


THERE = LinkState("connected")
PICTURES = {
    "watching": Attachment("http://127.0.0.1:8081", THERE, REPORT, "AJ_1", THERE),
    "picking": Attachment("http://127.0.0.1:8081", THERE, REPORT),
    "allowed to write": Attachment("http://127.0.0.1:8081", THERE, replace(REPORT, attach="write"), "AJ_1", THERE),
    "lost": Attachment("http://127.0.0.1:8081", LinkState("lost", "the worker has ended"), REPORT, "AJ_1", THERE),
    "over": Attachment("http://127.0.0.1:8081", THERE, REPORT, "AJ_1", THERE, "RuntimeError: no model (agent.py:7)"),
}


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", PICTURES)
def test_pictures(snap_compare: Callable[..., bool], name: str, size: tuple[int, int]) -> None:
    now = PICTURES[name]
    events = story() if now.job_id is not None else []
    app = AttachApp(Still(now, events), wall=lambda: WALL, monotonic=lambda: 0.0, encoding="utf-8")

    async def drawn(pilot: Pilot[None]) -> None:
        if events:
            await settle(app)
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=drawn)


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected", "socket"),
    [
        (None, "http://127.0.0.1:8081", "ws://127.0.0.1:8081/attach"),
        ("localhost", "http://localhost:8081", "ws://localhost:8081/attach"),
        ("127.0.0.1:9000", "http://127.0.0.1:9000", "ws://127.0.0.1:9000/attach"),
        ("ws://[::1]:9000/attach", "http://[::1]:9000", "ws://[::1]:9000/attach"),
        ("https://agents.example", "https://agents.example:443", "wss://agents.example:443/attach"),
        ("wss://agents.example:8081", "https://agents.example:8081", "wss://agents.example:8081/attach"),
    ],
)
def test_an_address_is_taken_as_people_write_it(url, expected, socket):
    found = find_worker(url, TOKEN)
    assert (found.url, found.socket_url()) == (expected, socket)
    assert found.socket_url("AJ/1") == f"{socket}/AJ%2F1" or "/" in found.socket_url("AJ/1")
    assert TOKEN not in repr(found)


@pytest.mark.parametrize("url", ["ftp://host", "http://", "host:port", "http://host:99999"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(AgentConsoleError, match=r"is no worker's address: give one like http://127\.0\.0\.1:8081"):
        find_worker(url, TOKEN)


def test_a_token_does_not_travel_for_everybody_to_read():
    with pytest.raises(AgentConsoleError, match=r"^the token would travel to agents\.example .*https.*ssh -L"):
        find_worker("http://agents.example", TOKEN)
    assert find_worker("http://agents.example", TOKEN, insecure=True).url == "http://agents.example:8081"


def test_a_worker_on_this_machine_needs_no_token_to_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr("agent_runtime.worker.access._runtime_folder", lambda: tmp_path)
    with pytest.raises(AgentConsoleError, match=r"^a token is needed: no worker .* port 8081 of this machine; --token"):
        find_worker(None, None)
    TokenFile(8081).write("kept-by-the-worker")
    assert find_worker(None, None).token == "kept-by-the-worker"
    with pytest.raises(AgentConsoleError, match=r"^a token is needed: --token or AGENT_CONSOLE_ATTACH_TOKEN"):
        find_worker("https://agents.example:8081", None)
