"""Starting what a job runs in: a process, forked from one that has imported what they need, or a thread."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.forkserver
import multiprocessing.reduction
import multiprocessing.spawn
import os
import pickle
import re
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from agent_runtime.errors import JobProcessError
from agent_runtime.utils.environment import environment
from agent_runtime.worker.job import JobExecutorType
from agent_runtime.worker.plan import JobPlan, PoolOptions

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

PRELOAD: Final = "agent_runtime.worker.preload"
_REAP_TIMEOUT: Final = 5.0
_FRAME: Final = re.compile(r'File "(.+)", line (\d+) in (.+)')


class Spawned(Protocol):
    """Something that runs jobs, seen from the worker."""

    @property
    def pid(self) -> int | None:
        """Of its process; None for a thread."""

    def kill(self) -> None:
        """End it at once."""

    async def reap(self) -> str:
        """Once it is over: how it ended, in words."""
        ...


def spawn(plan: JobPlan, options: PoolOptions, end: socket.socket) -> Spawned:
    """Start one, at the other end of a line. Blocks for as long as that takes.

    Raises:
        JobProcessError: the functions can't be sent to a process, or the system gives none.
    """
    if options.executor_type is JobExecutorType.THREAD:
        return SpawnedThread(plan, options, end)
    return SpawnedProcess(plan, options, end)


class HandedFile:
    """An open file that a process which is started gets as well: the same one, with its position."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (multiprocessing.reduction.DupFd(self.file.fileno()),)


def _opened(duplicate: Any) -> HandedFile:
    return HandedFile(os.fdopen(duplicate.detach(), "w"))


class SpawnedProcess:
    """A process; see `Spawned`."""

    def __init__(self, plan: JobPlan, options: PoolOptions, end: socket.socket) -> None:
        from agent_runtime.worker.job_main import process_main

        # A file without a name: whoever of the two is killed, whenever, leaves nothing behind.
        self._stacks = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  # it is closed with the process
        context: Any = multiprocessing.get_context(options.context)
        # Multiprocessing waits at the worker's exit for those that aren't daemons, and ends those that are.
        self._process: BaseProcess = context.Process(
            target=process_main, args=(end, plan, options, HandedFile(self._stacks)), name="agent-job", daemon=True
        )
        try:
            self._process.start()
        except (pickle.PicklingError, AttributeError, TypeError) as exc:
            self._stacks.close()
            raise JobProcessError(f"define it at the top of a module, so that a process finds it: {exc}") from exc
        except (OSError, EOFError) as exc:  # no process, no descriptor, or the fork server is gone
            self._stacks.close()
            raise JobProcessError(f"the system gives no process: {type(exc).__name__}: {exc}") from exc
        finally:
            end.close()
        self._pid: int | None = self._process.pid

    @property
    def pid(self) -> int | None:
        """See `Spawned.pid`."""
        return self._pid

    def kill(self) -> None:
        """See `Spawned.kill`."""
        self._process.kill()

    async def reap(self) -> str:
        """See `Spawned.reap`."""
        await asyncio.to_thread(self._process.join, _REAP_TIMEOUT)
        if self._process.exitcode is None:
            self.kill()
            await asyncio.to_thread(self._process.join)
        code = self._process.exitcode
        self._stacks.seek(0)
        blocked = _where(self._stacks.read())
        self._stacks.close()
        self._process.close()
        if blocked:
            return f"its loop was blocked for good, {blocked}"
        return f"it was ended by signal {-code}" if code is not None and code < 0 else f"it ended with code {code}"


class SpawnedThread:
    """A thread of the worker's; see `Spawned`. It can't be killed: it ends when its job's code lets it."""

    def __init__(self, plan: JobPlan, options: PoolOptions, end: socket.socket) -> None:
        from agent_runtime.worker.job_main import thread_main

        self._thread = threading.Thread(target=thread_main, args=(end, plan, options), name="agent-job", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """See `Spawned.pid`."""
        return None

    def kill(self) -> None:
        """Nothing ends a thread but its own code; that its line is closed tells it to."""

    async def reap(self) -> str:
        """See `Spawned.reap`."""
        await asyncio.to_thread(self._thread.join, _REAP_TIMEOUT)
        return "its thread doesn't end" if self._thread.is_alive() else "its thread ended"


def warm_up(options: PoolOptions) -> None:
    """Have the process started that others are forked from. Call it from the main thread."""
    if options.executor_type is JobExecutorType.THREAD or options.context != "forkserver":
        return
    multiprocessing.forkserver.set_forkserver_preload([PRELOAD, *options.preload_modules])
    with environment(_preload_environment()):
        multiprocessing.forkserver.ensure_running()


def _preload_environment() -> dict[str, str]:
    from agent_runtime import compat
    from agent_runtime.worker.preload_names import COMPAT_VARIABLE, MAIN_VARIABLE, PATH_VARIABLE

    # Numeric libraries would each start a thread for every core, in every process.
    found = {"OPENBLAS_NUM_THREADS": "1", PATH_VARIABLE: os.pathsep.join(sys.path)}
    if compat.is_installed():
        found[COMPAT_VARIABLE] = "1"
    main = sys.modules.get("__main__")
    if main is not None and main.__spec__ is None and (path := getattr(main, "__file__", None)):
        found[MAIN_VARIABLE] = os.path.abspath(path)
    return found


def _where(stacks: str) -> str:
    """Where the main thread was, of what `faulthandler` wrote; it lists that thread last."""
    if not stacks.strip():
        return ""
    frame = _FRAME.search(stacks.rpartition("Thread 0x")[2])
    return f"at {Path(frame[1]).name}:{frame[2]} in {frame[3]}" if frame else "nobody knows where"
