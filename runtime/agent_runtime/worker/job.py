"""What an agent's code has of its job: the process it runs in, the room it is for, the end of both."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import tempfile
from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, overload

from agent_runtime.worker.job_process import JobExecutorType as JobExecutorType
from agent_runtime.worker.job_process import JobProcess as JobProcess
from agent_runtime.worker.tagger import Tagger

if TYPE_CHECKING:
    from livekit import api as livekit_api
    from livekit import rtc
    from livekit.protocol import agent

    from agent_runtime.room.waiting import Kinds
    from agent_runtime.types import NotGivenOr
    from agent_runtime.voice import Agent, AgentSession
    from agent_runtime.worker.assignment import RunningJobInfo
    from agent_runtime.worker.job_recording import JobRecording, RecordingOptions
    from agent_runtime.worker.session_report import SessionReport
    from agent_runtime.worker.simulation import SimulationContext

logger = logging.getLogger(__name__)

ParticipantEntrypoint: TypeAlias = "Callable[[JobContext, rtc.RemoteParticipant], Coroutine[Any, Any, None]]"
ShutdownCallback: TypeAlias = "Callable[[], Awaitable[None]] | Callable[[str], Awaitable[None]]"

USER_REQUESTED: Final = "user requested"
"""Why a job ends that its own code ends without saying why."""


class AutoSubscribe(StrEnum):
    """Which tracks of a room are subscribed to without asking."""

    SUBSCRIBE_ALL = "subscribe_all"
    SUBSCRIBE_NONE = "subscribe_none"
    AUDIO_ONLY = "audio_only"
    VIDEO_ONLY = "video_only"


class JobContext:
    """What an entrypoint is called with. The job lasts until its room is left, or `shutdown`.

    Args:
        proc: where it runs.
        info: what was assigned.
        room: not connected yet.
        on_connect: is called once it is.
        on_shutdown: is called with the reason when the job's code wants its end.
        on_session: is told of each session that starts in the job.
        inference_executor: accepted for LiveKit Agents' sake; the bundled models run in their own threads.
    """

    def __init__(
        self,
        *,
        proc: JobProcess,
        info: RunningJobInfo,
        room: rtc.Room,
        on_connect: Callable[[], None],
        on_shutdown: Callable[[str], None],
        on_session: Callable[[AgentSession[Any]], None] = lambda _: None,
        inference_executor: Any | None = None,
    ) -> None:
        self._proc = proc
        self._info = info
        self._room = room
        self._on_connect = on_connect
        self._on_shutdown = on_shutdown
        self._on_session = on_session
        self._inference_executor = inference_executor
        self._connecting = asyncio.Lock()
        self._connected = False
        self._log_fields: dict[str, Any] = {}
        self._shutdown_callbacks: list[ShutdownCallback] = []
        self._entrypoints: list[tuple[ParticipantEntrypoint, Kinds]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._sessions: list[AgentSession[Any]] = []
        self._api: livekit_api.LiveKitAPI | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._recording: JobRecording | None = None
        self._tagger = Tagger()

    # --- what it is --------------------------------------------------------------------------------------------------

    @property
    def proc(self) -> JobProcess:
        """The process; what the setup function left is in its `userdata`."""
        return self._proc

    @property
    def job(self) -> agent.Job:
        """The job, as the protocol describes it: its id, room, metadata."""
        return self._info.job

    @property
    def info(self) -> RunningJobInfo:
        """What was assigned."""
        return self._info

    @property
    def worker_id(self) -> str:
        """The worker's id as the server knows it."""
        return self._info.worker_id

    @property
    def room(self) -> rtc.Room:
        """The room; `connect` before it is used."""
        return self._room

    @property
    def agent(self) -> rtc.LocalParticipant:
        """The agent as a participant."""
        return self._room.local_participant

    @property
    def api(self) -> livekit_api.LiveKitAPI:
        """The server's API, by the worker's key. It is closed with the job."""
        if self._api is None:
            from livekit import api

            self._api = api.LiveKitAPI()
        return self._api

    @property
    def local_participant_identity(self) -> str:
        """As whom the agent joins."""
        return self.token_claims().identity or self._room.local_participant.identity

    @property
    def primary_session(self) -> AgentSession[Any]:
        """The first session that was started in this job. Raises RuntimeError before there is one."""
        if not self._sessions:
            raise RuntimeError("no AgentSession was started in this job yet")
        return self._sessions[0]

    @property
    def _primary_session(self) -> AgentSession[Any] | None:
        return self._sessions[0] if self._sessions else None

    @property
    def session_directory(self) -> Path:
        """A folder for this job's files; it is deleted with the job."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="agent-job-")
        return Path(self._folder.name)

    @property
    def inference_executor(self) -> Any:
        """What models were to run in, if anything was given; the bundled ones don't need it."""
        return self._inference_executor

    @property
    def tagger(self) -> Tagger:
        """What became of the conversation, for its report."""
        return self._tagger

    @property
    def inference_headers(self) -> dict[str, str]:
        """Headers that requests of this job's models should have; none but in a simulation."""
        from agent_runtime.worker.simulation import inference_headers

        return inference_headers(self.simulation_context())

    def simulation_context(self) -> SimulationContext | None:
        """The simulation that it is part of, None for a job with real users."""
        from agent_runtime.worker.simulation import simulation_of

        return simulation_of(self)

    @property
    def log_context_fields(self) -> dict[str, Any]:
        """What is added to each line of the log; can be edited and replaced."""
        return self._log_fields

    @log_context_fields.setter
    def log_context_fields(self, fields: dict[str, Any]) -> None:
        self._log_fields = fields

    def is_fake_job(self) -> bool:
        """Whether no server gave it, so that there is nothing to connect to."""
        return self._info.fake_job

    def token_claims(self) -> livekit_api.access_token.Claims:
        """What the token says of the agent. Raises ValueError for a job without one."""
        from livekit import api

        if not self._info.token:
            raise ValueError("this job has no token: no server gave it")
        return api.TokenVerifier("-", "-").verify(self._info.token, verify_signature=False)

    # --- its room ----------------------------------------------------------------------------------------------------

    async def connect(
        self,
        *,
        encryption: rtc.E2EEOptions | None = None,
        auto_subscribe: AutoSubscribe = AutoSubscribe.SUBSCRIBE_ALL,
        rtc_config: rtc.RtcConfiguration | None = None,
        single_peer_connection: bool | None = None,
        e2ee: rtc.E2EEOptions | None = None,
    ) -> None:
        """Join the room; once joined, it does nothing. A fake job only says that it did.

        Args:
            encryption: end-to-end encryption, which the others need too.
            auto_subscribe: whose tracks are received without asking.
            rtc_config: how media are sent, such as by which relays.
            single_peer_connection: whether one connection carries both directions.
            e2ee: the older name of `encryption`.

        Raises:
            livekit.rtc.ConnectError: the server doesn't let it in, or isn't there.
        """
        async with self._connecting:
            if self._connected:
                return
            if not self._info.fake_job:
                await self._join(encryption or e2ee, auto_subscribe, rtc_config, single_peer_connection)
            self._connected = True
            self._on_connect()

    async def _join(
        self,
        encryption: rtc.E2EEOptions | None,
        auto_subscribe: AutoSubscribe,
        rtc_config: rtc.RtcConfiguration | None,
        single_peer_connection: bool | None,
    ) -> None:
        from livekit import rtc

        options = rtc.RoomOptions(
            auto_subscribe=auto_subscribe == AutoSubscribe.SUBSCRIBE_ALL,
            encryption=encryption,
            rtc_config=rtc_config,
            single_peer_connection=single_peer_connection,
        )
        room = self._room
        room.on("participant_connected", self._participant_came)
        await room.connect(self._info.url, self._info.token, options=options)
        _subscribe(room, auto_subscribe)
        for participant in room.remote_participants.values():
            self._participant_came(participant)

    async def wait_for_participant(self, *, identity: str | None = None, kind: Kinds = None) -> rtc.RemoteParticipant:
        """The first who is in the room, of this identity and kind; unset, not another agent. Connects if need be."""
        from agent_runtime.room.waiting import wait_for_participant

        await self.connect()
        return await wait_for_participant(self._room, identity=identity, kind=_kinds(kind))

    def add_participant_entrypoint(self, entrypoint_fnc: ParticipantEntrypoint, *_: Any, kind: Kinds = None) -> None:
        """Have this called for each participant who comes, and for those who are there; unset, not for agents.

        Raises ValueError if it was added before.
        """
        if any(entrypoint_fnc == known for known, _kind in self._entrypoints):
            raise ValueError(f"{_name(entrypoint_fnc)} is a participant entrypoint of this job already")
        self._entrypoints.append((entrypoint_fnc, kind))
        if self._connected and not self._info.fake_job:
            for participant in self._room.remote_participants.values():
                self._enter(entrypoint_fnc, kind, participant)

    def delete_room(self, room_name: str | None = None) -> asyncio.Future[livekit_api.DeleteRoomResponse]:
        """End the room, for everybody in it. `room_name` ends another."""
        return self._in_background(self._delete_room(room_name or self.job.room.name), "delete the room")

    async def _delete_room(self, name: str) -> livekit_api.DeleteRoomResponse:
        from livekit import api

        if self._info.fake_job:
            logger.info("a fake job has no room to delete")
            return api.DeleteRoomResponse()
        try:
            return await self.api.room.delete_room(api.DeleteRoomRequest(room=name))
        except api.TwirpError as exc:
            if exc.code != api.TwirpErrorCode.NOT_FOUND:
                raise
            return api.DeleteRoomResponse()

    def add_sip_participant(
        self,
        *,
        call_to: str,
        trunk_id: str,
        participant_identity: str,
        participant_name: NotGivenOr[str] = "SIP-participant",
    ) -> asyncio.Future[livekit_api.SIPParticipantInfo]:
        """Call a number or SIP address over an outbound trunk; who answers comes into the room."""
        from agent_runtime.worker import phone

        name = participant_name or None
        call = phone.dial(self, call_to=call_to, trunk_id=trunk_id, identity=participant_identity, name=name)
        return self._in_background(call, f"call {call_to}")

    def transfer_sip_participant(
        self, participant: rtc.RemoteParticipant | str, transfer_to: str, play_dialtone: bool = False
    ) -> asyncio.Future[None]:
        """Pass a caller on to another number or SIP address. Raises ValueError for who isn't on the phone."""
        from agent_runtime.worker import phone

        caller = phone.identity_of_caller(participant)
        move = phone.transfer(self, caller, transfer_to, play_dialtone=play_dialtone)
        return self._in_background(move, f"pass {caller} on to {transfer_to}")

    # --- its end -----------------------------------------------------------------------------------------------------

    def shutdown(self, reason: str = USER_REQUESTED) -> None:
        """End the job: its session is closed, then the shutdown callbacks are called, then the room is left."""
        self._on_shutdown(reason)

    def add_shutdown_callback(self, callback: ShutdownCallback) -> None:
        """Have `callback` called at the job's end, with the reason if it takes an argument."""
        self._shutdown_callbacks.append(callback)

    def init_recording(self, options: RecordingOptions) -> None:
        """Write the next session down, into a bundle in `session_directory`; `AgentSession.start(record=…)` does it.

        Raises ValueError for options that contradict each other.
        """
        from agent_runtime.worker.job_recording import FOLDER, JobRecording, wants_recording

        if wants_recording(options) and self._recording is None:
            self._recording = JobRecording(self.session_directory / FOLDER)

    def make_session_report(self, session: AgentSession[Any] | None = None) -> SessionReport:
        """What the conversation was; of the primary session if none is given.

        Raises RuntimeError if no session was started.
        """
        from agent_runtime.worker.session_report import SessionReport

        session = session or self.primary_session
        return SessionReport(
            job_id=self.job.id,
            room_id=self.job.room.sid,
            room=self.job.room.name,
            agent_name=self.job.agent_name,
            options=session.options,
            chat_history=session.history.copy(),
            model_usage=session.usage.model_usage,
            recording=self._recording.folder if self._recording is not None else None,
            tagged=self._tagger.as_plain(),
        )

    async def _end_sessions(self) -> None:
        for session in self._sessions:
            await session.aclose()
        if self._recording is not None:
            await self._recording.aclose()

    async def _call_shutdown_callbacks(self, reason: str) -> None:
        """All of them at the same time; one that fails is told and keeps nobody."""
        calls = [self._call(callback, reason) for callback in self._shutdown_callbacks]
        for callback, result in zip(
            self._shutdown_callbacks, await asyncio.gather(*calls, return_exceptions=True), strict=True
        ):
            if isinstance(result, BaseException):
                logger.error("the shutdown callback %s failed", _name(callback), exc_info=result)

    @staticmethod
    async def _call(callback: ShutdownCallback, reason: str) -> None:
        arguments: tuple[Any, ...] = (reason,) if inspect.signature(callback).parameters else ()
        await callback(*arguments)

    async def _leave(self) -> None:
        """Leave the room and give back what the job had."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connected and not self._info.fake_job:
            await self._room.disconnect()
        if self._api is not None:
            await self._api.aclose()
        if self._folder is not None:
            self._folder.cleanup()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _hand_over(self, session: AgentSession[Any], agent: Agent) -> Awaitable[None] | None:
        """Leave the start of a session to somebody else; None where nobody takes it."""
        return None

    def _session_started(self, session: AgentSession[Any]) -> None:
        """A session starts in this job."""
        self._sessions.append(session)
        if self._recording is not None:
            self._recording.follow(session)
        self._on_session(session)

    def _participant_came(self, participant: rtc.RemoteParticipant) -> None:
        for entrypoint, kind in self._entrypoints:
            self._enter(entrypoint, kind, participant)

    def _enter(self, entrypoint: ParticipantEntrypoint, kind: Kinds, participant: rtc.RemoteParticipant) -> None:
        wanted = _kinds(kind)
        if participant.kind in (wanted if isinstance(wanted, list) else [wanted]):
            self._in_background(entrypoint(self, participant), f"{_name(entrypoint)} for {participant.identity}")

    def _in_background(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (exc := task.exception()) is not None:
            logger.error("%s failed", task.get_name(), exc_info=exc)


def _kinds(kind: Kinds) -> Any:
    """The kinds that are meant; None stands for people, on whichever way they come."""
    from livekit.rtc import ParticipantKind

    if kind is not None:
        return kind
    return [
        ParticipantKind.PARTICIPANT_KIND_CONNECTOR,
        ParticipantKind.PARTICIPANT_KIND_SIP,
        ParticipantKind.PARTICIPANT_KIND_STANDARD,
    ]


def _subscribe(room: rtc.Room, auto_subscribe: AutoSubscribe) -> None:
    """Receive one kind of tracks, those that are there and those that come."""
    from livekit.rtc import TrackKind

    wanted = {
        AutoSubscribe.AUDIO_ONLY: TrackKind.KIND_AUDIO,
        AutoSubscribe.VIDEO_ONLY: TrackKind.KIND_VIDEO,
    }.get(auto_subscribe)
    if wanted is None:
        return

    def take(publication: rtc.RemoteTrackPublication, _: Any = None) -> None:
        if publication.kind == wanted:
            publication.set_subscribed(True)

    room.on("track_published", take)
    for participant in room.remote_participants.values():
        for publication in participant.track_publications.values():
            take(publication)


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", repr(function))


current_job: contextvars.ContextVar[JobContext | None] = contextvars.ContextVar("current_job", default=None)


@overload
def get_job_context(*, required: Literal[True] = True) -> JobContext: ...


@overload
def get_job_context(*, required: bool) -> JobContext | None: ...


def get_job_context(*, required: bool = True) -> JobContext | None:
    """The job that the present code runs in.

    Raises:
        RuntimeError: there is none, and it is `required`.
    """
    context = current_job.get()
    if context is None and required:
        raise RuntimeError("this code doesn't run in a job: get_job_context(required=False) gives None then")
    return context


def handed_over(session: AgentSession[Any], agent: Agent) -> Awaitable[None] | None:
    """The start of a session, if it is the present job's to do it otherwise than the session does."""
    job = current_job.get()
    return None if job is None else job._hand_over(session, agent)


def begin_in_job(session: AgentSession[Any], room: object, record: object = None) -> asyncio.Task[None] | None:
    """Tell the present job, if there is one, of a session. Gives the joining of its room, if `room` is that."""
    job = current_job.get()
    if job is None:
        return None
    if record:
        from agent_runtime.worker.job_recording import recording_options

        if (options := recording_options(record)) is not None:
            job.init_recording(options)
    job._session_started(session)
    return asyncio.create_task(job.connect(), name="join the room") if room is job.room else None
