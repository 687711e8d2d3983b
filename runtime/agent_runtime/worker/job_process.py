"""The process that jobs run in, as their code sees it."""

from __future__ import annotations

import os
from enum import Enum
from typing import Any


class JobExecutorType(Enum):
    """Where a job runs."""

    PROCESS = "process"
    THREAD = "thread"


class JobProcess:
    """The process that jobs run in; `userdata` is for what they share, such as loaded models."""

    def __init__(
        self,
        *,
        executor_type: JobExecutorType = JobExecutorType.PROCESS,
        user_arguments: Any | None = None,
        http_proxy: str | None = None,
    ) -> None:
        self._executor_type = executor_type
        self._user_arguments = user_arguments
        self._http_proxy = http_proxy
        self._userdata: dict[Any, Any] = {}

    @property
    def executor_type(self) -> JobExecutorType:
        """A process of its own, or a thread of the worker's."""
        return self._executor_type

    @property
    def pid(self) -> int | None:
        """The process's id."""
        return os.getpid()

    @property
    def userdata(self) -> dict[Any, Any]:
        """What the setup function leaves for the job."""
        return self._userdata

    @property
    def user_arguments(self) -> Any | None:
        """What the worker was given for its processes."""
        return self._user_arguments

    @property
    def http_proxy(self) -> str | None:
        """The proxy by which the outside is reached."""
        return self._http_proxy
