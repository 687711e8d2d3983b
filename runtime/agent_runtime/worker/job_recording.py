"""Writes down a job's conversation, into a bundle among the job's files."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, cast

if TYPE_CHECKING:
    from agent_runtime.bundle import Recorder
    from agent_runtime.voice import AgentSession

FOLDER: Final = "recording"
"""The bundle in `JobContext.session_directory`."""


class RecordingOptions(TypedDict, total=False):
    """What is kept of a conversation; what isn't named is.

    The events are one file: `transcript` False, which leaves nothing to tell, keeps none of them. `audio`, `traces` and
    `logs` have no effect of their own: sound is recorded in the console, and traces and logs go where
    `telemetry.set_tracer_provider` and the logging set-up say.
    """

    audio: bool
    traces: bool
    logs: bool
    transcript: bool
    redaction: bool
    """Secrets are taken out in any case; words aren't."""
    input_delta: bool


class JobRecording:
    """Writes the events of a job's first session; `folder` is made with it, and complete after `aclose`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._recorder: Recorder | None = None
        self._unsubscribe: Callable[[], None] | None = None

    def follow(self, session: AgentSession[Any]) -> None:
        """Write down what happens from now on; a second session of the job isn't written."""
        if self._recorder is not None:
            return
        from importlib.metadata import version

        from agent_runtime.bundle import VERSION, Manifest, Recorder, Scrubber

        stream = session.events
        manifest = Manifest(
            version=VERSION,
            made_by=f"agent-console {version('agent-console')}",
            session_id=stream.session_id,
            started_at=time.time() - stream.now(),
            begins=stream.now(),
        )
        self._recorder = Recorder(self.folder, manifest, scrubber=Scrubber(), config={}, now=stream.now)
        self._unsubscribe = stream.subscribe(self._recorder.event)

    async def aclose(self) -> None:
        """Complete the bundle."""
        if self._recorder is None or self._unsubscribe is None:
            return
        self._unsubscribe()
        await asyncio.to_thread(self._recorder.close)


def wants_recording(options: RecordingOptions) -> bool:
    """Whether anything is to be kept. Raises ValueError for sound that can't be kept without its words."""
    if options.get("redaction", False) and options.get("audio", True) and not options.get("transcript", True):
        raise ValueError("audio can't be redacted without its transcript: leave `transcript` on, or `audio` off")
    return options.get("transcript", True)


def recording_options(record: object) -> RecordingOptions | None:
    """What `AgentSession.start(record=…)` asks for: True is everything, False and what isn't given nothing."""
    if isinstance(record, dict):
        return cast("RecordingOptions", record)
    return {} if record is True else None
