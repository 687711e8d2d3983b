"""A session whose every end follows a script, and what happened in it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agent_runtime.events import AnyEvent, AudioMeter
from agent_runtime.testing.scripted import Answer, ScriptedLLM, ScriptedSTT, ScriptedTTS, ScriptedVAD, UserSpeech
from agent_runtime.testing.scripted_io import ScriptedAudioInput, ScriptedAudioOutput, ScriptedTextOutput
from agent_runtime.testing.virtual_time import VirtualClock
from agent_runtime.voice.events import EventTypes
from agent_runtime.voice.session import AgentSession

_CALLBACKS: tuple[EventTypes, ...] = (
    "user_state_changed",
    "agent_state_changed",
    "user_input_transcribed",
    "conversation_item_added",
    "user_transcription_timeout",
    "agent_false_interruption",
    "overlapping_speech",
    "function_tools_executed",
    "metrics_collected",
    "speech_created",
    "error",
    "close",
)


class Stage:
    """A scripted session and its parts. Times are virtual seconds since the stage was made."""

    def __init__(
        self,
        session: AgentSession[Any],
        *,
        stt: ScriptedSTT,
        vad: ScriptedVAD | None,
        llm: ScriptedLLM,
        tts: ScriptedTTS,
        speaker: ScriptedAudioOutput | None,
        transcript: ScriptedTextOutput,
    ) -> None:
        self.session = session
        self.stt, self.vad, self.llm, self.tts = stt, vad, llm, tts
        self.speaker, self.transcript = speaker, transcript
        self.events: list[AnyEvent] = []
        """Everything from the session's stream but the meters."""
        self.callbacks: list[tuple[float, str, Any]] = []
        """(time, name, payload) of LiveKit's events."""
        self._origin = asyncio.get_running_loop().time()
        types = [t for t in _event_types() if t is not AudioMeter]
        session.events.subscribe(self.events.append, types=types)
        for name in _CALLBACKS:
            session.on(name, functools.partial(self._called, name))

    def _called(self, name: str, payload: Any) -> None:
        self.callbacks.append((self.now, name, payload))

    @property
    def now(self) -> float:
        """Seconds since the stage was made."""
        return round(asyncio.get_running_loop().time() - self._origin, 6)

    async def run_until(self, when: float) -> None:
        """Let time pass until `when`, and everything that is due then happen."""
        await asyncio.sleep(max(0.0, self._origin + when - asyncio.get_running_loop().time()))
        # What is due at the same instant may take a few rounds of the loop.
        for _ in range(20):
            await asyncio.sleep(0)

    def of(self, *kinds: str) -> list[AnyEvent]:
        """Events of these types (`tool_started`, …), in order."""
        return [event for event in self.events if event.data.type in kinds]

    def times(self, kind: str, **fields: Any) -> list[float]:
        """When events of that type with those fields happened, to the microsecond."""
        return [
            round(event.time, 6)
            for event in self.of(kind)
            if all(getattr(event.data, name) == value for name, value in fields.items())
        ]

    def timeline(self, *kinds: str) -> list[tuple[float, str]]:
        """(time, what) of states, playout, items and tools, or of the given types only; short names for asserts."""
        told = []
        for event in self.events:
            name = _short(event)
            if name is not None and (not kinds or event.data.type in kinds):
                told.append((round(event.time, 6), name))
        return told

    def said(self) -> list[tuple[str, str]]:
        """(role, text) of the messages of the conversation so far."""
        return [(message.role, message.text_content or "") for message in self.session.history.messages()]


def _event_types() -> list[type]:
    from typing import get_args

    from agent_runtime.events.types import EventData

    return list(get_args(EventData))


def _short(event: AnyEvent) -> str | None:
    data: Any = event.data
    match data.type:
        case "user_state_changed":
            return f"user {data.new}"
        case "agent_state_changed":
            return f"agent {data.new}"
        case "user_transcribed":
            return "final" if data.is_final else "interim"
        case "item_added":
            item = data.item
            return f"{item['role']} item" if item["type"] == "message" else None
        case "playout_finished":
            return f"played {data.position:.2f}{' interrupted' if data.interrupted else ''}"
        case "tool_started" | "tool_finished":
            return str(data.type).replace("_", " ")
        case "playout_paused" | "playout_resumed" | "speech_created" | "turn_discarded":
            return str(data.type).replace("_", " ")
    return None


@asynccontextmanager
async def scripted_session(
    speeches: Sequence[UserSpeech] = (),
    *,
    answers: Sequence[Answer] = (),
    durations: Sequence[float] = (),
    ttfb: float = 0.2,
    aligned: bool = False,
    microphone: bool = True,
    speaker: bool = True,
    can_pause: bool = True,
    use_vad: bool = True,
    **options: Any,
) -> AsyncGenerator[Stage, None]:
    """A stage with a session that isn't started yet; closed at the end.

    Args:
        speeches: what the user says and when.
        answers: what the model says, in order.
        durations: seconds of audio of each text that is spoken, in order; after them, by the text's length.
        ttfb: seconds from the complete text to the first audio.
        aligned: whether the voice tells when each word is spoken.
        microphone: whether there is one.
        speaker: whether there is one; without it the agent answers as text.
        can_pause: whether the speaker can hold still.
        use_vad: without it, the transcripts alone tell of speech.
        options: of `AgentSession`. Echo warm-up and text transforms are off unless given.
    """
    stt, llm = ScriptedSTT(speeches), ScriptedLLM(list(answers))
    vad = ScriptedVAD(speeches) if use_vad else None
    tts = ScriptedTTS(durations, ttfb=ttfb, aligned=aligned)
    clock = VirtualClock()
    options = {"aec_warmup_duration": None, "tts_text_transforms": None, **options}
    options.setdefault("turn_handling", {})
    options["turn_handling"] = {"turn_detection": None, **options["turn_handling"]}
    parts = {"stt": stt, "vad": vad, "llm": llm, "tts": tts, "clock": clock}
    session: AgentSession[Any] = AgentSession(**{**parts, **options})
    output = ScriptedAudioOutput(can_pause=can_pause, clock=clock) if speaker else None
    transcript = ScriptedTextOutput()
    stage = Stage(session, stt=stt, vad=vad, llm=llm, tts=tts, speaker=output, transcript=transcript)
    if microphone:
        session.input.audio = ScriptedAudioInput()
    session.output.audio = output
    session.output.transcription = transcript
    try:
        yield stage
    finally:
        await session.aclose()
