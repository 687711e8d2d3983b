"""One conversation on the runtime's loop: agent, providers, sound and reload put together."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.agent_loader import LoadedAgent, load_agent
from agent_runtime.errors import AgentConsoleError, AgentLoadError
from agent_runtime.events import (
    DeviceChanged,
    ErrorOccurred,
    EventData,
    EventStream,
    LoopBlocked,
    LoopLag,
    LoopStalled,
    ReloadFailed,
    TurnMarked,
)
from agent_runtime.host.providers import Providers, check_llm, make_providers
from agent_runtime.host.read_ahead import ReadAhead
from agent_runtime.host.recording import Recording
from agent_runtime.host.turn_taking import take_turns
from agent_runtime.host.watchdog import LoopWatchdog
from agent_runtime.project import WatchList, without_place
from agent_runtime.providers.loading import Primable
from agent_runtime.reload import FileWatcher, Reloader
from agent_runtime.settings import Settings
from agent_runtime.types import is_given

if TYPE_CHECKING:
    from agent_runtime.devices import DeviceInfo
    from agent_runtime.host.audio import HostAudio
    from agent_runtime.host.room import RoomEnd
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.workshop import Request, Workshop

logger = logging.getLogger(__name__)

NO_LLM: Final = (
    "there is no language model: set OPENAI_API_KEY, or OPENAI_BASE_URL for a local server, "
    "or see `agent-console doctor` for the embedded one"
)


class Conversation:
    """Made, run and closed on one event loop.

    Args:
        settings: the checked settings.
        loaded: the agent's module.
        events: where to tell what happens before there is a session.
        use_events: is called once with the session's own stream.
        recording: gets to hear the sound, and where the code is.
    """

    def __init__(
        self,
        settings: Settings,
        loaded: LoadedAgent,
        *,
        events: EventStream,
        use_events: Callable[[EventStream], None],
        recording: Recording,
    ) -> None:
        self._settings = settings
        self._recording = recording
        self._loaded = loaded
        self._events = events
        self._use_events = use_events
        self._loop = asyncio.get_running_loop()
        self._session: AgentSession[Any] | None = None
        self._audio: HostAudio | None = None
        self._reloader: Reloader | None = None
        self._workshop: Workshop | None = None
        self._room_end: RoomEnd | None = None
        self._saved = asyncio.Event()
        self._models_loaded = asyncio.Event()
        self._watcher: FileWatcher | None = None
        self._watchdog = LoopWatchdog(self._loop, self._loop_watched)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life ------------------------------------------------------------------------------------------------------

    async def run(self, on_ready: Callable[[], None]) -> None:
        """Start everything, call `on_ready` once requests can be served, and stay until the session is over."""
        if self._settings.reload:
            self._watcher = FileWatcher(self._loaded.code.watch_list, self._files_saved, self._files_saved)
            self._watcher.start()
        agent, session = await self._build_agent()
        self._watch(self._loaded.code.watch_list)
        own_handling = session.options.turn_handling if session is not None else None
        session, providers = self._complete(agent, session)
        self._session = session
        self._events = session.events
        self._use_events(session.events)
        self._recording.use_code(self._code_in_use)
        for note in self._loaded.notes:
            logger.info(note)
        from agent_runtime.workshop import Workshop

        self._workshop = workshop = Workshop(session)
        over = asyncio.Event()
        session.on("close", lambda _: over.set())
        if not self._settings.text:
            await self._attach_audio(session)
        await session.start(agent)
        self._reloader = Reloader(
            self._loaded,
            agent,
            session,
            userdata=lambda: [session._userdata, *workshop.branches.kept()],
            on_files=self._watch,
            turn_handling=own_handling,
            is_rest_set_aside=self._models_loaded.is_set,
        )
        if self._settings.livekit.room is not None:
            self.set_mode("room")
        on_ready()
        self._in_background(self._load(providers, session))
        self._in_background(check_llm(providers.llm, self._emit))
        self._watchdog.start()
        await over.wait()

    async def aclose(self) -> None:
        """Close the session, give the devices back."""
        self._watchdog.stop()
        if self._watcher is not None:
            self._watcher.stop(wait=False)
        if self._reloader is not None:
            await self._reloader.aclose()
        for task in self._tasks:
            task.cancel()
        if self._room_end is not None:
            await self._room_end.aclose()
        if self._session is not None:
            await self._session.aclose()
        if "agent_runtime.worker.local_job" in sys.modules:  # the agent's file has an entrypoint
            await sys.modules["agent_runtime.worker.local_job"].wait_for_ends()
        if self._audio is not None:
            await self._audio.aclose()
        if "agent_runtime.utils.http_context" in sys.modules:  # a provider may have used it
            await sys.modules["agent_runtime.utils.http_context"].aclose()

    async def _build_agent(self) -> tuple[Agent, AgentSession[Any] | None]:
        """Make the agent; while its code fails, show why and wait for it to be saved."""
        while True:
            try:
                return await self._loaded.build()
            except AgentLoadError as exc:
                self._load_failed(exc)
            await self._next_version()

    async def _load(self, providers: Providers, session: AgentSession[Any]) -> None:
        loaded = await providers.load(self._emit)
        self._models_loaded.set()
        # What exists by now, the models' tables above all, lives as long as the session. A garbage collector that
        # walks it again and again stops every thread for 40 ms each time, the audio callbacks too.
        gc.freeze()
        if loaded:
            parts: tuple[object, ...] = (providers.llm, providers.turn_detector)
            readers = [part for part in parts if isinstance(part, Primable)]
            await ReadAhead(session, readers).run()

    async def _next_version(self) -> None:
        while True:
            await self._saved.wait()
            self._saved.clear()
            try:
                loaded = await asyncio.to_thread(load_agent, self._loaded.target, self._loaded)
            except AgentLoadError as exc:
                self._load_failed(exc)
                self._watch(self._loaded.code.watch_list_after_failure())
            else:
                loaded.code.exchange.settle()
                self._loaded = loaded
                self._watch(loaded.code.watch_list)
                return

    def _load_failed(self, exc: AgentLoadError) -> None:
        path = exc.path or str(self._loaded.path)
        self._emit(ReloadFailed(without_place(exc), path, exc.line, exc.details), cause="save")

    def _complete(self, agent: Agent, session: AgentSession[Any] | None) -> tuple[AgentSession[Any], Providers]:
        """The session, made if the module makes none, and what it hears, thinks and speaks with.

        What the module's own session leaves open is as the settings say: its parts, and how turns are taken.
        """
        from agent_runtime.voice.session import AgentSession

        session = AgentSession() if session is None else session
        early: list[EventData] = []  # told once the session is started
        ours = make_providers(self._settings, early.append, only=session._left_open)
        session.update_options(**{part: getattr(ours, part) for part in session._left_open})
        take_turns(session, agent, self._settings, ours)
        model = agent.llm if is_given(agent.llm) else session.llm
        events = session.events
        self._loop.call_soon(lambda: [events.emit(data) for data in early])
        if model is None and session.llm is None:
            early.append(ErrorOccurred("llm", NO_LLM, recoverable=True))
        if self._settings.text:
            return session, Providers(llm=session.llm)
        return session, Providers(session.vad, session.stt, ours.turn_detector, session.llm, session.tts)

    async def _attach_audio(self, session: AgentSession[Any]) -> None:
        from agent_runtime.clock import LoopClock
        from agent_runtime.host.audio import HostAudio

        clock = LoopClock(self._loop)
        self._audio = audio = HostAudio(
            self._settings.audio, clock=clock, on_event=self._device_event, ready=self._models_loaded
        )
        await audio.find_named_devices()
        session.input.audio = self._recording.hear(audio.input, clock)
        session.output.audio = self._recording.speak(audio.output, clock)

    def _device_event(self, data: EventData) -> None:
        """Where there is no speaker at all the agent writes instead of speaking to nobody."""
        if isinstance(data, DeviceChanged) and data.kind == "output" and self._session is not None:
            if data.state == "opened":
                self._session.output.set_audio_enabled(True)
            elif data.state == "unavailable":
                self._session.output.set_audio_enabled(False)
        self._emit(data)

    # --- requests ----------------------------------------------------------------------------------------------------

    def send_text(self, text: str) -> None:
        """The user typed a turn; it stops the agent."""
        self._running().send_text(text)

    def interrupt(self) -> None:
        """Stop the agent's speech."""
        self._running().interrupt(cause="key")

    def set_muted(self, muted: bool) -> None:
        """Mute or unmute the microphone."""
        self._running().set_input_muted(muted)

    def push_to_talk(self, action: Literal["press", "send", "discard", "off"]) -> None:
        """Take a turn by hand."""
        getattr(self._running().push_to_talk, action)()

    def set_mode(self, mode: Literal["local", "room"], room: str | None = None, *, start_server: bool = False) -> None:
        """Go on in a room, or on this machine again."""
        if self._room_end is None:
            from agent_runtime.clock import LoopClock
            from agent_runtime.host.room import RoomEnd

            clock, recording = LoopClock(self._loop), self._recording
            self._room_end = RoomEnd(
                self._settings.livekit,
                self._running(),
                self._emit,
                hear=lambda source: recording.hear(source, clock),
                speak=lambda sink: recording.speak(sink, clock),
                clock=clock,
            )
        self._in_background(self._room_end.set_mode(mode, room, start_server=start_server))

    def record(self, on: bool) -> None:
        """Begin a session bundle, or complete the one that is written."""
        if on:
            self._recording.start()
        else:
            self._recording.stop()

    def mark_turn(self, turn_id: str) -> None:
        """Mark a turn to come back to."""
        self._events.emit(TurnMarked(), turn_id=turn_id)

    def ask_workshop(self, request: Request) -> None:
        """Try a tool, stand in for one, rewrite the conversation, fork it."""
        assert self._workshop is not None, "requests are kept until the session runs"
        self._in_background(self._workshop.ask(request))

    def reload(self) -> None:
        """Load the agent's code again."""
        if self._reloader is None:
            self._saved.set()
        else:
            self._reloader.request("key")

    def select_device(self, kind: Literal["input", "output"], device_id: str) -> None:
        """Use another microphone or speaker."""
        if self._audio is not None:
            self._audio.local.select(kind, device_id)

    def find_devices(self) -> Sequence[DeviceInfo]:
        """The devices there are. Called in a thread of the caller's; blocks."""
        if self._audio is None:
            return ()
        try:
            return self._audio.local.list_devices()
        except AgentConsoleError as exc:
            problem = str(exc)
            self._loop.call_soon_threadsafe(self._emit, ErrorOccurred("device", problem, recoverable=True))
            return ()

    def is_current_device(self, device: DeviceInfo) -> bool:
        """Whether it is the one in use."""
        return self._audio is not None and self._audio.local.selected(device.kind) == device.id

    # --- inside ------------------------------------------------------------------------------------------------------

    def _running(self) -> AgentSession[Any]:
        assert self._session is not None, "requests are kept until the session runs"
        return self._session

    def _emit(self, data: EventData, cause: str | None = None) -> None:
        self._events.emit(data, cause=cause)

    def _loop_watched(self, data: LoopStalled | LoopBlocked | LoopLag) -> None:
        """In the turn that has to wait for it. A loop that stands still tells it from another thread."""
        turn_id = self._session._report.turn_id if self._session is not None else None
        self._events.emit(data, turn_id=turn_id)

    def _code_in_use(self) -> tuple[Path, WatchList]:
        watched = self._loaded.code.watch_list if self._reloader is None else self._reloader.watch_list
        return self._loaded.path, watched

    def _files_saved(self, files: frozenset[Path]) -> None:
        """In the watcher's thread."""
        self._loop.call_soon_threadsafe(self._reload_saved, files)

    def _reload_saved(self, files: frozenset[Path]) -> None:
        if self._reloader is None:
            self._saved.set()
        else:
            self._reloader.request("save", files)

    def _watch(self, files: WatchList) -> None:
        if self._watcher is not None:
            self._watcher.watch(files)

    def _in_background(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._background_done)

    def _background_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("background work failed", exc_info=exc)
            self._emit(ErrorOccurred("host", f"{type(exc).__name__}: {exc}", recoverable=True))
