"""What the turn machine knows: its states, its settings, the user's open turn, who has the floor."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agent_runtime.types import AgentState, UserState
from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.endpointing import ShortestWait
from agent_runtime.voice.words import count_words

if TYPE_CHECKING:
    from agent_runtime.voice.backchannel import InterruptionDetector


class UserTurn(Enum):
    """Where the user's turn stands."""

    LISTENING = "listening"
    """No turn is open."""
    SPEAKING = "speaking"
    """Voice is heard."""
    PAUSED = "paused"
    """Silence in an open turn, and nothing to decide on yet."""
    PREDICTING = "predicting"
    """The turn detector was asked."""
    ENDPOINTING = "endpointing"
    """The turn ends at a deadline unless the user goes on."""
    ASIDE = "aside"
    """A listener's word ("mm-hm") over the agent's speech: it is a turn only if the agent falls silent right after."""
    TALKING = "talking"
    """Push-to-talk is down: the turn ends by hand alone."""
    COMMITTING = "committing"
    """The turn was ended by hand and waits for its transcript."""
    CLOSED = "closed"
    """The session is over."""


class Floor(Enum):
    """Where the agent's speech stands."""

    OPEN = "open"
    """No speech has the floor."""
    REPLYING = "replying"
    """A speech has the floor and isn't heard: it is being made, or was heard to its end."""
    SPEAKING = "speaking"
    """It is heard."""
    HELD = "held"
    """It is paused until it is known whether the user meant to interrupt."""
    YIELDING = "yielding"
    """It was interrupted and winds up."""
    CLOSED = "closed"
    """The session is over."""


@dataclass(slots=True)
class TurnSettings:
    """What the machine has to know of options and devices. Seconds. May change at any time."""

    detection: Literal["vad", "stt", "manual", "realtime_llm"] = "vad"
    has_vad: bool = True
    has_stt: bool = True
    has_detector: bool = False
    model_hears: bool = False
    """Whether a realtime model hears the user: a turn needs no transcript."""
    min_delay: float = 0.5
    max_delay: float = 3.0
    dynamic: bool = False
    """Whether the shortest wait is learned from the user's pauses."""
    alpha: float = 0.9
    min_duration: float = 0.5
    min_words: int = 0
    can_pause: bool = False
    """Whether the output can pause and a false interruption is to be resumed."""
    judge: InterruptionDetector | None = None
    """Tells interruptions from listeners' words; None: all speech interrupts."""
    boundary: tuple[float, float] = (1.0, 1.0)
    """At the start and the end of the agent's speech, this long, a listener's word counts as speech."""
    false_interruption_timeout: float | None = 2.0
    preemptive: bool = True
    preemptive_max_speech: float = 10.0
    preemptive_max_retries: int = 3
    away_timeout: float | None = 15.0
    aec_warmup: float = 0.0
    max_words: int | None = None
    max_seconds: float | None = None
    transcription_timeout: float | None = None
    flush_at_silence: bool = False
    """Whether the recogniser gains by being told when the VAD hears silence."""


@dataclass(slots=True)
class OpenTurn:
    """What is known of the user's turn so far. Times are on the session's clock."""

    open: bool = False
    text: str = ""
    """The finals."""
    interim: str = ""
    """What may still change."""
    preflight: str = ""
    """The transcript at the last preflight."""
    confidences: list[float] = field(default_factory=list)
    started_at: float | None = None
    ended_at: float | None = None
    """Its last voiced frame so far."""
    final_at: float | None = None
    """When the last final came."""
    deadline: float | None = None
    delayed: bool = False
    """Whether the turn detector thought that the user isn't done."""
    preemptive_attempts: int = 0
    commit: i.CommitRequested | None = None

    @property
    def transcript(self) -> str:
        """Everything recognised, what may still change included."""
        return f"{self.text} {self.interim}".strip()

    @property
    def confidence(self) -> float:
        """The mean of the finals', 0 without one."""
        return sum(self.confidences) / len(self.confidences) if self.confidences else 0.0


@dataclass(slots=True)
class Overlap:
    """Speech of the user over the agent's that is judged."""

    started_at: float
    voiced: float = 0.0
    """Seconds of voice so far."""
    told: bool | None = None
    """The verdict that was told last."""


@dataclass(slots=True)
class Talk:
    """What the user said since the agent was heard last, over all their turns."""

    started_at: float | None = None
    heard_until: float = 0.0
    """When the agent fell silent."""
    text: str = ""
    words: int = 0
    told: bool = False
    """Whether the segment that is being recognised exceeded a limit."""


@dataclass(slots=True)
class Untranscribed:
    """Voice of the open turn, as long as no word of it is recognised."""

    since: float
    seconds: float = 0.0


class TurnMemory:
    """See the module. The halves of the machine (`user_half`, `floor_half`) share it."""

    def __init__(self, settings: TurnSettings) -> None:
        self.settings = settings
        self.user = UserTurn.LISTENING
        self.floor = Floor.OPEN
        self.turn = OpenTurn()
        self.user_state: UserState = "listening"
        self.agent_state: AgentState = "initializing"
        self.holder: str | None = None
        """The speech that has the floor."""
        self.interruptible = True
        """Whether the holder may be interrupted."""
        self.warming = False
        """Whether echo cancellation still settles: the agent can't be interrupted by voice."""
        self.warmed = False
        self.wait = ShortestWait(settings)
        self.heard_since = 0.0
        """When the agent began to be heard, the last time."""
        self.overlap: Overlap | None = None
        self.talk = Talk()
        self.calls_run_on = False
        """Tool calls run in the background: the user's silence is that of somebody who waits."""
        self.untranscribed: Untranscribed | None = None
        self.voice_since: float | None = None
        """When the voice that is heard now began."""
        self.resume_when_settled = False
        """A held speech goes on if the decision about the user's turn comes to nothing."""
        self.now = 0.0
        """The time of the input that is being worked on."""
        self._timers: set[i.TimerName] = set()
        self._out: list[i.Action] = []
        self._raised: deque[i.Input] = deque()

    @property
    def discards_audio(self) -> bool:
        """Whether what the microphone hears now must not be recognised: it may be the agent's own echo."""
        return self.warming and self.floor is Floor.SPEAKING

    @property
    def deciding(self) -> bool:
        """Whether the end of the user's turn is being decided."""
        return self.user in (UserTurn.PREDICTING, UserTurn.ENDPOINTING)

    def act(self, action: i.Action) -> None:
        """Have it done, after what was asked for before."""
        self._out.append(action)

    def raise_(self, event: i.Input) -> None:
        """Have it worked on after the present input."""
        self._raised.append(event)

    def set_timer(self, name: i.TimerName, at: float) -> None:
        """`TimerFired(name)` at `at`, instead of when it was set to before."""
        self._timers.add(name)
        self.act(i.SetTimer(name, at))

    def cancel_timer(self, name: i.TimerName) -> bool:
        """No `TimerFired(name)`. Whether it was set."""
        if name not in self._timers:
            return False
        self._timers.discard(name)
        self.act(i.CancelTimer(name))
        return True

    def cancel_all_timers(self) -> None:
        """No timer fires any more."""
        for name in sorted(self._timers):
            self.cancel_timer(name)

    def set_user_state(self, new: UserState, at: float, cause: str) -> None:
        """The user's state is `new`, truly since `at`."""
        if new != self.user_state:
            self.act(i.SetUserState(self.user_state, new, at, cause))
            self.user_state = new
            self.watch_presence()

    def set_agent_state(self, new: AgentState, cause: str) -> None:
        """The agent's state is `new`."""
        if new == self.agent_state:
            return
        if new == "speaking":
            self.heard_since, self.talk = self.now, Talk()
            self.wait.agent_starts(self.now)
        elif self.agent_state == "speaking":
            self.wait.agent_ends(self.now)
            self.talk.heard_until = self.now
        self.act(i.SetAgentState(self.agent_state, new, cause))
        self.agent_state = new
        self.watch_presence()

    def watch_presence(self) -> None:
        """While nobody speaks, thinks or works in the background, count the time until the user is away."""
        timeout = self.settings.away_timeout
        silent = self.user_state == "listening" and self.agent_state == "listening" and not self.calls_run_on
        if timeout is not None and silent:
            self.set_timer("away", self.now + timeout)
        else:
            self.cancel_timer("away")

    @property
    def voice_counts(self) -> bool:
        """Whether the speech that has the floor can be stopped by voice at all, at this moment."""
        return self.interruptible and not self.warming and self.settings.detection not in ("manual", "realtime_llm")

    def voice_may_interrupt(self) -> bool:
        """Whether the user's voice may stop the speech that has the floor, as far as is known now."""
        s = self.settings
        if not self.voice_counts:
            return False
        return not (s.has_stt and s.min_words > 0 and count_words(self.turn.transcript) < s.min_words)

    # --- speech over the agent's -------------------------------------------------------------------------------------

    def begin_overlap(self, at: float) -> None:
        """The user speaks since `at`; if it is over the agent's speech and not at its start, it is judged."""
        s = self.settings
        self.overlap = None
        over_agent = self.floor is Floor.SPEAKING and at > self.heard_since + s.boundary[0]
        if s.judge is not None and over_agent and self.voice_counts:
            self.overlap = Overlap(at)

    def interruption_probability(self, voiced: float | None = None) -> float:
        """How likely the user means to stop the agent; 1 where nobody judges."""
        judge, overlap = self.settings.judge, self.overlap
        if judge is None or overlap is None:
            return 1.0
        return judge.probability(self.turn.transcript, overlap.voiced if voiced is None else voiced)

    def wants_floor(self, voiced: float | None = None) -> bool:
        """Whether the user means to stop the agent, as far as is known."""
        judge = self.settings.judge
        return judge is None or self.interruption_probability(voiced) >= judge.threshold

    def tell_overlap(self, is_interruption: bool, *, agent_ended: bool = False) -> None:
        """Have the verdict told, unless it is the one that was told last."""
        overlap = self.overlap
        if overlap is not None and overlap.told is not is_interruption:
            overlap.told = is_interruption
            probability = self.interruption_probability()
            self.act(i.TellOverlap(is_interruption, agent_ended, probability, overlap.started_at))

    def end_overlap(self, *, answer: bool) -> None:
        """The agent is heard no more. `answer`: what was said just now may be an answer to it."""
        if self.overlap is not None and self.overlap.told is None and self.user is UserTurn.SPEAKING:
            self.tell_overlap(False, agent_ended=True)
        self.overlap = None
        if answer and self.user is UserTurn.ASIDE:
            self.raise_(i.AgentFellSilent())


Guard: TypeAlias = Callable[[Any, Any], bool]
"""Answers a question about an input; takes the machine and the input, and changes nothing."""
Step: TypeAlias = Callable[[Any, Any], None]
"""Notes something or asks for an action; takes the machine and the input, and never changes the state."""


def timer(name: i.TimerName) -> Guard:
    """The guard that holds for that timer."""

    def fired(memory: TurnMemory, event: i.TimerFired) -> bool:
        return event.name == name

    fired.__name__ = f"timer {name}"
    return fired
