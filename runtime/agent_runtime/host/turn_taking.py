"""How a session takes turns where the settings decide it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from agent_runtime.types import is_given

if TYPE_CHECKING:
    from agent_runtime.host.providers import Providers
    from agent_runtime.settings import Settings
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.voice.turn import TurnHandlingOptions

SURE_DELAY: Final = 0.4
"""Seconds to wait after the last word where the embedded turn detector, which reads the words, takes the user to be
done: the recogniser's last words come about then. The engine's own 0.5 also has to do without a detector."""


def take_turns(session: AgentSession[Any], agent: Agent, settings: Settings, providers: Providers) -> None:
    """Have the session take turns as the settings say, unless it brings a way of its own.

    A realtime model finds the turns itself where nobody asks for something else.
    """
    from agent_runtime.llm import RealtimeModel

    model = agent.llm if is_given(agent.llm) else session.llm
    if not session._turn_handling and not isinstance(model, RealtimeModel):
        session.update_options(turn_handling=turn_handling(settings, providers))


def turn_handling(settings: Settings, providers: Providers) -> TurnHandlingOptions:
    """The settings' part of `AgentSession(turn_handling=…)`; what isn't set is left to the engine's defaults."""
    endpointing = settings.endpointing.model_dump(exclude_none=True)
    if settings.turn_detection == "embedded" and providers.turn_detector is not None:
        endpointing.setdefault("min_delay", SURE_DELAY)
    options: dict[str, Any] = {
        "endpointing": endpointing,
        "interruption": settings.interruption.model_dump(exclude_none=True),
        "preemptive_generation": {"enabled": settings.preemptive_generation},
    }
    if providers.turn_detector is not None:
        options["turn_detection"] = providers.turn_detector
    elif settings.turn_detection not in ("embedded", "audio"):
        options["turn_detection"] = settings.turn_detection
    return cast("TurnHandlingOptions", options)
