"""The other end of a worker's line: makes itself ready, runs one job, and ends with it."""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import logging
import multiprocessing.process
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final

from agent_runtime.errors import AgentLoadError
from agent_runtime.providers.model_process.client import use_shared_models
from agent_runtime.utils.memory import OwnMemory
from agent_runtime.worker.job import JobExecutorType, JobProcess
from agent_runtime.worker.job_life import JobLife, describe
from agent_runtime.worker.messages import (
    Ask,
    Counted,
    Ended,
    EndJob,
    Line,
    Ping,
    Pong,
    Ready,
    RunJob,
    Running,
    Told,
    Watch,
)
from agent_runtime.worker.models import remove_socket
from agent_runtime.worker.observed import ObservedJob
from agent_runtime.worker.plan import JobPlan, PoolOptions

if TYPE_CHECKING:
    from agent_runtime.worker.spawning import HandedFile

logger = logging.getLogger(__name__)

COUNT_INTERVAL: Final = 1.0
"""Seconds between two reports to the worker's metrics."""


def process_main(end: socket.socket, plan: JobPlan, options: PoolOptions, stacks: HandedFile) -> None:
    """What a job's process runs. `stacks` gets those of its threads if it hangs."""
    # The terminal's ctrl+c and a service manager's SIGTERM go to the whole group: the worker decides what they mean.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # It dies with the worker, which is what the flag is for; but its own code may use processes.
    multiprocessing.process.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # no other way
    if options.log_style is not None:
        options.log_style.set_up()
    use_shared_models(options.models)
    asyncio.run(_JobMain(plan, options, JobExecutorType.PROCESS, Alarm(stacks.file)).serve(end))
    # Libraries' threads and exit handlers may hang here, and the job is over.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


def thread_main(end: socket.socket, plan: JobPlan, options: PoolOptions) -> None:
    """What a job's thread runs."""
    asyncio.run(_JobMain(plan, options, JobExecutorType.THREAD, None).serve(end))


class Alarm:
    """Ends this process, with its stacks in a file, unless it is put off in time.

    It goes off in a thread that needs no interpreter, so that it ends a loop which is blocked for good.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def put_off(self, seconds: float) -> None:
        """Let it go off so many seconds from now."""
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._file)


class _JobMain:
    """One process or thread, from its start to its end."""

    def __init__(self, plan: JobPlan, options: PoolOptions, kind: JobExecutorType, alarm: Alarm | None) -> None:
        self._plan = plan
        self._options = options
        self._alarm = alarm
        self._process = JobProcess(
            executor_type=kind, user_arguments=options.user_arguments, http_proxy=options.http_proxy
        )
        self._line: Line
        self._life: JobLife | None = None
        self._observed: ObservedJob | None = None
        self._job: asyncio.Task[None] | None = None
        self._memory = OwnMemory()
        self._watched: dict[int, Callable[[], None]] = {}

    async def serve(self, end: socket.socket) -> None:
        """Until the job is over, or the worker is gone."""
        self._line = await Line.over(end)
        try:
            if await self._make_ready():
                await self._listen()
        finally:
            await self._line.flush()
            self._line.close()

    async def _make_ready(self) -> bool:
        setup, options = self._plan.setup, self._options
        # The worker ends what doesn't get ready; where it is gone itself, the alarm does.
        self._put_off_alarm(options.initialize_timeout + options.ping_timeout)
        try:
            if self._process.executor_type is JobExecutorType.PROCESS:
                # Native libraries are loaded while nobody waits, and after the fork: their threads don't survive one.
                await asyncio.to_thread(_load_native)
            if setup is not None:
                result = await asyncio.to_thread(setup, self._process)
                if inspect.isawaitable(result):
                    await result
        except AgentLoadError as exc:  # it says which line of whose file has to be put right
            self._line.send(Ready(str(exc), final=True))
            return False
        except Exception as exc:
            logger.exception("the setup function failed")
            self._line.send(Ready(describe(exc)))
            return False
        self._put_off_alarm(options.ping_timeout)
        self._line.send(Ready())
        return True

    async def _listen(self) -> None:
        """Take messages until the job is over. Without the worker nobody could end it: then it ends itself."""
        receiving: asyncio.Task[object] | None = None
        while True:
            receiving = receiving or asyncio.create_task(self._line.receive())
            waited_for = [receiving] if self._job is None else [receiving, self._job]
            await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
            if self._job is not None and self._job.done():
                receiving.cancel()
                self._job.result()
                return
            message, receiving = receiving.result(), None
            if message is None:
                await self._give_up("the worker is gone")
                return
            if isinstance(message, EndJob) and self._life is None:
                return
            self._take(message)

    async def _give_up(self, reason: str) -> None:
        options = self._options
        if options.models is not None:
            remove_socket(options.models)
        self._put_off_alarm(options.session_end_timeout + 2 * options.shutdown_timeout + options.ping_timeout)
        if self._life is not None and self._job is not None:
            self._life.end(reason)
            await self._job

    def _take(self, message: object) -> None:
        match message:
            case RunJob():
                self._job = asyncio.create_task(self._run(message), name="job")
            case EndJob(reason) if self._life is not None:
                self._life.end(reason)
            case Ping(number):
                self._put_off_alarm(self._options.ping_timeout)
                self._line.send(Pong(number, self._memory.mb()))
            case Watch(watcher, on) if self._observed is not None:
                self._watch(self._observed, watcher, on)
            case Ask(line) if self._observed is not None:
                self._observed.ask(line)

    def _watch(self, observed: ObservedJob, watcher: int, on: bool) -> None:
        if on:
            self._watched[watcher] = observed.watch(lambda lines: self._line.send(Told(watcher, lines)))
        else:
            self._watched.pop(watcher)()

    def _put_off_alarm(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.put_off(seconds)

    async def _run(self, message: RunJob) -> None:
        observed = self._observed = ObservedJob()
        self._life = JobLife(
            self._plan,
            message.info(),
            self._process,
            session_end_timeout=self._options.session_end_timeout,
            shutdown_timeout=self._options.shutdown_timeout,
            on_session=observed.follow,
        )
        self._line.send(Running())
        counting = asyncio.create_task(self._count(observed))
        error = await self._life.run()
        counting.cancel()
        observed.close()
        self._tell_counted(observed)
        self._line.send(Ended(error))

    async def _count(self, observed: ObservedJob) -> None:
        while True:
            await asyncio.sleep(COUNT_INTERVAL)
            self._tell_counted(observed)

    def _tell_counted(self, observed: ObservedJob) -> None:
        if samples := observed.figures.take():
            self._line.send(Counted(tuple(samples)))


def _load_native() -> None:
    """LiveKit's native library, and the runtime's parts that every conversation needs."""
    from livekit.rtc._ffi_client import FfiClient  # a room's own constructor does the same

    import agent_runtime.room
    import agent_runtime.voice.session  # noqa: F401  # so that no job has to import it

    _ = FfiClient.instance
