"""What the turn machine knows: its states, its settings, the user's open turn, who has the floor."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, TypeAlias

from agent_runtime.types import AgentState, UserState
from agent_runtime.voice import turn_inputs as i

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['\u2019][^\W_]+)*")


def count_words(text: str) -> int:
    """Words in `text`; in Chinese, Japanese and Korean each character counts as one."""
    return len(_WORD.findall(text))


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
    min_delay: float = 0.5
    max_delay: float = 3.0
    min_duration: float = 0.5
    min_words: int = 0
    can_pause: bool = False
    """Whether the output can pause and a false interruption is to be resumed."""
    false_interruption_timeout: float | None = 2.0
    preemptive: bool = True
    preemptive_max_speech: float = 10.0
    preemptive_max_retries: int = 3
    away_timeout: float | None = 15.0
    aec_warmup: float = 0.0


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
        if new != self.agent_state:
            self.act(i.SetAgentState(self.agent_state, new, cause))
            self.agent_state = new
            self.watch_presence()

    def watch_presence(self) -> None:
        """While nobody speaks or thinks, count the time until the user is away."""
        timeout = self.settings.away_timeout
        if timeout is not None and self.user_state == "listening" and self.agent_state == "listening":
            self.set_timer("away", self.now + timeout)
        else:
            self.cancel_timer("away")

    def voice_may_interrupt(self) -> bool:
        """Whether the user's voice may stop the speech that has the floor, as far as is known now."""
        s = self.settings
        if not self.interruptible or self.warming or s.detection in ("manual", "realtime_llm"):
            return False
        return not (s.has_stt and s.min_words > 0 and count_words(self.turn.transcript) < s.min_words)


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
