"""Events of hearing the user: levels, transcripts, and the end of the turn."""

from __future__ import annotations

from typing import Literal

from agent_runtime.records import record


@record(frozen=True, slots=True)
class AudioMeter:
    """Levels of one VAD window, about 30 a second. Made only while somebody subscribes to it."""

    input_rms: float
    input_peak: float
    output_rms: float
    vad_probability: float | None
    """None where the VAD doesn't tell."""
    vad_threshold: float
    clipped: bool = False
    type: Literal["audio_meter"] = "audio_meter"


@record(frozen=True, slots=True)
class UserTranscribed:
    """Recognised speech. An interim replaces the interim before it; a final ends a segment."""

    text: str
    is_final: bool
    language: str | None = None
    speaker_id: str | None = None
    type: Literal["user_transcribed"] = "user_transcribed"


@record(frozen=True, slots=True)
class EndpointingStarted:
    """The user fell silent; the turn ends at `deadline` unless they go on.

    Cause: `min_delay` (the detector thinks that they are done), `max_delay` (it doesn't), `manual`.
    """

    delay: float
    """Seconds waited in all, counted from the end of speech."""
    deadline: float
    end_of_turn_probability: float | None
    threshold: float | None
    type: Literal["endpointing_started"] = "endpointing_started"


@record(frozen=True, slots=True)
class EndpointingCancelled:
    """The user went on before the deadline."""

    type: Literal["endpointing_cancelled"] = "endpointing_cancelled"


@record(frozen=True, slots=True)
class EndpointingLearned:
    """A pause of the user changed the shortest wait (`endpointing.mode` `dynamic`).

    Cause: `pause` (between two stretches of speech), `early_interruption` (the agent took it for the end of the turn).
    """

    min_delay: float
    """Seconds, from now on."""
    pause: float
    """Seconds that the user paused."""
    type: Literal["endpointing_learned"] = "endpointing_learned"


@record(frozen=True, slots=True)
class OverlappingSpeech:
    """The user spoke over the agent, and it was judged whether they want the floor. Words that come late may revise it.

    Cause: `words` (something was recognised), `length` (only how long it lasted is known), `agent_ended` (the agent was
    done before it was clear).
    """

    is_interruption: bool
    probability: float
    threshold: float
    started_at: float
    """When they began."""
    detection_delay: float
    """Seconds from there to the verdict."""
    agent_ended: bool = False
    type: Literal["overlapping_speech"] = "overlapping_speech"


@record(frozen=True, slots=True)
class TranscriptionTimedOut:
    """Speech was heard and nothing of it was recognised in time (`transcription_timeout`)."""

    speech_duration: float
    """Seconds of it."""
    speech_started_at: float
    type: Literal["transcription_timed_out"] = "transcription_timed_out"


@record(frozen=True, slots=True)
class SpeechRecognized:
    """Audio that a recogniser has worked off and counts."""

    model: str
    audio_duration: float
    """Seconds since it told last."""
    type: Literal["speech_recognized"] = "speech_recognized"


@record(frozen=True, slots=True)
class UserTurnExceeded:
    """The user talks longer than `user_turn_limit` allows. Cause: `max_words`, `max_duration`."""

    text: str
    """Of the open turn."""
    words: int
    """Since the agent was heard last."""
    duration: float
    """Seconds since the user began."""
    type: Literal["user_turn_exceeded"] = "user_turn_exceeded"


@record(frozen=True, slots=True)
class TurnStarted:
    """A turn begins. Cause: `speech`, `text`, `push_to_talk`, `say` (the agent began), `generate_reply`."""

    number: int
    type: Literal["turn_started"] = "turn_started"


@record(frozen=True, slots=True)
class TurnCommitted:
    """The user's part of the turn is over and the reply begins.

    Cause: `endpointing.min_delay`, `endpointing.max_delay`, `stt`, `manual`, `push_to_talk`, `text`, `api`, `close`.
    """

    text: str
    speech_ended_at: float | None
    """When the user's last voiced frame was; None for text."""
    type: Literal["turn_committed"] = "turn_committed"


@record(frozen=True, slots=True)
class TurnDiscarded:
    """What the user said is dropped.

    Cause: `push_to_talk`, `api`, `empty`, `agent_uninterruptible`, `stop_response`, `backchannel` (a listener's word).
    """

    text: str
    type: Literal["turn_discarded"] = "turn_discarded"
