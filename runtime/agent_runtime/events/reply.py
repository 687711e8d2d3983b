"""Events of the reply: model, synthesis, and what is heard of it."""

from __future__ import annotations

from typing import Literal

from agent_runtime.records import record


@record(frozen=True, slots=True)
class SpeechCreated:
    """A speech was scheduled. `source` says by what."""

    speech_id: str
    source: Literal["say", "generate_reply", "tool_response"]
    user_initiated: bool
    priority: int
    type: Literal["speech_created"] = "speech_created"


@record(frozen=True, slots=True)
class HookFinished:
    """A hook of the user's agent ran: `on_enter`, `on_exit`, `on_user_turn_completed` and so on."""

    name: str
    duration: float
    type: Literal["hook_finished"] = "hook_finished"


@record(frozen=True, slots=True)
class LLMStarted:
    """A request goes to the model. Cause: `turn`, `tool_reply`, `generate_reply`, `preemptive`."""

    speech_id: str
    model: str
    step: int
    """0 for the first request of a speech, then one more after each round of tools."""
    type: Literal["llm_started"] = "llm_started"


@record(frozen=True, slots=True)
class LLMFirstToken:
    """The first token (of text or of a tool call) came."""

    speech_id: str
    ttft: float
    type: Literal["llm_first_token"] = "llm_first_token"


@record(frozen=True, slots=True)
class LLMFinished:
    """The model's answer is complete, or was cut."""

    speech_id: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    duration: float
    cancelled: bool
    model: str = ""
    """What answered: behind a fallback, the one that did."""
    estimated: bool = False
    """The provider told no tokens: they are counted by the text's length."""
    type: Literal["llm_finished"] = "llm_finished"


@record(frozen=True, slots=True)
class AgentText:
    """Text that the agent means to say, as it is generated. What was heard comes as `AgentHeard`."""

    speech_id: str
    item_id: str
    delta: str
    type: Literal["agent_text"] = "agent_text"


@record(frozen=True, slots=True)
class TTSStarted:
    """The first text went to the synthesizer."""

    speech_id: str
    model: str
    type: Literal["tts_started"] = "tts_started"


@record(frozen=True, slots=True)
class TTSFirstByte:
    """The first audio came out of the synthesizer."""

    speech_id: str
    ttfb: float
    type: Literal["tts_first_byte"] = "tts_first_byte"


@record(frozen=True, slots=True)
class TTSFinished:
    """All audio of a segment is synthesized, or it was cut."""

    speech_id: str
    characters: int
    audio_duration: float
    duration: float
    cancelled: bool
    model: str = ""
    """What spoke: behind a fallback, the one that did."""
    type: Literal["tts_finished"] = "tts_finished"


@record(frozen=True, slots=True)
class PlayoutStarted:
    """The first sample of the agent's speech is heard."""

    speech_id: str
    type: Literal["playout_started"] = "playout_started"


@record(frozen=True, slots=True)
class AgentHeard:
    """Words reached the listener, by the device's own position."""

    speech_id: str
    item_id: str
    text: str
    """Everything of this item that was heard so far."""
    position: float
    """Seconds of the segment."""
    type: Literal["agent_heard"] = "agent_heard"


@record(frozen=True, slots=True)
class PlayoutPaused:
    """The agent holds still to find out whether it was interrupted. Cause: `vad`, `stt`."""

    speech_id: str
    position: float
    type: Literal["playout_paused"] = "playout_paused"


@record(frozen=True, slots=True)
class PlayoutResumed:
    """It was a false interruption; the agent goes on."""

    speech_id: str
    type: Literal["playout_resumed"] = "playout_resumed"


@record(frozen=True, slots=True)
class PlayoutFinished:
    """A segment of speech is over."""

    speech_id: str
    position: float
    interrupted: bool
    type: Literal["playout_finished"] = "playout_finished"


@record(frozen=True, slots=True)
class SpeechFinished:
    """A speech with all its steps is over."""

    speech_id: str
    interrupted: bool
    type: Literal["speech_finished"] = "speech_finished"


@record(frozen=True, slots=True)
class AgentInterrupted:
    """The agent was stopped. Cause: `voice`, `text`, `api`, `key`, `push_to_talk`, `forced`, `close`."""

    speech_id: str
    type: Literal["agent_interrupted"] = "agent_interrupted"
