"""A job from its entrypoint to its end, on the loop of its process or thread."""

from __future__ import annotations

import asyncio
import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.utils import aio
from agent_runtime.worker.assignment import RunningJobInfo
from agent_runtime.worker.job import JobContext, JobProcess, current_job

if TYPE_CHECKING:
    from livekit import rtc

    from agent_runtime.voice import AgentSession
    from agent_runtime.worker.plan import JobPlan

logger = logging.getLogger(__name__)

LEFT: Final = "the room was left"
JOINS_WITHIN: Final = 10.0
"""Seconds after which an entrypoint that hasn't joined its room is told of."""
NOTHING_LEFT: Final = (
    "the entrypoint returned without joining its room: await ctx.connect(), or session.start(…, room=ctx.room)"
)


class JobLife:
    """One job. `run` returns how it went wrong, or None.

    Args:
        plan: the functions of the agent's file.
        info: what was assigned.
        process: where it runs, made ready.
        session_end_timeout: seconds that sessions and the function for their end get.
        shutdown_timeout: seconds that the shutdown callbacks get.
        on_session: is told of each session that starts.
        context: makes what the entrypoint is called with.
        room: makes the room that it joins; unset, a LiveKit server's.
    """

    def __init__(
        self,
        plan: JobPlan,
        info: RunningJobInfo,
        process: JobProcess,
        *,
        session_end_timeout: float,
        shutdown_timeout: float,
        on_session: Callable[[AgentSession[Any]], None],
        context: type[JobContext] = JobContext,
        room: Callable[[], rtc.Room] | None = None,
    ) -> None:
        self._plan = plan
        self._session_end_timeout = session_end_timeout
        self._shutdown_timeout = shutdown_timeout
        self._over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._connected = False
        self._context = context(
            proc=process,
            info=info,
            room=_new_room() if room is None else room(),
            on_connect=self._on_connect,
            on_shutdown=self.end,
            on_session=on_session,
        )

    def end(self, reason: str) -> None:
        """End it, if it hasn't begun to already."""
        if not self._over.done():
            self._over.set_result(reason)

    async def run(self) -> str | None:
        """Run it to its end."""
        token = current_job.set(self._context)
        try:
            loop = asyncio.get_running_loop()
            entrypoint = loop.create_task(self._enter(), name="entrypoint")
            reminder = loop.call_later(JOINS_WITHIN, self._remind)
            await asyncio.wait((entrypoint, self._over), return_when=asyncio.FIRST_COMPLETED)
            reminder.cancel()
            error = self._look_at(entrypoint) if entrypoint.done() else None
            reason = await self._over if error is None else error
            logger.info("the job ends: %s", reason)
            await self._wind_up(entrypoint, reason)
            return error
        finally:
            current_job.reset(token)

    def _remind(self) -> None:
        if not self._connected:
            logger.warning("after %g s the entrypoint hasn't joined its room: it does by ctx.connect()", JOINS_WITHIN)

    async def _enter(self) -> None:
        await self._plan.entrypoint(self._context)

    def _look_at(self, entrypoint: asyncio.Task[None]) -> str | None:
        """What is wrong with an entrypoint that is over before the job is."""
        if entrypoint.cancelled():
            return "the entrypoint was cancelled"
        if (exc := entrypoint.exception()) is not None:
            logger.error("the entrypoint failed", exc_info=exc)
            return describe(exc)
        alive = self._connected or self._context._primary_session is not None or self._over.done()
        return None if alive else NOTHING_LEFT

    def _on_connect(self) -> None:
        self._connected = True
        room = self._context.room
        if not self._context.is_fake_job():
            # The room may have been lost since: then nobody tells any more.
            room.on("disconnected", lambda *_: self.end(LEFT))

    async def _wind_up(self, entrypoint: asyncio.Task[None], reason: str) -> None:
        context = self._context
        await self._within(self._session_end_timeout, "the session's end", self._end_sessions)
        await self._within(
            self._shutdown_timeout, "the shutdown callbacks", lambda: context._call_shutdown_callbacks(reason)
        )
        await self._within(self._shutdown_timeout, "the entrypoint's end", lambda: aio.cancel_and_wait(entrypoint))
        await self._within(self._shutdown_timeout, "leaving the room", context._leave)

    async def _end_sessions(self) -> None:
        context = self._context
        await context._end_sessions()
        if self._plan.session_end is not None and context._primary_session is not None:
            result = self._plan.session_end(context)
            if inspect.isawaitable(result):
                await result

    async def _within(self, timeout: float, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it; if it fails or takes too long, say so and go on with the job's end."""
        try:
            async with asyncio.timeout(timeout):
                await work()
        except TimeoutError:
            logger.error("%s took longer than %g s and was given up", what, timeout)
        except Exception:
            logger.exception("%s failed", what)


def describe(exc: BaseException) -> str:
    """What failed and where, in one line."""
    frames = traceback.extract_tb(exc.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(exc).__name__}: {exc}{where}"


def _new_room() -> rtc.Room:
    from livekit import rtc

    return rtc.Room()
