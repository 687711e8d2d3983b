"""Runs a scenario: a fresh agent and session, its user's lines, and what has to hold of the answers."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.agent_loader import LoadedAgent
from agent_runtime.errors import AgentConsoleError
from agent_runtime.evals.conversation import Conversation
from agent_runtime.evals.report import Happening, ScenarioResult
from agent_runtime.evals.scenario import Scenario, ScriptedCall
from agent_runtime.records import record
from agent_runtime.types import is_given
from agent_runtime.voice.tool_mocks import StandIn, stand_ins

if TYPE_CHECKING:
    from agent_runtime.evals.spoken import SpokenInput
    from agent_runtime.events import EventData, Subscriber
    from agent_runtime.llm import LLM
    from agent_runtime.settings import Settings
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession

VIRTUAL_LIMIT: Final = 3600.0
"""Virtual seconds that a scripted scenario may take."""

logger = logging.getLogger(__name__)
Tell = Callable[[Happening], None]


@record(frozen=True, slots=True)
class RunOptions:
    """How scenarios are run."""

    settings: Settings
    by: Literal["text", "speech"] | None = None
    """In place of what the scenarios say."""
    judge: str | None = None
    """The model that judges intents: `openai` or `openai:MODEL`; the conversation's own if None."""


def run_scenario(
    scenario: Scenario,
    loaded: LoadedAgent,
    options: RunOptions,
    *,
    file: str = "",
    tell: Tell = lambda happening: None,
    on_event: Subscriber | None = None,
) -> ScenarioResult:
    """Run it in a loop of its own; blocks. Whatever fails is in the result, and `on_event` gets the session's events.

    By text with scripted answers the time is virtual; otherwise speech and models take their own.
    """
    result = ScenarioResult(file, scenario.name)
    spoken = (options.by or scenario.by) == "speech"
    virtual = scenario.answers is not None and not spoken
    began = time.monotonic()
    work = _run(scenario, loaded, options, result, spoken=spoken, tell=tell, on_event=on_event)
    try:
        if virtual:
            from agent_runtime.testing import run_virtual

            run_virtual(work, timeout=VIRTUAL_LIMIT)
        else:
            asyncio.run(work)
    except Exception as exc:  # an agent's own code may raise anything: the next scenario is run all the same
        logger.debug("the scenario failed", exc_info=True)
        expected = isinstance(exc, AgentConsoleError)
        result.problem = result.problem or (str(exc) if expected else f"{type(exc).__name__}: {exc}")
    result.seconds = time.monotonic() - began
    return result


async def _run(
    scenario: Scenario,
    loaded: LoadedAgent,
    options: RunOptions,
    result: ScenarioResult,
    *,
    spoken: bool,
    tell: Tell,
    on_event: Subscriber | None,
) -> None:
    agent, session = await loaded.build()
    async with (
        _complete(agent, session, scenario, options, spoken) as (session, microphone),
        _judge(options, session) as judge,
    ):
        stand_ins(session).update(
            {name: StandIn(mock.output, mock.error, mock.delay) for name, mock in scenario.tools.items()}
        )
        if on_event is not None:
            session.events.subscribe(on_event)
        conversation = Conversation(session, microphone, scenario, result, judge=judge, tell=tell)
        async with session:
            await session.start(agent)
            await conversation.run()
    if "agent_runtime.worker.local_job" in sys.modules:  # the agent's file has an entrypoint
        await sys.modules["agent_runtime.worker.local_job"].wait_for_ends()


@asynccontextmanager
async def _complete(
    agent: Agent, session: AgentSession[Any] | None, scenario: Scenario, options: RunOptions, spoken: bool
) -> AsyncIterator[tuple[AgentSession[Any], SpokenInput | None]]:
    """The session, with the parts that it leaves open, and the microphone if its user speaks."""
    from agent_runtime.host.providers import Providers, make_providers
    from agent_runtime.host.turn_taking import take_turns
    from agent_runtime.testing import ScriptedAudioOutput, ScriptedTTS
    from agent_runtime.voice.session import AgentSession

    session = AgentSession() if session is None else session
    problems: list[str] = []

    def emit(data: EventData) -> None:
        if problem := getattr(data, "error", None):
            problems.append(f"{getattr(data, 'model', '')}: {problem}")

    settings = options.settings.model_copy(update={"text": not spoken})
    scripted = scenario.answers is not None
    wanted = session._left_open - {"llm"} if scripted else session._left_open
    ours = make_providers(settings, emit, only=wanted if spoken else wanted & {"llm"})
    session.update_options(**{part: found for part in wanted if (found := getattr(ours, part)) is not None})
    if scripted:
        session.update_options(llm=_scripted(scenario))
    microphone = None
    if spoken:
        take_turns(session, agent, settings, ours)
        parts = Providers(session.vad, session.stt, ours.turn_detector, session.llm, session.tts)
        await parts.load(emit)
        microphone = await _microphone()
        session.input.audio = microphone
        session.output.audio = ScriptedAudioOutput()
    else:
        _refuse_duplex(agent, session)
        if not scripted:
            await Providers(llm=session.llm).load(emit)
        if any(step.interrupt is not None for step in scenario.steps):
            # What nobody says can't be cut: its words take the time that they would be said in.
            session.update_options(tts=ScriptedTTS(aligned=True))
            session.output.audio = ScriptedAudioOutput()
    if problems:
        raise AgentConsoleError("; ".join(problems))
    yield session, microphone


def _refuse_duplex(agent: Agent, session: AgentSession[Any]) -> None:
    from agent_runtime.llm import DuplexRealtimeAdapter

    model = agent.llm if is_given(agent.llm) else session.llm
    if isinstance(model, DuplexRealtimeAdapter):
        raise AgentConsoleError(
            f"{model.duplex_model.label} is a duplex model, which hears and speaks but doesn't read: "
            "run the scenario by speech (`by: speech` in the file, or --by speech)"
        )


async def _microphone() -> SpokenInput:
    from agent_runtime.evals.spoken import SpokenInput
    from agent_runtime.providers.embedded.tts import HibariTTS

    voice = HibariTTS()
    await voice.load()
    return SpokenInput(voice)


def _scripted(scenario: Scenario) -> LLM[Any]:
    from agent_runtime.testing import Answer, ScriptedLLM

    return ScriptedLLM(
        [
            Answer(tool_calls=[(answer.tool, json.dumps(answer.arguments))])
            if isinstance(answer, ScriptedCall)
            else Answer(answer)
            for answer in scenario.answers or ()
        ]
    )


@asynccontextmanager
async def _judge(options: RunOptions, session: AgentSession[Any]) -> AsyncIterator[LLM[Any] | None]:
    """The model that judges: the one that was named, else the conversation's own if it is one that can."""
    from agent_runtime.host.providers import make_providers
    from agent_runtime.llm import LLM

    if options.judge is None:
        own = session.llm
        can = isinstance(own, LLM) and own.provider == "openai"
        yield own if can and isinstance(own, LLM) else None
        return
    settings = options.settings.model_copy(update={"llm": options.judge, "text": True})
    judge = make_providers(settings, lambda data: None, only={"llm"}).llm
    if not isinstance(judge, LLM):
        raise AgentConsoleError(f"the judge {options.judge} can't be made: use openai or openai:MODEL")
    async with judge:
        yield judge
