"""How a worker is to run: LiveKit Agents' options, with its names and defaults."""

from __future__ import annotations

import math
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar, cast

from agent_runtime.errors import WorkerError
from agent_runtime.types import NOT_GIVEN, NotGivenOr
from agent_runtime.utils.hw import get_cpu_monitor
from agent_runtime.worker.assignment import JobRequest
from agent_runtime.worker.job import JobContext, JobExecutorType, JobProcess

if TYPE_CHECKING:
    from agent_runtime.worker.logs import LogStyle
    from agent_runtime.worker.server import AgentServer

T = TypeVar("T")
Entrypoint: TypeAlias = Callable[[JobContext], Awaitable[None]]
LoadFunction: TypeAlias = "Callable[[AgentServer], float] | Callable[[], float]"

DRAIN_TIMEOUT: Final = 3600
"""Seconds that jobs get to end by themselves before a worker that stops ends them."""
LOG_LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "CRITICAL")
DEFAULT_EXECUTOR: Final = JobExecutorType.THREAD if sys.platform == "win32" else JobExecutorType.PROCESS
DEFAULT_CONTEXT: Final[Literal["spawn", "forkserver"]] = "forkserver" if sys.platform == "linux" else "spawn"


class ServerType(Enum):
    """What a job is made for; the values are those of the protocol's `JobType`."""

    ROOM = 0
    PUBLISHER = 1


WorkerType = ServerType


@dataclass
class WorkerPermissions:
    """What an agent may do in a room."""

    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_update_metadata: bool = True
    can_publish_sources: list[Any] = field(default_factory=list)
    hidden: bool = False


@dataclass(frozen=True)
class ServerEnvOption(Generic[T]):
    """A value with two defaults: one for `dev`, one for `start`."""

    dev_default: T
    prod_default: T

    @staticmethod
    def getvalue(opt: T | ServerEnvOption[T], devmode: bool) -> T:
        """What `opt` is in this mode; a plain value is the same in both."""
        if isinstance(opt, ServerEnvOption):
            return cast("T", opt.dev_default if devmode else opt.prod_default)
        return opt


LOAD_THRESHOLD: Final = ServerEnvOption(dev_default=math.inf, prod_default=0.7)
LOG_LEVEL: Final = ServerEnvOption(dev_default="DEBUG", prod_default="INFO")
PORT: Final = ServerEnvOption(dev_default=0, prod_default=8081)
IDLE_PROCESSES: Final = ServerEnvOption(dev_default=0, prod_default=math.ceil(get_cpu_monitor().cpu_count()))
_SOME_IDLE_PROCESSES: Final = ServerEnvOption(dev_default=0, prod_default=min(IDLE_PROCESSES.prod_default, 4))


def default_setup(proc: JobProcess) -> None:
    """Nothing is to be made ready before a job."""


async def default_request(ctx: JobRequest) -> None:
    """Every job is taken."""
    await ctx.accept()


def default_load(worker: AgentServer) -> float:
    """The processor's load over the last 2.5 s, 0 to 1."""
    return worker.cpu_load


def checked_log_level(level: str | ServerEnvOption[str]) -> str | ServerEnvOption[str]:
    """In capitals. Raises ValueError for one that there isn't."""
    if isinstance(level, ServerEnvOption):
        return ServerEnvOption(_level(level.dev_default), _level(level.prod_default))
    return _level(level)


def _level(level: str) -> str:
    if level.upper() not in LOG_LEVELS:
        raise ValueError(f"there is no log level {level!r}: use one of {', '.join(LOG_LEVELS)}")
    return level.upper()


@dataclass
class ServerOptions:
    """The older way to say it: `cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))`."""

    entrypoint_fnc: Entrypoint
    """What runs in each job."""
    request_fnc: Callable[[JobRequest], Awaitable[None]] = default_request
    """Is asked about each job that is offered; takes all if unset."""
    prewarm_fnc: Callable[[JobProcess], Any] = default_setup
    """Makes a process ready before it has a job."""
    load_fnc: LoadFunction = default_load
    """How busy the worker is, 0 to 1."""
    job_executor_type: JobExecutorType = DEFAULT_EXECUTOR
    """Where jobs run."""
    load_threshold: float | ServerEnvOption[float] = LOAD_THRESHOLD
    """The load from which on no job is taken."""
    job_memory_warn_mb: float = 1000
    """Megabytes of a job's process that are told in the log; of what processes have in common it has its share."""
    job_memory_limit_mb: float = 0
    """Megabytes at which a job's process is ended; 0 is no limit."""
    drain_timeout: int = DRAIN_TIMEOUT
    """Seconds that jobs get to end by themselves when the worker stops."""
    num_idle_processes: int | ServerEnvOption[int] = _SOME_IDLE_PROCESSES
    """Processes that are ready for a job."""
    shutdown_process_timeout: float = 10.0
    """Seconds that a job gets to shut down before its process is killed."""
    session_end_timeout: float = 300.0
    """Seconds that `on_session_end` gets."""
    initialize_process_timeout: float = 10.0
    """Seconds that a process gets to become ready."""
    permissions: WorkerPermissions = field(default_factory=WorkerPermissions)
    """What the agent may do in a room."""
    agent_name: str = ""
    """With a name the agent comes only where it is asked for by it, without one to every room. Also
    `LIVEKIT_AGENT_NAME`."""
    worker_type: WorkerType = WorkerType.ROOM
    """A job for each room, or for each participant who publishes."""
    max_retry: int = 16
    """How often a connection is tried again."""
    ws_url: str | None = None
    """The server; also `LIVEKIT_URL`."""
    api_key: str | None = field(repr=False, default=None)
    """Its key; also `LIVEKIT_API_KEY`."""
    api_secret: str | None = field(repr=False, default=None)
    """The key's secret; also `LIVEKIT_API_SECRET`."""
    log_level: str | ServerEnvOption[str] = LOG_LEVEL
    """The least severe lines of the log."""
    host: str = ""
    """Where health and metrics are served; unset is this machine alone."""
    port: int | ServerEnvOption[int] = PORT
    """Their port; 0 is any free one."""
    http_proxy: NotGivenOr[str | None] = NOT_GIVEN
    """The proxy to the server; unset, `HTTPS_PROXY` or `HTTP_PROXY`, None is none."""
    multiprocessing_context: Literal["spawn", "forkserver"] = DEFAULT_CONTEXT
    """How processes are started; only `forkserver` shares memory between them."""
    preload_modules: list[str] | None = None
    """Modules that processes share, imported once."""
    prometheus_port: NotGivenOr[int] = NOT_GIVEN
    """Serves `/metrics` on a port of its own too."""
    prometheus_multiproc_dir: str | None = None
    """Accepted: each job's figures come over its own channel, without files."""

    def __post_init__(self) -> None:
        self.log_level = checked_log_level(self.log_level)


WorkerOptions = ServerOptions


@dataclass
class WorkerInfo:
    """A running worker."""

    http_port: int
    cloud_agents: bool


@dataclass(frozen=True)
class ServerConfig:
    """The arguments of `AgentServer`, with what the environment adds."""

    job_executor_type: JobExecutorType
    load_threshold: float | ServerEnvOption[float]
    job_memory_warn_mb: float
    job_memory_limit_mb: float
    drain_timeout: int
    num_idle_processes: int | ServerEnvOption[int]
    shutdown_process_timeout: float
    session_end_timeout: float
    initialize_process_timeout: float
    permissions: WorkerPermissions
    max_retry: int
    ws_url: str
    api_key: str
    api_secret: str = field(repr=False)
    host: str
    port: int | ServerEnvOption[int]
    http_proxy: NotGivenOr[str | None]
    multiprocessing_context: Literal["spawn", "forkserver"]
    preload_modules: tuple[str, ...]
    prometheus_port: int | None
    log_level: str | ServerEnvOption[str]
    log_style: LogStyle | None = None
    """How the jobs' processes log; None leaves it to them."""

    def check(self, devmode: bool) -> None:
        """Raises WorkerError for a number with which the worker couldn't do its work."""
        for name, (lowest, highest) in _BOUNDS.items():
            value: Any = ServerEnvOption.getvalue(getattr(self, name), devmode)
            if value is not None and not lowest <= value <= highest:
                most = "" if math.isinf(highest) else f" and {highest:g} at most"
                raise WorkerError(f"{name} is {lowest:g} at least{most}, not {value}")


_BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "load_threshold": (0.01, math.inf),  # with none, no job would ever be taken
    "job_memory_warn_mb": (0, math.inf),
    "job_memory_limit_mb": (0, math.inf),
    "drain_timeout": (0, math.inf),
    "num_idle_processes": (0, math.inf),
    "shutdown_process_timeout": (0, math.inf),
    "session_end_timeout": (0, math.inf),
    "initialize_process_timeout": (0.01, math.inf),
    "max_retry": (0, math.inf),
    "port": (0, 65535),
    "prometheus_port": (0, 65535),
}
"""The lowest and the highest value of each number; what isn't a number is neither."""
