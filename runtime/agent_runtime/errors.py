"""Every error that the product raises on purpose.

    AgentConsoleError
    ├── ConfigError            a setting is wrong: fix the file, variable or flag that it names
    ├── AgentLoadError         the agent's file can't be used: fix it and save
    ├── MissingDependencyError something isn't installed: run the command that it names
    ├── DeviceError            a microphone or speaker can't be used
    │   └── DeviceLostError    … went away in use; it is tried again
    ├── MediaError             audio that can't be read or made
    ├── RoomError              a room can't be joined: do what it says
    ├── WorkerError            a worker can't serve: do what it says
    ├── AssignmentTimeoutError a job that was accepted didn't come
    ├── EventDecodeError       a recorded event that can't be read
    ├── FileContentError       a file can't be used: put the named line right
    │   ├── BundleError        … a recorded session
    │   └── ScenarioError      … a scenario file
    ├── RequestRefusedError    what a person asked of a running session can't be done now
    ├── UnexpectedModelBehavior a model didn't do what it was asked for, again and again
    └── APIError               a provider failed
        ├── APIStatusError     … with a status code
        └── APIConnectionError … without an answer
            └── APITimeoutError

`agent_tools` has its own small tree (`ToolError` and friends), since it imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Sequence


class AgentConsoleError(Exception):
    """Base of every error that the product raises on purpose."""


class ConfigError(AgentConsoleError):
    """Raised when a setting has a value that can't be used.

    Args:
        source: where the value came from, e.g. `agent-console.toml` or `AGENT_CONSOLE_LLM`.
        field: the setting's dotted name.
        problem: what is wrong with it and what would be right.
    """

    def __init__(self, source: str, field: str, problem: str) -> None:
        self.source = source
        self.field = field
        self.problem = problem
        where = f"{source}: {field}" if field else source
        super().__init__(f"{where}: {problem}")


class AgentLoadError(AgentConsoleError):
    """Raised when an agent's file can't be loaded.

    `details` holds the traceback, if there is one; `choices` the names of its agents, if there are too many.
    """

    def __init__(
        self, message: str, *, path: str = "", line: int | None = None, details: str = "", choices: Sequence[str] = ()
    ) -> None:
        self.path = path
        self.line = line
        self.details = details
        self.choices = tuple(choices)
        super().__init__(message)


class MissingDependencyError(AgentConsoleError):
    """Raised when something that isn't installed is needed. `command` is the one command that gets it."""

    def __init__(self, what: str, command: str) -> None:
        self.what = what
        self.command = command
        super().__init__(f"{what} is missing: run `{command}`")


class DeviceError(AgentConsoleError):
    """Raised when an audio device can't be opened."""


class DeviceLostError(DeviceError):
    """Raised when an audio device went away in use."""


class MediaError(AgentConsoleError):
    """Raised when audio can't be read, decoded or converted."""


class RoomError(AgentConsoleError):
    """Raised when a room can't be joined. `retry` says whether it may be otherwise in a moment."""

    def __init__(self, message: str, *, retry: bool = False) -> None:
        self.retry = retry
        super().__init__(message)


class WorkerError(AgentConsoleError):
    """Raised when a worker can't serve. `retry` says whether it may be otherwise in a moment."""

    def __init__(self, message: str, *, retry: bool = False) -> None:
        self.retry = retry
        super().__init__(message)


class JobProcessError(AgentConsoleError):
    """A process for jobs can't be started or made ready; the text says why. `final`: nor will another one be."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        self.final = final
        super().__init__(message)


class TooManyRestartsError(AgentConsoleError):
    """Something that is supervised failed too often to be started again."""

    def __init__(self, name: str, failures: int, within: float, why: str) -> None:
        super().__init__(f"{name} failed {failures} times within {within:g} s; the last time: {why}")


class AssignmentTimeoutError(AgentConsoleError):
    """Raised when a worker accepted a job and the server didn't assign it in time: it went to another worker."""

    def __init__(self, job_id: str, seconds: float) -> None:
        self.job_id = job_id
        super().__init__(f"the job {job_id} was accepted and not assigned within {seconds:g} s")


class EventDecodeError(AgentConsoleError):
    """Raised when a recorded event can't be read. `path` and `line` (from 1) say where, if it came from a file."""

    def __init__(self, problem: str, *, path: str = "", line: int | None = None) -> None:
        self.problem = problem
        self.path = path
        self.line = line
        where = f"{path}:{line}: " if path else ""
        super().__init__(f"{where}not an event: {problem}")


class FileContentError(AgentConsoleError):
    """Raised when a file's content can't be used: names the file, and line (from 1) and field where there are any."""

    def __init__(self, path: str, problem: str, *, line: int | None = None, field: str = "") -> None:
        self.path = path
        self.problem = problem
        self.line = line
        self.field = field
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {field}: {problem}" if field else f"{where}: {problem}")


class BundleError(FileContentError):
    """Raised when a session bundle can't be read or written."""


class ScenarioError(FileContentError):
    """Raised when a scenario file can't be used."""


class RequestRefusedError(AgentConsoleError):
    """Raised when what a person asks of a running session can't be done.

    Args:
        request: what was asked: `run tool`, `rewind` …
        problem: why not, and what to do.
    """

    def __init__(self, request: str, problem: str) -> None:
        self.request = request
        self.problem = problem
        super().__init__(f"{request}: {problem}")


class UnexpectedModelBehavior(AgentConsoleError, RuntimeError):
    """Raised when a run ends without the output that was asked for, after the model was asked again."""


class APIError(AgentConsoleError):
    """Raised when a provider failed. `retryable` says whether the same request may succeed later."""

    def __init__(self, message: str, *, body: object | None = None, retryable: bool = True) -> None:
        self.message = message
        self.body = body
        self.retryable = retryable
        super().__init__(message)


class APIStatusError(APIError):
    """Raised when a provider answered with a status that means failure. One of 400 to 499 is seldom worth a retry.

    `retry_after` is how many seconds it wants to be left alone for, where it says so.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int = -1,
        request_id: str | None = None,
        body: object | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        # 4xx is our request's fault and stays so, whatever a provider's code hopes, but for a timeout (408), a
        # conflict (409), a rate limit (429) and a request that was called off (499).
        final = 400 <= status_code < 500 and status_code not in (408, 409, 429, 499)
        retryable = retryable is not False and not final
        self.status_code = status_code
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(f"{message} (status {status_code})", body=body, retryable=retryable)


def create_api_error_from_http(
    message: str = "", *, status: int, request_id: str | None = None, body: object | None = None
) -> APIStatusError:
    """The error of an HTTP status, with what the status means beside the provider's own words."""
    from http import HTTPStatus

    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "unknown status"
    text = f"{message}: {reason}" if message and message != reason else reason
    return APIStatusError(text, status_code=status, request_id=request_id, body=body)


class APIConnectionError(APIError):
    """Raised when a provider can't be reached or hung up."""

    def __init__(self, message: str = "connection failed", *, retryable: bool = True) -> None:
        super().__init__(message, retryable=retryable)


class APITimeoutError(APIConnectionError):
    """Raised when a provider didn't answer in time."""

    def __init__(self, message: str = "request timed out", *, retryable: bool = True) -> None:
        super().__init__(message, retryable=retryable)
