"""What can be changed of a session while it runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Unpack

from agent_runtime import events as ev
from agent_runtime.llm.session_model import for_session
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.voice.session_properties import SessionProperties, Userdata_T
from agent_runtime.voice.turn import (
    EndpointingOptions,
    OldArguments,
    TurnHandlingOptions,
    changed,
    resolve_turn_handling,
)

if TYPE_CHECKING:
    from agent_runtime import llm as llm_
    from agent_runtime import stt as stt_
    from agent_runtime import tts as tts_
    from agent_runtime import vad as vad_
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.expressive import ExpressiveOptions
    from agent_runtime.voice.reporter import Reporter
    from agent_runtime.voice.swaps import WaitsFor


class SessionChanges(SessionProperties[Userdata_T]):
    """The part of `AgentSession` that exchanges its agent, its options and its providers."""

    _closing: asyncio.Task[None] | None = None
    _report: Reporter

    def update_agent(self, agent: Agent) -> None:
        """Have another agent take over once what is being said and done is over."""
        self._running().agents.hand_over(agent, "update_agent")

    def swap_agent(
        self, agent: Agent, *, cause: str = "reload", instead_of: Agent | None = None
    ) -> asyncio.Future[bool]:
        """Have `agent` stand in for the present one with the same conversation and without hooks: new code.

        It happens at a safe point: the agent isn't speaking, no tool is running, no task is awaited. The future ends
        then; it is cancelled if a newer swap comes first, and False if `instead_of` has handed over meanwhile.
        """
        return self._running().agents.swaps.request(agent, cause, instead_of)

    @property
    def swap_waits_for(self) -> WaitsFor | None:
        """What has to end before a swap can be done; None if it can be done now."""
        return self._running().agents.swaps.waits_for

    def update_options(
        self,
        *,
        turn_handling: NotGivenOr[TurnHandlingOptions] = NOT_GIVEN,
        endpointing_opts: NotGivenOr[EndpointingOptions] = NOT_GIVEN,
        stt: NotGivenOr[stt_.STT[Any] | None] = NOT_GIVEN,
        vad: NotGivenOr[vad_.VAD | None] = NOT_GIVEN,
        llm: NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | llm_.DuplexModel | None] = NOT_GIVEN,
        tts: NotGivenOr[tts_.TTS[Any] | None] = NOT_GIVEN,
        keyterms: NotGivenOr[list[str]] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        **old: Unpack[OldArguments],
    ) -> None:
        """Change options or providers in mid-conversation. Options that aren't named keep their value."""
        handling = changed(self._turn_handling, turn_handling, endpointing_opts, old)
        self._options.turn_handling = resolve_turn_handling(handling)  # raises before anything is changed
        self._turn_handling = handling
        self._stt = stt if is_given(stt) else self._stt
        self._llm = for_session(llm) if is_given(llm) else self._llm
        self._tts = tts if is_given(tts) else self._tts
        self._vad = vad if is_given(vad) else self._vad
        if expressive is not NOT_GIVEN:
            self._expressive = expressive
        if is_given(keyterms):
            self._stt_context.set_keyterms(keyterms)
        self._devices_changed()

    def set_input_muted(self, muted: bool) -> None:
        """Hear silence in place of the microphone, or the microphone again."""
        recognition = self._engine.recognition
        if recognition.muted != muted:
            recognition.muted = muted
            self._report.emit(ev.InputMuted(muted))

    def _devices_changed(self) -> None:
        if self.started and self._engine.agent is not None and self._closing is None:
            self._engine.apply_options()

    def _running(self) -> Engine:
        if not self.started:
            raise RuntimeError("the session isn't running; call `await session.start(agent)` first")
        return self._engine
