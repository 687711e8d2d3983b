"""How an agent's file says what a worker runs. It is recorded here; workers and rooms read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias, overload

from agent_runtime.compat.job import JobContext, JobProcess, JobRequest

Entrypoint: TypeAlias = Callable[[JobContext], Awaitable[None]]


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


class WorkerOptions:
    """The older way to say it: `cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint))`."""

    def __init__(
        self,
        entrypoint_fnc: Entrypoint,
        request_fnc: Callable[[JobRequest], Awaitable[None]] | None = None,
        prewarm_fnc: Callable[[JobProcess], Any] | None = None,
        *,
        agent_name: str = "",
        worker_type: WorkerType = WorkerType.ROOM,
        permissions: WorkerPermissions | None = None,
        **options: Any,
    ) -> None:
        self.entrypoint_fnc = entrypoint_fnc
        self.request_fnc = request_fnc
        self.prewarm_fnc = prewarm_fnc
        self.agent_name = agent_name
        self.worker_type = worker_type
        self.permissions = permissions or WorkerPermissions()
        self.options = options


ServerOptions = WorkerOptions


class AgentServer:
    """The newer way: `@server.rtc_session()` on the entrypoint, `cli.run_app(server)`.

    Args:
        setup_fnc: called in each process before its first job.
        options: how a worker is to run.
    """

    def __init__(self, *, setup_fnc: Callable[[JobProcess], Any] | None = None, **options: Any) -> None:
        self.setup_fnc = setup_fnc
        self.options = options
        self.entrypoint_fnc: Entrypoint | None = None
        self.request_fnc: Callable[[JobRequest], Any] | None = None
        self.session_end_fnc: Callable[[JobContext], Any] | None = None
        self.agent_name = ""
        self.worker_type = WorkerType.ROOM

    @classmethod
    def from_server_options(cls, options: WorkerOptions) -> AgentServer:
        """The same from the older options."""
        server = cls(setup_fnc=options.prewarm_fnc, permissions=options.permissions, **options.options)
        server.rtc_session(
            options.entrypoint_fnc,
            agent_name=options.agent_name,
            type=options.worker_type,
            on_request=options.request_fnc,
        )
        return server

    @overload
    def rtc_session(
        self,
        func: Entrypoint,
        *,
        agent_name: str = "",
        type: WorkerType = WorkerType.ROOM,
        on_request: Callable[[JobRequest], Any] | None = None,
        on_session_end: Callable[[JobContext], Any] | None = None,
    ) -> Entrypoint: ...

    @overload
    def rtc_session(
        self,
        func: None = None,
        *,
        agent_name: str = "",
        type: WorkerType = WorkerType.ROOM,
        on_request: Callable[[JobRequest], Any] | None = None,
        on_session_end: Callable[[JobContext], Any] | None = None,
    ) -> Callable[[Entrypoint], Entrypoint]: ...

    def rtc_session(
        self,
        func: Entrypoint | None = None,
        *,
        agent_name: str = "",
        type: WorkerType = WorkerType.ROOM,
        on_request: Callable[[JobRequest], Any] | None = None,
        on_session_end: Callable[[JobContext], Any] | None = None,
    ) -> Entrypoint | Callable[[Entrypoint], Entrypoint]:
        """Register what runs in each room; a decorator without `func`.

        Raises:
            RuntimeError: there is one already.
        """

        def register(entrypoint: Entrypoint) -> Entrypoint:
            if self.entrypoint_fnc is not None:
                name = getattr(self.entrypoint_fnc, "__name__", "another function")
                raise RuntimeError(f"this server runs {name} already: a server has one rtc_session")
            self.entrypoint_fnc = entrypoint
            self.agent_name, self.worker_type = agent_name, type
            self.request_fnc, self.session_end_fnc = on_request, on_session_end
            return entrypoint

        return register if func is None else register(func)
