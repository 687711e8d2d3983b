"""What goes into the turn machine and what comes out of it. Times are seconds on the session's clock."""

from __future__ import annotations

from typing import Literal, TypeAlias

from agent_runtime.records import record
from agent_runtime.types import AgentState, UserState
from agent_runtime.voice.endpointing import Lesson

TimerName: TypeAlias = Literal[
    "endpointing", "transcript", "false_interruption", "aec_warmup", "away", "backchannel", "transcription"
]
InterruptCause: TypeAlias = Literal["voice", "text", "api", "key", "push_to_talk", "forced", "close"]
CommitCause: TypeAlias = Literal[
    "endpointing.min_delay",
    "endpointing.max_delay",
    "stt",
    "realtime_llm",
    "manual",
    "push_to_talk",
    "text",
    "api",
    "close",
]
WaitCause: TypeAlias = Literal["min_delay", "max_delay", "manual"]
DiscardCause: TypeAlias = Literal[
    "push_to_talk", "api", "empty", "agent_uninterruptible", "stop_response", "backchannel"
]
LimitCause: TypeAlias = Literal["max_words", "max_duration"]

# --- inputs: what the user's side tells ------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class VoiceStarted:
    """The VAD hears speech since `at`."""

    at: float


@record(frozen=True, slots=True)
class VoiceWindow:
    """One inference of the VAD while it hears speech."""

    voiced: float
    """Seconds of speech so far, pauses at its end not counted."""
    silence: float
    """Seconds of silence at its end."""


@record(frozen=True, slots=True)
class VoiceEnded:
    """The VAD is sure that speech ended at `at`."""

    at: float


@record(frozen=True, slots=True)
class Interim:
    """Recognised so far; the next one replaces it. `preflight`: the recogniser expects no further change."""

    text: str
    preflight: bool = False
    confidence: float = 0.0


@record(frozen=True, slots=True)
class Final:
    """A recognised segment that won't change."""

    text: str
    confidence: float = 0.0
    ended_at: float | None = None
    """When its last word ended, where the recogniser tells."""


@record(frozen=True, slots=True)
class RecognizerStarted:
    """The recogniser itself heard the start of speech (turn detection `stt`)."""

    at: float


@record(frozen=True, slots=True)
class RecognizerEnded:
    """The recogniser itself decided that the turn is over (turn detection `stt`)."""

    at: float


@record(frozen=True, slots=True)
class Predicted:
    """The turn detector's answer to `Predict`. Nones: it couldn't tell."""

    probability: float | None
    threshold: float | None


@record(frozen=True, slots=True)
class CommitRequested:
    """Somebody says that the user's turn is over."""

    cause: Literal["manual", "push_to_talk", "api", "close"]
    transcript_timeout: float = 2.0
    skip_reply: bool = False
    expect_final: bool = True
    """Whether the recogniser still owes a final."""
    silence: float = 0.0
    """Seconds of silence that the recogniser hears before it is flushed, where no microphone gives it any."""


@record(frozen=True, slots=True)
class ModelAnswers:
    """A realtime model found the end of the user's turn itself, and answers."""


@record(frozen=True, slots=True)
class ClearRequested:
    """Somebody wants the open turn forgotten."""

    cause: Literal["push_to_talk", "api"]


@record(frozen=True, slots=True)
class TalkPressed:
    """Push-to-talk: the user begins a turn by hand."""

    at: float


@record(frozen=True, slots=True)
class Activity:
    """A sign of life that isn't speech (typing, a key): the user is there."""


@record(frozen=True, slots=True)
class CallsRunOn:
    """Whether tool calls run in the background whose result the user may be waiting for."""

    running: bool


# --- inputs: what the agent's side tells -----------------------------------------------------------------------------


@record(frozen=True, slots=True)
class ReplyScheduled:
    """A reply is being prepared."""


@record(frozen=True, slots=True)
class FloorTaken:
    """A speech came to the head of the queue: it may be heard from now on."""

    speech_id: str
    interruptible: bool


@record(frozen=True, slots=True)
class InterruptibleChanged:
    """The speech may or may no longer be interrupted."""

    speech_id: str
    interruptible: bool


@record(frozen=True, slots=True)
class PlayoutBegan:
    """The first sample (or text) of the speech is out."""

    speech_id: str


@record(frozen=True, slots=True)
class PlayoutEnded:
    """What was to be heard of this step is over. `busy`: a tool runs or its reply comes next."""

    speech_id: str
    busy: bool


@record(frozen=True, slots=True)
class SpeechInterrupted:
    """The speech was told to stop."""

    speech_id: str


@record(frozen=True, slots=True)
class FloorReleased:
    """The speech has nothing more to play. `busy`: something else is being prepared."""

    speech_id: str
    busy: bool


@record(frozen=True, slots=True)
class NothingLeft:
    """The last speech is over, with its tools: nothing is being prepared."""


@record(frozen=True, slots=True)
class TimerFired:
    """A timer that `SetTimer` asked for."""

    name: TimerName


@record(frozen=True, slots=True)
class TurnEnded:
    """Raised by the user's half for the agent's half: the turn was committed."""

    reply: bool


@record(frozen=True, slots=True)
class TurnDropped:
    """Raised by the user's half for the agent's half: the decision about the turn's end came to nothing."""


@record(frozen=True, slots=True)
class Settle:
    """Raised by the user's half: silence in an open turn; is there something to decide on?"""


@record(frozen=True, slots=True)
class NothingSaid:
    """Raised by the agent's half: the sound that it held still for was nothing."""


@record(frozen=True, slots=True)
class AgentFellSilent:
    """Raised by the agent's half: it is heard no more, and a listener's word just now may have been an answer."""


@record(frozen=True, slots=True)
class Started:
    """The session listens from now on."""


@record(frozen=True, slots=True)
class Closed:
    """The session ends."""


Input: TypeAlias = (
    VoiceStarted
    | VoiceWindow
    | VoiceEnded
    | Interim
    | Final
    | RecognizerStarted
    | RecognizerEnded
    | Predicted
    | CommitRequested
    | ModelAnswers
    | ClearRequested
    | TalkPressed
    | Activity
    | CallsRunOn
    | ReplyScheduled
    | FloorTaken
    | InterruptibleChanged
    | PlayoutBegan
    | PlayoutEnded
    | SpeechInterrupted
    | FloorReleased
    | NothingLeft
    | TimerFired
    | TurnEnded
    | TurnDropped
    | Settle
    | NothingSaid
    | AgentFellSilent
    | Started
    | Closed
)

# --- actions ---------------------------------------------------------------------------------------------------------


@record(frozen=True, slots=True)
class SetTimer:
    """Feed `TimerFired(name)` at `at`; replaces the timer of that name."""

    name: TimerName
    at: float


@record(frozen=True, slots=True)
class CancelTimer:
    """Call the timer off."""

    name: TimerName


@record(frozen=True, slots=True)
class SetUserState:
    """The user's state changed, truly at `at`."""

    old: UserState
    new: UserState
    at: float
    cause: str


@record(frozen=True, slots=True)
class SetAgentState:
    """The agent's state changed."""

    old: AgentState
    new: AgentState
    cause: str


@record(frozen=True, slots=True)
class OpenTurn:
    """A turn of the user begins."""

    cause: Literal["speech", "push_to_talk"]


@record(frozen=True, slots=True)
class Predict:
    """Ask the turn detector about `text`; answer with `Predicted`."""

    text: str


@record(frozen=True, slots=True)
class WaitForEnd:
    """For the reader of events: the turn ends at `deadline` unless the user goes on."""

    delay: float
    deadline: float
    cause: WaitCause
    probability: float | None
    threshold: float | None


@record(frozen=True, slots=True)
class StopWaiting:
    """For the reader of events: the user went on before the deadline."""


@record(frozen=True, slots=True)
class FlushRecognizer:
    """Have the recogniser finish what it has, after so many seconds of silence."""

    silence: float = 0.0


@record(frozen=True, slots=True)
class ResetRecognizer:
    """Have the recogniser forget what it has."""


@record(frozen=True, slots=True)
class TellLesson:
    """For the reader of events: a pause of the user changed the shortest wait."""

    delay: float
    """The wait from now on."""
    lesson: Lesson


@record(frozen=True, slots=True)
class TellOverlap:
    """Speech over the agent's was judged; or the agent ended before it could be."""

    is_interruption: bool
    agent_ended: bool
    probability: float
    started_at: float


@record(frozen=True, slots=True)
class TellUntranscribed:
    """Speech was heard and nothing of it was recognised in time."""

    speech_duration: float
    started_at: float


@record(frozen=True, slots=True)
class TellExceeded:
    """The user talks longer than they may."""

    transcript: str
    """Of the open turn."""
    accumulated_transcript: str
    """Since the agent was heard last."""
    accumulated_words: int
    duration: float
    cause: LimitCause


@record(frozen=True, slots=True)
class CommitTurn:
    """The user's turn is over: answer it."""

    text: str
    confidence: float
    started_at: float | None
    ended_at: float | None
    final_at: float | None
    deadline: float | None
    cause: CommitCause
    skip_reply: bool


@record(frozen=True, slots=True)
class DiscardTurn:
    """The user's turn is forgotten."""

    text: str
    cause: DiscardCause


@record(frozen=True, slots=True)
class StartPreemptive:
    """Begin a reply to `text` before the turn is over."""

    text: str
    confidence: float


@record(frozen=True, slots=True)
class CancelPreemptive:
    """The reply that was begun early is not wanted."""


@record(frozen=True, slots=True)
class OpenGate:
    """A reply may begin to be heard."""


@record(frozen=True, slots=True)
class CloseGate:
    """A reply that may be interrupted must not begin: the user speaks."""


@record(frozen=True, slots=True)
class PauseOutput:
    """Hold the agent's speech still."""

    speech_id: str


@record(frozen=True, slots=True)
class ResumeOutput:
    """Let the agent's speech go on. `false_interruption`: there was nothing to stop for."""

    speech_id: str
    false_interruption: bool


@record(frozen=True, slots=True)
class StopOutput:
    """Silence now, and forget what is queued."""

    speech_id: str


@record(frozen=True, slots=True)
class InterruptSpeech:
    """Tell the speech to stop."""

    speech_id: str
    cause: InterruptCause


Action: TypeAlias = (
    SetTimer
    | CancelTimer
    | SetUserState
    | SetAgentState
    | OpenTurn
    | Predict
    | WaitForEnd
    | StopWaiting
    | FlushRecognizer
    | TellLesson
    | TellOverlap
    | TellUntranscribed
    | TellExceeded
    | ResetRecognizer
    | CommitTurn
    | DiscardTurn
    | StartPreemptive
    | CancelPreemptive
    | OpenGate
    | CloseGate
    | PauseOutput
    | ResumeOutput
    | StopOutput
    | InterruptSpeech
)
