"""An entrypoint that runs at a console, without a LiveKit server.

It runs up to its first `session.start`. There the session and the agent are handed to whoever runs the conversation
here; the entrypoint goes on once they have started it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

from livekit.protocol import agent as agent_protocol
from livekit.protocol import models

from agent_runtime.events import ErrorOccurred
from agent_runtime.utils import shortuuid
from agent_runtime.worker.assignment import JobAcceptArguments, RunningJobInfo
from agent_runtime.worker.job import JobContext, JobProcess, current_job
from agent_runtime.worker.job_life import JobLife
from agent_runtime.worker.local_room import AGENT, PERSON, ROOM, LocalRoom

if TYPE_CHECKING:
    from livekit import api as livekit_api
    from livekit import rtc

    from agent_runtime.room.waiting import Kinds
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.worker.job import ParticipantEntrypoint
    from agent_runtime.worker.plan import JobPlan

logger = logging.getLogger(__name__)

STARTS_WITHIN: Final = 20.0
"""Seconds that an entrypoint gets up to its `session.start`."""
METADATA_VARIABLE: Final = "AGENT_JOB_METADATA"
"""The environment's variable for what a dispatch would give the job as its metadata."""
_END_TIMEOUT: Final = 5.0
"""Seconds for what is to be done at the session's end, and as many for the shutdown callbacks."""

_lives: set[asyncio.Task[Any]] = set()
"""The jobs that run here."""


class LocalJobError(Exception):
    """Raised when an entrypoint comes to no session here; the text says why, the cause is what it raised."""


async def run_entrypoint(plan: JobPlan) -> tuple[Agent, AgentSession[Any]]:
    """Run a file's entrypoint; gives what it starts, which isn't started yet.

    The job is the present one from then on, for the caller and what it begins. It ends with its session.

    Raises LocalJobError.
    """
    process = JobProcess()
    if plan.setup is not None:
        made = plan.setup(process)
        if inspect.isawaitable(made):
            await made
    life = _LocalLife(plan, _job_info(), process)
    task = asyncio.get_running_loop().create_task(life.run(), name="the entrypoint's job")
    _lives.add(task)
    task.add_done_callback(_lives.discard)
    await asyncio.wait((task, life.context.started), timeout=STARTS_WITHIN, return_when=asyncio.FIRST_COMPLETED)
    if not life.context.started.done():
        life.end(f"it started no session within {STARTS_WITHIN:g} s")
        await task
        raise LocalJobError(life.reason) from life.failure
    current_job.set(life.context)
    return life.context.started.result()


async def wait_for_ends() -> None:
    """Wait until the jobs whose session is over have done what they do at their end."""
    loop = asyncio.get_running_loop()
    if ours := [task for task in _lives if task.get_loop() is loop]:
        await asyncio.wait(ours, timeout=_END_TIMEOUT)


def _job_info() -> RunningJobInfo:
    job = agent_protocol.Job(
        id=shortuuid("console-job-"),
        room=models.Room(sid=f"RM_{ROOM}", name=ROOM),
        type=agent_protocol.JobType.JT_ROOM,
        metadata=os.environ.get(METADATA_VARIABLE, ""),
    )
    return RunningJobInfo(JobAcceptArguments("", AGENT, ""), job, "", "", "console", fake_job=True)


class LocalJobContext(JobContext):
    """What an entrypoint is called with here: its room is a `LocalRoom`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        loop = asyncio.get_running_loop()
        self.started: asyncio.Future[tuple[Agent, AgentSession[Any]]] = loop.create_future()
        """What the entrypoint starts."""
        self._begun: asyncio.Future[None] = loop.create_future()
        self._beginning = False

    @property
    def api(self) -> livekit_api.LiveKitAPI:
        """The server's API, if the environment names a server. The room of the console isn't there."""
        return _LocalApi(self)  # type: ignore[return-value]  # it passes everything on but the end of this room

    @property
    def local_participant_identity(self) -> str:
        """As whom the agent is in the room; there is no token that says it."""
        return AGENT

    async def wait_for_participant(self, *, identity: str | None = None, kind: Kinds = None) -> rtc.RemoteParticipant:
        """Who sits at the console, whoever is waited for."""
        await self.connect()
        return self.room.remote_participants[PERSON]

    def add_participant_entrypoint(self, entrypoint_fnc: ParticipantEntrypoint, *_: Any, kind: Kinds = None) -> None:
        """Called for who sits at the console."""
        super().add_participant_entrypoint(entrypoint_fnc, kind=kind)
        self._in_background(entrypoint_fnc(self, self.room.remote_participants[PERSON]), "a participant's entrypoint")

    async def _delete_room(self, name: str) -> livekit_api.DeleteRoomResponse:
        from livekit import api

        self.shutdown("the room was deleted")
        return api.DeleteRoomResponse()

    def _hand_over(self, session: AgentSession[Any], agent: Agent) -> Awaitable[None] | None:
        """The entrypoint's start waits for whoever took the session to begin; a second session begins by itself."""
        if not self.started.done():
            self.started.set_result((agent, session))
            return asyncio.shield(self._begun)
        if session is self.started.result()[1] and not self._beginning:
            self._beginning = True
            return self._begin(session, agent)
        return None

    async def _begin(self, session: AgentSession[Any], agent: Agent) -> None:
        try:
            await session.start(agent)
        except Exception as exc:
            self._begun.set_exception(exc)  # the entrypoint's own line started it
            raise
        self._begun.set_result(None)


class _LocalLife(JobLife):
    """A job whose end ends its session, and the other way round."""

    def __init__(self, plan: JobPlan, info: RunningJobInfo, process: JobProcess) -> None:
        self.failure: BaseException | None = None
        self.reason = ""
        """Why it ends."""
        super().__init__(
            plan,
            info,
            process,
            session_end_timeout=_END_TIMEOUT,
            shutdown_timeout=_END_TIMEOUT,
            on_session=lambda _: None,
            context=LocalJobContext,
            room=LocalRoom,
        )
        self.context.started.add_done_callback(self._session_found)

    @property
    def context(self) -> LocalJobContext:
        """What the entrypoint has."""
        assert isinstance(self._context, LocalJobContext)
        return self._context

    def end(self, reason: str) -> None:
        """See JobLife."""
        self.reason = self.reason or reason
        super().end(reason)

    async def _enter(self) -> None:
        try:
            await super()._enter()
        except Exception as exc:
            self.failure = exc
            raise
        if not self.context.started.done():
            self.end("it returned without starting a session")

    def _look_at(self, entrypoint: asyncio.Task[None]) -> str | None:
        """What fails after the start is told, and the conversation goes on: it isn't the entrypoint's here."""
        problem = super()._look_at(entrypoint)
        started = self.context.started
        if problem is None or not started.done():
            return problem
        started.result()[1].events.emit(ErrorOccurred("entrypoint", problem, recoverable=True))
        return None

    def _session_found(self, started: asyncio.Future[Any]) -> None:
        session = started.result()[1]
        session.on("close", lambda _: self.end("the session is over"))


class _Passing:
    """What LiveKit's API has, but for what is answered here; the rest goes to the server that the environment names."""

    def __init__(self, job: LocalJobContext, name: str = "") -> None:
        self._job = job
        self._name = name

    def __getattr__(self, name: str) -> Any:
        server: Any = JobContext.api.__get__(self._job)
        return getattr(getattr(server, self._name) if self._name else server, name)


class _LocalApi(_Passing):
    """Deleting the console's room is the way in which tools hang up; who is called is at the console already."""

    @property
    def room(self) -> _LocalRoomService:
        return _LocalRoomService(self._job, "room")

    @property
    def sip(self) -> _LocalPhone:
        return _LocalPhone(self._job, "sip")


class _LocalRoomService(_Passing):
    def delete_room(self, request: livekit_api.DeleteRoomRequest) -> Coroutine[Any, Any, Any]:
        if request.room in (ROOM, ""):
            return self._job._delete_room(ROOM)
        return cast("Coroutine[Any, Any, Any]", self.__getattr__("delete_room")(request))


class _LocalPhone(_Passing):
    async def create_sip_participant(self, request: livekit_api.CreateSIPParticipantRequest, **_: Any) -> Any:
        from livekit import api

        logger.info("nobody is called: who is at the console stands for %s", request.sip_call_to)
        identity = request.participant_identity or PERSON
        return api.SIPParticipantInfo(participant_id=PERSON, participant_identity=identity, room_name=ROOM)

    async def transfer_sip_participant(self, request: livekit_api.TransferSIPParticipantRequest, **_: Any) -> Any:
        from livekit import api

        logger.warning("the call would be passed on to %s here; it goes on at the console", request.transfer_to)
        return api.SIPParticipantInfo(participant_id=PERSON, room_name=ROOM)
