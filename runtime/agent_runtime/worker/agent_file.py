"""The entrypoint of a file that has an agent and says nothing of rooms: what the settings say, in a room."""

from __future__ import annotations

import asyncio
import gc
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.agent_loader import LoadedAgent, Target, load_agent
from agent_runtime.errors import AgentLoadError
from agent_runtime.events import EventData, ModelLoading
from agent_runtime.records import record
from agent_runtime.settings import Settings
from agent_runtime.types import NOT_GIVEN, is_given

if TYPE_CHECKING:
    from agent_runtime.host.providers import Providers
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.worker.job import JobContext, JobProcess

logger = logging.getLogger(__name__)

_LOADED: Final = "agent_runtime.agent_file"
"""Where a process keeps what was made ready for its job."""


@dataclass(slots=True)
class _Ready:
    """What waits for the job: the code, and the parts of a session with their weights in memory."""

    code: LoadedAgent
    providers: Providers


@record(frozen=True, slots=True)
class AgentFile:
    """An agent's code and the settings, which can be sent to the process of a job.

    `AgentFile(…)` itself is the entrypoint, its `set_up` what makes a process ready.
    """

    target: Target
    settings: Settings

    def set_up(self, process: JobProcess) -> None:
        """Load the code and the models' weights. Raises AgentLoadError, also for a part that is missing."""
        process.userdata[_LOADED] = self._get_ready()

    async def __call__(self, job: JobContext) -> None:
        """Talk to who is in the job's room, until they leave for good."""
        ready: _Ready = job.proc.userdata.pop(_LOADED)
        agent, session = await ready.code.build()
        session = self._complete(agent, session, ready.providers)
        session.on("close", lambda _: job.shutdown("the session is over"))
        await job.connect()
        await session.start(agent, room=job.room)

    def _get_ready(self) -> _Ready:
        from agent_runtime.host.providers import make_providers

        problems: dict[str, str] = {}

        def tell(data: EventData) -> None:
            if isinstance(data, ModelLoading) and data.error is not None:
                problems[data.part] = data.error

        code = load_agent(self.target)
        providers = make_providers(self.settings, tell)
        asyncio.run(_load(providers, tell))
        if problems and (lacking := asyncio.run(_lacking(code, problems))):
            raise AgentLoadError(f"{self.target} can't be served: {'; '.join(lacking)}", path=str(code.path))
        gc.freeze()  # the weights' tables live as long as the process: looking through them for garbage is in vain
        return _Ready(code, providers)

    def _complete(self, agent: Agent, session: AgentSession[Any] | None, ours: Providers) -> AgentSession[Any]:
        """The session, made if the file makes none; what it leaves open is as the settings say."""
        from agent_runtime.host.turn_taking import take_turns
        from agent_runtime.voice.session import AgentSession

        session = AgentSession() if session is None else session
        session.update_options(**{part: getattr(ours, part) for part in session._left_open})
        take_turns(session, agent, self.settings, ours)
        return session


async def _lacking(code: LoadedAgent, problems: dict[str, str]) -> list[str]:
    """What is wrong with parts that the agent and its session bring none of; they are made once to see."""
    from agent_runtime.host.providers import PARTS
    from agent_runtime.llm import RealtimeModel

    agent, session = await code.build()
    left_open = PARTS if session is None else session._left_open
    brought = {part for part in PARTS if part not in left_open or getattr(agent, f"_{part}") is not NOT_GIVEN}
    model = agent.llm if is_given(agent.llm) or session is None else session.llm
    if isinstance(model, RealtimeModel):
        brought = {*PARTS, "turn_detector"}  # it hears, speaks and finds the turns by itself
    elif session is not None and session._turn_handling:
        brought.add("turn_detector")
    return list(dict.fromkeys(problem for part, problem in problems.items() if part not in brought))


async def _load(providers: Providers, tell: Any) -> None:
    await providers.load(tell)
