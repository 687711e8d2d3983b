"""`AgentServer`: what an agent's file says about the worker that runs it, and that worker."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, overload

from agent_runtime.clock import LoopClock
from agent_runtime.errors import WorkerError
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import EventEmitter
from agent_runtime.worker.assignment import JobRequest
from agent_runtime.worker.job import JobContext, JobExecutorType, JobProcess
from agent_runtime.worker.options import (
    DEFAULT_CONTEXT,
    DEFAULT_EXECUTOR,
    DRAIN_TIMEOUT,
    IDLE_PROCESSES,
    LOAD_THRESHOLD,
    LOG_LEVEL,
    PORT,
    Entrypoint,
    LoadFunction,
    ServerConfig,
    ServerEnvOption,
    ServerOptions,
    ServerType,
    WorkerInfo,
    WorkerPermissions,
    checked_log_level,
    default_load,
    default_request,
)

if TYPE_CHECKING:
    from livekit.protocol import models

    from agent_runtime.worker.assignment import RunningJobInfo
    from agent_runtime.worker.channel import ServerAddress
    from agent_runtime.worker.outside import Outside
    from agent_runtime.worker.pool import JobEvent, JobPool
    from agent_runtime.worker.running import RunningWorker, WorkerTerms

logger = logging.getLogger(__name__)

EventTypes: TypeAlias = Literal["worker_started", "worker_registered"]

_NO_ENTRYPOINT: Final = (
    "this server has nothing to run: put @server.rtc_session() above the function that takes a JobContext"
)
_ALL_PERMISSIONS: Final = WorkerPermissions()


class AgentServer(EventEmitter[EventTypes]):
    """A worker: `@server.rtc_session()` on the entrypoint, then `cli.run_app(server)`.

    It emits `worker_started` when its first processes are ready, and `worker_registered` with its id and the server's
    information whenever the server knows it (again). The arguments are described by `ServerOptions`; `setup_fnc` is its
    `prewarm_fnc`, and `prometheus_multiproc_dir` isn't needed here.
    """

    def __init__(
        self,
        *,
        job_executor_type: JobExecutorType = DEFAULT_EXECUTOR,
        load_threshold: float | ServerEnvOption[float] = LOAD_THRESHOLD,
        job_memory_warn_mb: float = 1000,
        job_memory_limit_mb: float = 0,
        drain_timeout: int = DRAIN_TIMEOUT,
        num_idle_processes: int | ServerEnvOption[int] = IDLE_PROCESSES,
        shutdown_process_timeout: float = 10.0,
        session_end_timeout: float = 300.0,
        initialize_process_timeout: float = 10.0,
        permissions: WorkerPermissions = _ALL_PERMISSIONS,
        max_retry: int = 16,
        ws_url: str | None = None,
        api_key: str | None = None,
        api_secret: str | None = None,
        host: str = "",
        port: int | ServerEnvOption[int] = PORT,
        http_proxy: NotGivenOr[str | None] = NOT_GIVEN,
        multiprocessing_context: Literal["spawn", "forkserver"] = DEFAULT_CONTEXT,
        setup_fnc: Callable[[JobProcess], Any] | None = None,
        load_fnc: LoadFunction | None = None,
        preload_modules: list[str] | None = None,
        prometheus_port: int | None = None,
        prometheus_multiproc_dir: str | None = None,
        log_level: str | ServerEnvOption[str] = LOG_LEVEL,
    ) -> None:
        super().__init__()
        self._config = ServerConfig(
            job_executor_type=job_executor_type,
            load_threshold=load_threshold,
            job_memory_warn_mb=job_memory_warn_mb,
            job_memory_limit_mb=job_memory_limit_mb,
            drain_timeout=drain_timeout,
            num_idle_processes=num_idle_processes,
            shutdown_process_timeout=shutdown_process_timeout,
            session_end_timeout=session_end_timeout,
            initialize_process_timeout=initialize_process_timeout,
            permissions=permissions,
            max_retry=max_retry,
            ws_url=ws_url or os.environ.get("LIVEKIT_URL", ""),
            api_key=api_key or os.environ.get("LIVEKIT_API_KEY", ""),
            api_secret=api_secret or os.environ.get("LIVEKIT_API_SECRET", ""),
            host=host,
            port=port,
            http_proxy=http_proxy,
            multiprocessing_context=multiprocessing_context,
            preload_modules=tuple(preload_modules or ()),
            prometheus_port=prometheus_port,
            log_level=checked_log_level(log_level),
        )
        self._entrypoint_fnc: Entrypoint | None = None
        self._request_fnc: Callable[[JobRequest], Awaitable[None]] | None = None
        self._session_end_fnc: Callable[[JobContext], Any] | None = None
        self._agent_name = ""
        self._worker_type = ServerType.ROOM
        self._running: RunningWorker | None = None
        self._outside: Outside | None = None
        self.setup_fnc, self.load_fnc = setup_fnc, load_fnc

    @classmethod
    def from_server_options(cls, options: ServerOptions) -> AgentServer:
        """The same from the older options."""
        given = {entry.name: getattr(options, entry.name) for entry in fields(options)}
        entrypoint, name, kind = given.pop("entrypoint_fnc"), given.pop("agent_name"), given.pop("worker_type")
        request_fnc, setup_fnc = given.pop("request_fnc"), given.pop("prewarm_fnc")
        if not is_given(given["prometheus_port"]):
            given["prometheus_port"] = None
        server = cls(setup_fnc=setup_fnc, **given)
        server.rtc_session(entrypoint, agent_name=name, type=kind, on_request=request_fnc)
        return server

    # --- what it runs ------------------------------------------------------------------------------------------------

    @property
    def setup_fnc(self) -> Callable[[JobProcess], Any] | None:
        """Makes a process ready before it has a job."""
        return self._setup_fnc

    @setup_fnc.setter
    def setup_fnc(self, value: Callable[[JobProcess], Any] | None) -> None:
        self._setup_fnc: Callable[[JobProcess], Any] | None = _callable(value, "setup_fnc")

    @property
    def load_fnc(self) -> LoadFunction | None:
        """How busy the worker is, 0 to 1; unset, the processor's load."""
        return self._load_fnc

    @load_fnc.setter
    def load_fnc(self, value: LoadFunction | None) -> None:
        self._load_fnc: LoadFunction | None = _callable(value, "load_fnc")

    @overload
    def rtc_session(
        self,
        func: Entrypoint,
        *,
        agent_name: str = "",
        type: ServerType = ServerType.ROOM,
        on_request: Callable[[JobRequest], Any] | None = None,
        on_session_end: Callable[[JobContext], Any] | None = None,
        on_simulation_end: Callable[[Any], Any] | None = None,
    ) -> Entrypoint: ...

    @overload
    def rtc_session(
        self,
        func: None = None,
        *,
        agent_name: str = "",
        type: ServerType = ServerType.ROOM,
        on_request: Callable[[JobRequest], Any] | None = None,
        on_session_end: Callable[[JobContext], Any] | None = None,
        on_simulation_end: Callable[[Any], Any] | None = None,
    ) -> Callable[[Entrypoint], Entrypoint]: ...

    def rtc_session(
        self,
        func: Entrypoint | None = None,
        *,
        agent_name: str = "",
        type: ServerType = ServerType.ROOM,
        on_request: Callable[[JobRequest], Any] | None = None,
        on_session_end: Callable[[JobContext], Any] | None = None,
        on_simulation_end: Callable[[Any], Any] | None = None,
    ) -> Entrypoint | Callable[[Entrypoint], Entrypoint]:
        """Register what runs in each room; a decorator without `func`.

        Args:
            func: the entrypoint.
            agent_name: with one the agent comes where it is asked for by it, without one to every room. The
                environment's `LIVEKIT_AGENT_NAME_OVERRIDE` goes before it, its `LIVEKIT_AGENT_NAME` stands in for it.
            type: a job for each room, or for each participant who publishes.
            on_request: decides about each job that is offered; unset takes all.
            on_session_end: is called when a job's session is over, with its context.
            on_simulation_end: accepted; what would call it is LiveKit's own hosting.

        Raises:
            RuntimeError: there is one already.
        """

        def register(entrypoint: Entrypoint) -> Entrypoint:
            if self._entrypoint_fnc is not None:
                name = getattr(self._entrypoint_fnc, "__name__", "another function")
                raise RuntimeError(f"this server runs {name} already: a server has one rtc_session")
            self._entrypoint_fnc = entrypoint
            forced, named = os.environ.get("LIVEKIT_AGENT_NAME_OVERRIDE"), os.environ.get("LIVEKIT_AGENT_NAME")
            self._agent_name, self._worker_type = forced or agent_name or named or "", type
            self._request_fnc, self._session_end_fnc = on_request, on_session_end
            return entrypoint

        return register if func is None else register(func)

    def update_options(
        self,
        *,
        ws_url: NotGivenOr[str] = NOT_GIVEN,
        api_key: NotGivenOr[str] = NOT_GIVEN,
        api_secret: NotGivenOr[str] = NOT_GIVEN,
        max_retry: NotGivenOr[int] = NOT_GIVEN,
        job_executor_type: NotGivenOr[JobExecutorType] = NOT_GIVEN,
        load_threshold: NotGivenOr[float] = NOT_GIVEN,
        job_memory_warn_mb: NotGivenOr[float] = NOT_GIVEN,
        job_memory_limit_mb: NotGivenOr[float] = NOT_GIVEN,
        drain_timeout: NotGivenOr[int] = NOT_GIVEN,
        num_idle_processes: NotGivenOr[int] = NOT_GIVEN,
        shutdown_process_timeout: NotGivenOr[float] = NOT_GIVEN,
        session_end_timeout: NotGivenOr[float] = NOT_GIVEN,
        initialize_process_timeout: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """Change what is given. Raises RuntimeError while the worker runs."""
        given = {name: value for name, value in locals().items() if name != "self" and is_given(value)}
        self._configure(**given)

    def _configure(self, **changes: Any) -> None:
        """Change any of the constructor's arguments, or `agent_name`. Raises RuntimeError while the worker runs."""
        if self._running is not None:
            raise RuntimeError("a worker's options can't be changed while it runs: do it before `run`")
        self._agent_name = changes.pop("agent_name", None) or self._agent_name
        self._config = replace(self._config, **changes)

    # --- its run -----------------------------------------------------------------------------------------------------

    async def run(self, *, devmode: bool = False, unregistered: bool = False) -> None:
        """Run the worker until `aclose`.

        Args:
            devmode: take the options' defaults for development: no limit of load, no processes that wait.
            unregistered: don't tell a server of it; jobs come from `simulate_job` alone.

        Raises:
            RuntimeError: it runs already, or there is no entrypoint.
            WorkerError: a number is out of bounds; the server isn't configured, refuses the worker or is gone for
                good. It says what to do.
        """
        if self._running is not None:
            raise RuntimeError("this worker runs already")
        address = self._address()
        if self._entrypoint_fnc is None:
            raise RuntimeError(_NO_ENTRYPOINT)
        self._config.check(devmode)
        if not unregistered:
            address.check()
        self._tell_environment(address)
        self._running = running = self._make_worker(address, devmode, unregistered)
        try:
            if not unregistered:
                await self._open_outside(running, devmode)
            await running.start(lambda: self.emit("worker_started"))
            await running.wait()
        except WorkerError as exc:
            if running.active_jobs and not devmode:
                logger.error("%s; the jobs that run come to their end, then the worker ends", exc)
                await running.drain(self._config.drain_timeout)
            raise
        finally:
            await running.aclose(timeout=self._config.shutdown_process_timeout)
            outside, self._outside, self._running = self._outside, None, None
            if outside is not None:
                await outside.aclose()

    async def drain(self, timeout: NotGivenOr[int | None] = NOT_GIVEN) -> None:
        """Take no further job and wait until those that run are over.

        Raises TimeoutError after `timeout` seconds, the option `drain_timeout` if unset; None waits for ever.
        """
        if self._running is not None:
            await self._running.drain(timeout if is_given(timeout) else self._config.drain_timeout)

    async def aclose(self) -> None:
        """End what runs and leave the server; `run` returns then."""
        if self._running is not None:
            await self._running.aclose(timeout=self._config.shutdown_process_timeout)

    async def simulate_job(
        self,
        room: str,
        *,
        fake_job: bool = False,
        agent_identity: str | None = None,
        room_info: models.Room | None = None,
        token: str | None = None,
    ) -> None:
        """Run a job that no server gave, in a room of this name.

        Args:
            room: its name.
            fake_job: nothing is connected to; room and identity are made up where they aren't given.
            agent_identity: as whom the agent joins; the token's, if there is one.
            room_info: the room as the server describes it; needed unless `fake_job`.
            token: lets the agent in; unset, one is made with the worker's key.

        Raises:
            RuntimeError: the worker doesn't run.
            ValueError: something that is needed is missing.
        """
        from agent_runtime.worker.simulated_job import simulated_job

        if self._running is None:
            raise RuntimeError("this worker doesn't run: call `run` first")
        info = simulated_job(
            self._address(),
            room,
            fake_job=fake_job,
            identity=agent_identity,
            room_info=room_info,
            token=token,
            agent_name=self._agent_name,
            worker_id=self.id,
        )
        await self._running.launch(info)

    @property
    def id(self) -> str:
        """As the server knows it; `unregistered` before."""
        return "unregistered" if self._running is None else self._running.id

    @property
    def active_jobs(self) -> list[RunningJobInfo]:
        """The jobs that run."""
        return [] if self._running is None else self._running.active_jobs

    @property
    def draining(self) -> bool:
        """Whether it takes no further job."""
        return self._running is not None and self._running.draining

    @property
    def cpu_load(self) -> float:
        """Of the machine, over the last 2.5 s, 0 to 1."""
        return 0.0 if self._running is None else self._running.cpu_load

    @property
    def log_level(self) -> str | ServerEnvOption[str]:
        """The least severe lines of the log."""
        return self._config.log_level

    @property
    def worker_info(self) -> WorkerInfo:
        """The port of its health page, 0 if there is none, and whether LiveKit hosts it."""
        port = self._outside.port if self._outside is not None else 0
        return WorkerInfo(http_port=port, cloud_agents=bool(os.environ.get("LIVEKIT_WORKER_TOKEN")))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _address(self) -> ServerAddress:
        from agent_runtime.worker.channel import ServerAddress

        config = self._config
        proxy: str | Literal[True] | None = config.http_proxy if is_given(config.http_proxy) else True
        token = os.environ.get("LIVEKIT_WORKER_TOKEN", "")
        return ServerAddress(config.ws_url, config.api_key, config.api_secret, proxy, token)

    def _tell_environment(self, address: ServerAddress) -> None:
        """Let the jobs' processes find the server, as `JobContext.api` does by the environment."""
        found = {"LIVEKIT_URL": address.url, "LIVEKIT_API_KEY": address.key, "LIVEKIT_API_SECRET": address.secret}
        os.environ.update({name: value for name, value in found.items() if value})

    def _terms(self, devmode: bool) -> WorkerTerms:
        from agent_runtime.worker.running import WorkerTerms

        config = self._config
        return WorkerTerms(
            agent_name=self._agent_name,
            worker_type=self._worker_type,
            permissions=config.permissions,
            deployment=os.environ.get("LIVEKIT_AGENT_DEPLOYMENT", ""),
            load_threshold=ServerEnvOption.getvalue(config.load_threshold, devmode),
            expected_jobs=ServerEnvOption.getvalue(config.num_idle_processes, devmode),
            max_retry=config.max_retry,
            url=config.ws_url,
        )

    def _make_worker(self, address: ServerAddress, devmode: bool, unregistered: bool) -> RunningWorker:
        from agent_runtime.worker.channel import open_channel
        from agent_runtime.worker.load import CpuLoad
        from agent_runtime.worker.running import RunningWorker

        clock = LoopClock()
        return RunningWorker(
            self,
            self._terms(devmode),
            make_pool=partial(self._make_pool, devmode),
            connect=None if unregistered else partial(open_channel, address),
            request_fnc=self._request_fnc or default_request,
            load_fnc=None if self._load_fnc in (None, default_load) else self._load_fnc,
            on_registered=partial(self.emit, "worker_registered"),
            clock=clock,
            cpu=CpuLoad(clock.now),
        )

    async def _open_outside(self, running: RunningWorker, devmode: bool) -> None:
        from agent_runtime.worker.outside import Outside

        config = self._config
        self._outside = outside = Outside(
            running,
            host=config.host,
            port=ServerEnvOption.getvalue(config.port, devmode),
            metrics_port=config.prometheus_port,
            clock=LoopClock(),
        )
        running.job_listeners.append(outside.job_event)
        await outside.start()

    def _make_pool(self, devmode: bool, on_event: Callable[[JobEvent], None]) -> JobPool:
        from agent_runtime.worker.plan import JobPlan, PoolOptions
        from agent_runtime.worker.pool import JobPool

        config = self._config
        assert self._entrypoint_fnc is not None, "run checks it"
        plan = JobPlan(self._entrypoint_fnc, setup=self._setup_fnc, session_end=self._session_end_fnc)
        options = PoolOptions(
            executor_type=config.job_executor_type,
            num_idle_processes=ServerEnvOption.getvalue(config.num_idle_processes, devmode),
            initialize_timeout=config.initialize_process_timeout,
            session_end_timeout=config.session_end_timeout,
            shutdown_timeout=config.shutdown_process_timeout,
            memory_warn_mb=config.job_memory_warn_mb,
            memory_limit_mb=config.job_memory_limit_mb,
            context=config.multiprocessing_context,
            preload_modules=config.preload_modules,
            http_proxy=_proxy(config.http_proxy),
            log_style=config.log_style,
        )
        return JobPool(plan, options, on_event=on_event)


def _proxy(given: NotGivenOr[str | None]) -> str | None:
    if is_given(given):
        return given
    return os.environ.get("HTTPS_PROXY") or os.environ.get("HTTP_PROXY")


def _callable(value: Any, name: str) -> Any:
    if value is not None and not callable(value):
        raise TypeError(f"{name} has to be a function or None, not {type(value).__name__}")
    return value
