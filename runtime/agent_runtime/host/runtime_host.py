"""`RuntimeHost`: the runtime on a thread and event loop of its own, behind methods that return at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from agent_runtime.clock import LoopClock
from agent_runtime.events import AnyEvent, ErrorOccurred, EventData, EventStream, RoomInvitation
from agent_runtime.host.event_log import EventLog
from agent_runtime.host.logs import EventLogHandler, LogCapture
from agent_runtime.host.recording import Recording
from agent_runtime.host.tracing import Tracing
from agent_runtime.redaction import Redactor

if TYPE_CHECKING:
    from agent_runtime.agent_loader import LoadedAgent, Target
    from agent_runtime.devices.backend import DeviceInfo
    from agent_runtime.host.conversation import Conversation
    from agent_runtime.settings import Settings
    from agent_runtime.workshop import Request as WorkshopRequest

logger = logging.getLogger(__name__)

STOP_TIMEOUT: Final = 2.0
CLOSE_TIMEOUT: Final = 0.9
"""Seconds that session and devices get to close. What takes longer is abandoned: leaving must never hang."""
CANCEL_TIMEOUT: Final = 0.3
THREADS: Final = 16
"""Worker threads at most: as many as may block at once while models load and devices are opened."""

SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a thread that computes lets another have the interpreter. The audio callbacks wait for it: with
Python's own 5 ms, one drawing thread makes the 99th percentile of their waits 5 ms; with this, 2 ms."""

BEFORE: Final = "before the session"

Request = Callable[["Conversation"], None]


class RuntimeHost:
    """Runs one agent's conversation and tells everything by events. It is a console's backend.

    No method but `stop` and `find_devices` waits, and none raises: a request made while the runtime isn't ready yet is
    kept until it is. The runtime's crash is an `ErrorOccurred`; whoever shows it lives on.

    Args:
        settings: gives the checked settings; called once, in the runtime's thread.
        load: gives the agent's module, and what to start in it; called once, in the runtime's thread.
    """

    def __init__(self, settings: Callable[[], Settings], load: Callable[[], LoadedAgent]) -> None:
        self._read_settings = settings
        self._load = load
        self._sink: Callable[[AnyEvent], None] = lambda event: None
        self._thread = threading.Thread(target=self._run, name="agent-runtime", daemon=True)
        self._lock = threading.Lock()
        self._waiting: list[Request] | None = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._conversation: Conversation | None = None
        self._stopping: asyncio.Event | None = None
        self._stop_asked_at: float | None = None
        self._events: EventStream | None = None
        self._log: EventLog | None = None
        self._recording: Recording | None = None
        self._tracing = Tracing(self._emit)
        self._last_seq = self._told_before = 0

    # --- what a console asks -------------------------------------------------------------------------------------

    def start(self, sink: Callable[[AnyEvent], None]) -> None:
        """Begin; `sink` gets every event, in the thread in which it happens."""
        self._sink = sink
        self._thread.start()

    def stop(self, timeout: float = STOP_TIMEOUT) -> bool:
        """End the session, give the devices back and wait for that; False if `timeout` seconds were not enough.

        They count from the first call: asking again doesn't wait again.
        """
        if self._thread.ident is None:
            return True
        with self._lock:
            if self._stop_asked_at is None:
                self._stop_asked_at = time.monotonic()
                if self._loop is not None and self._stopping is not None:
                    self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(max(0.0, self._stop_asked_at + timeout - time.monotonic()))
        return not self._thread.is_alive()

    def send_text(self, text: str) -> None:
        """The user typed a turn."""
        self._request(lambda conversation: conversation.send_text(text))

    def interrupt(self) -> None:
        """Stop the agent's speech."""
        self._request(lambda conversation: conversation.interrupt())

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute the microphone."""
        self._request(lambda conversation: conversation.set_muted(muted))

    def push_to_talk(self, action: Literal["press", "send", "discard", "off"]) -> None:
        """Take a turn by hand."""
        self._request(lambda conversation: conversation.push_to_talk(action))

    def reload(self) -> None:
        """Load the agent's code again, changed or not."""
        self._request(lambda conversation: conversation.reload())

    def set_mode(self, mode: Literal["local", "room"], room: str | None = None, *, start_server: bool = False) -> None:
        """Go on in a LiveKit room, or on this machine again. `room` is its name; unset, one of the session's own.

        Where no server is configured, `start_server` starts one for as long as the session lasts.
        """
        self._request(lambda conversation: conversation.set_mode(mode, room, start_server=start_server))

    def record(self, on: bool) -> None:
        """Begin a session bundle, or complete the one that is written."""
        self._request(lambda conversation: conversation.record(on))

    def mark_turn(self, turn_id: str) -> None:
        """Mark a turn to come back to."""
        self._request(lambda conversation: conversation.mark_turn(turn_id))

    def ask_workshop(self, request: WorkshopRequest) -> None:
        """Try a tool, stand in for one, rewrite the conversation, fork it."""
        self._request(lambda conversation: conversation.ask_workshop(request))

    def select_device(self, kind: Literal["input", "output"], device_id: str) -> None:
        """Use another microphone or speaker."""
        self._request(lambda conversation: conversation.select_device(kind, device_id))

    def find_devices(self) -> Sequence[DeviceInfo]:
        """The microphones and speakers there are; none where sound doesn't work, which is told by an event. Blocks."""
        conversation = self._conversation
        return () if conversation is None else conversation.find_devices()

    def is_current_device(self, device: DeviceInfo) -> bool:
        """Whether it is the microphone or speaker in use."""
        conversation = self._conversation
        return conversation is not None and conversation.is_current_device(device)

    # --- the runtime's thread -----------------------------------------------------------------------------------

    def _request(self, request: Request) -> None:
        with self._lock:
            if self._waiting is not None:
                self._waiting.append(request)
            elif self._loop is not None:
                self._loop.call_soon_threadsafe(self._answer, request)

    def _answer(self, request: Request) -> None:
        assert self._conversation is not None
        try:
            request(self._conversation)
        except Exception as exc:
            logger.exception("a request failed")
            self._emit(ErrorOccurred("console", f"{type(exc).__name__}: {exc}", recoverable=True))

    def _run(self) -> None:
        sys.setswitchinterval(min(SWITCH_INTERVAL, sys.getswitchinterval()))
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        executor = ThreadPoolExecutor(THREADS, thread_name_prefix="agent-worker")
        loop.set_default_executor(executor)
        self._events = EventStream(session_id=BEFORE, clock=LoopClock(loop))
        self._events.subscribe(self._deliver)
        settings = self._read_settings()
        handler = EventLogHandler(self._emit, Redactor(_secrets(settings)))
        capture = LogCapture(handler, settings.log_level)
        capture.install()
        try:
            if settings.events is not None:
                self._log = EventLog(settings.events, self._log_failed)
            loop.run_until_complete(self._main(loop, settings))
        except BaseException as exc:
            logger.exception("the runtime crashed")
            message = f"the runtime crashed: {type(exc).__name__}: {exc}; quit and start again"
            self._emit(ErrorOccurred("runtime", message, recoverable=False, details=traceback.format_exc()))
        finally:
            with self._lock:
                self._loop, self._waiting = None, None
            _cancel_all(loop)
            self._tracing.close()
            capture.remove()
            if self._log is not None:
                self._log.close()
            if self._recording is not None:
                self._recording.close()
            # A thread that is inside a native call can't be stopped; the process doesn't wait for it.
            executor.shutdown(wait=False, cancel_futures=True)
            loop.close()

    async def _main(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        stopping = asyncio.Event()
        with self._lock:
            self._loop, self._stopping = loop, stopping
            if self._stop_asked_at is not None:
                return
        assert self._events is not None
        # With it comes the whole engine, for which the first frame needn't wait.
        from agent_runtime.host.conversation import Conversation
        from agent_runtime.lazy_model import build_models

        build_models()
        loaded = self._load()
        recording = self._recording = Recording(
            settings, _written(loaded.target), self._emit, _secrets(settings), name=loaded.name
        )
        conversation = self._conversation = Conversation(
            settings, loaded, events=self._events, use_events=self._use_events, recording=recording
        )
        running = asyncio.create_task(conversation.run(self._ready), name="conversation")
        stop = asyncio.create_task(stopping.wait(), name="stop")
        try:
            await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
                await stop  # the session is over; the console stays until it is closed
        finally:
            stop.cancel()
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({running}, timeout=CANCEL_TIMEOUT)
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await conversation.aclose()
            except TimeoutError:
                logger.warning("the session didn't close within %s s and was abandoned", CLOSE_TIMEOUT)

    def _ready(self) -> None:
        """The session runs: answer what was asked meanwhile."""
        with self._lock:
            waiting, self._waiting = self._waiting or [], None
        for request in waiting:
            self._answer(request)

    def _use_events(self, events: EventStream) -> None:
        """From now on the session's own stream numbers and stamps what happens, on from what was told before it."""
        self._told_before = self._last_seq
        events.subscribe(self._deliver)
        self._events = events
        self._tracing.follow(events)
        if self._recording is not None:
            self._recording.follow(events)

    def _deliver(self, event: AnyEvent) -> None:
        if event.session_id == BEFORE:
            event = replace(event, time=0.0)  # the session's own time begins later
        elif self._told_before:
            event = replace(event, seq=event.seq + self._told_before)
        self._last_seq = event.seq
        self._sink(event)
        if isinstance(event.data, RoomInvitation):
            event = replace(event, data=event.data.without_token())
        if self._log is not None:
            self._log.put(event)
        if self._recording is not None:
            self._recording.put(event)

    def _log_failed(self, problem: str) -> None:
        self._emit(ErrorOccurred("events", problem, recoverable=True))

    def _emit(self, data: EventData) -> None:
        if self._events is not None:
            self._events.emit(data)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """Give every task that is left a moment to end; one that refuses is left behind."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=CANCEL_TIMEOUT))
    loop.run_until_complete(loop.shutdown_asyncgens())


def _written(target: Target) -> str:
    """The target as it can be given on a command line in any folder."""
    where = str(target.path) if target.path is not None else target.module or ""
    return f"{where}:{target.name}" if target.name else where


def _secrets(settings: Settings) -> list[str]:
    livekit = settings.livekit
    secrets = (settings.openai.api_key, livekit.api_key, livekit.api_secret, livekit.encryption_key)
    return [secret.get_secret_value() for secret in secrets if secret is not None]
