"""The other end of a conversation: a LiveKit room in place of microphone and speaker, and back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.clock import Clock
from agent_runtime.errors import AgentConsoleError, RoomError
from agent_runtime.events import ErrorOccurred, EventData, ModeChanged, RoomDisconnected, RoomServerMissing
from agent_runtime.io import AudioInput, AudioOutput, TextOutput
from agent_runtime.settings import LiveKitSettings
from agent_runtime.utils import shortuuid

if TYPE_CHECKING:
    from livekit import rtc

    from agent_runtime.room import RoomIO
    from agent_runtime.room.joining import Server
    from agent_runtime.room.local_server import LocalServer
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)

RETRY_DELAYS: Final = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0)
"""Seconds before each attempt to join again; after them the conversation goes on locally."""
FINAL_REASONS: Final = frozenset(
    {"client_initiated", "duplicate_identity", "participant_removed", "room_deleted", "agent_error"}
)
"""Reasons for being out that joining again would only repeat, or that somebody meant."""
SPEECH_GRACE: Final = 0.5
"""Seconds that the agent gets to finish what it says before the conversation moves; then it is cut."""


class RoomEnd:
    """Moves one session between this machine and a room, with everything that was said kept.

    Args:
        settings: the server.
        session: the conversation; it runs.
        emit: is told what happens, and its cause.
        hear, speak: wrap the room's sound as the local one is wrapped.
        clock: the clock of the loop.
        name: of the room that is joined when none is named.
    """

    def __init__(
        self,
        settings: LiveKitSettings,
        session: AgentSession[Any],
        emit: Callable[[EventData, str | None], None],
        *,
        hear: Callable[[AudioInput], AudioInput],
        speak: Callable[[AudioOutput], AudioOutput],
        clock: Clock,
        name: str = "",
    ) -> None:
        self._settings = settings
        self._session = session
        self._emit = emit
        self._hear = hear
        self._speak = speak
        self._clock = clock
        self._name = name or settings.room or shortuuid("console-")
        self._lock = asyncio.Lock()
        self._room: rtc.Room | None = None
        self._io: RoomIO | None = None
        self._own_server: LocalServer | None = None
        self._server: Server | None = None
        self._rejoining: asyncio.Task[None] | None = None
        self._local: tuple[AudioInput | None, AudioOutput | None, TextOutput | None] | None = None
        """What the session has on this machine, while it is away."""
        self._unsubscribe: Callable[[], None] = lambda: None

    @property
    def mode(self) -> Literal["local", "room"]:
        """Where the conversation is."""
        return "local" if self._local is None else "room"

    async def set_mode(
        self, mode: Literal["local", "room"], room: str | None = None, *, start_server: bool = False
    ) -> None:
        """Move there; if that fails the conversation stays where it is, and the event says why.

        Where no server is configured `start_server` starts one; without it `RoomServerMissing` says that it could.
        """
        self._stop_rejoining()
        async with self._lock:
            asked = self._clock.now()
            try:
                if mode == "room":
                    # It takes 0.3 s, in which the agent can go on.
                    await asyncio.to_thread(import_module, "agent_runtime.room")
                    if await self._find_server(start_server):
                        await self._enter(room or self._name, asked)
                else:
                    await self._return(asked)
            except AgentConsoleError as exc:
                self._emit(ErrorOccurred("room", str(exc), recoverable=True), None)

    async def aclose(self) -> None:
        """Leave the room, at the session's end."""
        self._stop_rejoining()
        async with self._lock:
            await self._leave()
            if self._own_server is not None:
                await self._own_server.aclose()

    async def _find_server(self, start: bool) -> bool:
        """Whether there is a server to go to. Raises RoomError if there can't be one."""
        from agent_runtime.room.joining import Server
        from agent_runtime.room.local_server import LocalServer, find_server

        if self._own_server is not None and not self._own_server.running:
            await self._own_server.aclose()
            self._own_server, self._server, start = None, None, True
        if self._server is not None:
            return True
        missing = Server.missing(self._settings)
        binary = find_server() if self._settings.url is None else None
        if binary is None:
            self._server = Server.from_settings(self._settings)
        elif start:
            own = LocalServer(binary, clock=self._clock)
            self._server, self._own_server = await own.start(), own
        else:
            self._emit(RoomServerMissing(", ".join(missing), binary), None)
        return self._server is not None

    async def _enter(self, name: str, asked: float, *, again: bool = False) -> None:
        from livekit import rtc

        from agent_runtime.room.joining import connect, encrypted

        if not again and self._io is not None and name == self._name:
            return
        server = self._server
        assert server is not None, "found before"
        room = rtc.Room()
        token = server.token(name, f"agent-{shortuuid()[:6]}", kind="agent", name="agent")
        await connect(room, server, token, encrypted(self._settings))
        await self._speech_over(asked)
        first = self._local is None
        if first:
            session = self._session
            self._local = session.input.audio, session.output.audio, session.output.transcription
        else:
            await self._leave()
        self._room, self._name = room, name
        try:
            await self._attach(room)
        except BaseException:
            await self._leave()
            if first:
                self._use_local()
            raise
        if not again:
            key = self._settings.encryption_key
            invitation = server.invitation(name, key=None if key is None else key.get_secret_value())
            if self._own_server is not None:  # nobody knows its secret, which the command needs
                invitation = replace(invitation, command="")
            self._emit(invitation, None)
            self._emit(ModeChanged("room", name, self._clock.now() - asked), "key")

    async def _attach(self, room: rtc.Room) -> None:
        from agent_runtime.room import RoomIO, RoomOptions

        session = self._session
        self._unsubscribe = session.events.subscribe(self._disconnected, types={RoomDisconnected})
        self._io = io = RoomIO(session, room, options=RoomOptions(close_on_disconnect=False))
        await io.start()
        io.register_push_to_talk()
        session._room_io = io
        if io.audio_input is not None and io.audio_output is not None:
            session.input.audio = self._hear(io.audio_input)
            session.output.audio = self._speak(io.audio_output)

    async def _return(self, asked: float, cause: str = "key") -> None:
        if self._local is None:
            return
        await self._speech_over(asked)
        self._use_local()
        took = self._clock.now() - asked
        await self._leave()
        self._emit(ModeChanged("local", None, took), cause)

    def _use_local(self) -> None:
        """Give the session back what it had on this machine."""
        assert self._local is not None
        session, local = self._session, self._local
        session.input.audio, session.output.audio, session.output.transcription = local
        self._local = None

    async def _leave(self) -> None:
        self._unsubscribe()
        io, self._io = self._io, None
        room, self._room = self._room, None
        if io is not None:
            await io.aclose()
            self._session._room_io = None
        if room is not None:
            await room.disconnect()

    async def _speech_over(self, asked: float) -> None:
        """Let the agent finish, if it does so soon."""
        speech = self._session.current_speech
        if speech is None:
            return
        waiting = asyncio.ensure_future(speech.wait_for_playout())
        try:
            await asyncio.wait({waiting}, timeout=max(0.0, asked + SPEECH_GRACE - self._clock.now()))
        finally:
            waiting.cancel()

    # --- a connection that is lost for good ---------------------------------------------------------------------------

    def _disconnected(self, event: Any) -> None:
        if self._room is not None and self._rejoining is None:
            self._rejoining = asyncio.get_running_loop().create_task(
                self._recover(event.data.reason), name="join the room again"
            )

    def _stop_rejoining(self) -> None:
        task, self._rejoining = self._rejoining, None
        if task is not None:
            task.cancel()

    async def _recover(self, reason: str) -> None:
        problem = ""
        if reason not in FINAL_REASONS:
            for delay in RETRY_DELAYS:
                await self._clock.sleep(delay)
                try:
                    async with self._lock:
                        await self._enter(self._name, self._clock.now(), again=True)
                except RoomError as exc:
                    problem = str(exc)
                    logger.info("joining again failed: %s", exc)
                    if not exc.retry:
                        break
                except Exception as exc:  # of the SDK's or a callback's; whatever it is, nobody would be heard any more
                    problem = f"{type(exc).__name__}: {exc}"
                    logger.exception("joining again failed")
                    break
                else:
                    self._rejoining = None
                    return
        self._rejoining = None
        async with self._lock:
            await self._return(self._clock.now(), "disconnected")
        if problem:
            self._emit(ErrorOccurred("room", f"{problem}; the conversation goes on here", recoverable=True), None)
