"""The shortest wait after the user's last word, fixed or learned from how long this user pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from agent_runtime.records import record

if TYPE_CHECKING:
    from agent_runtime.voice.turn_memory import TurnSettings

LearnedFrom: TypeAlias = Literal["pause", "early_interruption"]

SAME_INSTANT: Final = 0.25
"""Seconds between two onsets that count as one: a voice begins with a little silence, so who speaks this soon after the
agent hasn't heard it yet (as LiveKit Agents has it)."""


@record(frozen=True, slots=True)
class Lesson:
    """A pause of the user changed the wait."""

    pause: float
    """Seconds that the user paused."""
    source: LearnedFrom
    """`pause`: between two stretches of speech. `early_interruption`: the agent had begun to speak in it."""


class ShortestWait:
    """Follows who speaks when; `delay` is the wait in force. Times are seconds on the session's clock.

    In `dynamic` mode a pause moves the wait by a moving average, `alpha * wait + (1 - alpha) * pause`, kept between
    `min_delay` and `max_delay`. Two kinds of pause teach: one between two stretches of speech without the agent in
    between, and one that the agent took for the end of the turn when the user went on at once, after hearing it for no
    longer than the wait. The rule is that of LiveKit Agents' `DynamicEndpointing`, but a pause longer than `max_delay`
    teaches nothing: that was the end of a turn.
    """

    def __init__(self, settings: TurnSettings) -> None:
        self._settings = settings
        self._learned: float | None = None
        self._user_since: float | None = None
        """When the present or last stretch of speech began."""
        self._user_until: float | None = None
        """When the stretch before it ended; None: nothing is to be learned from what follows."""
        self._user_speaks = False
        self._agent_since: float | None = None
        self._agent_until: float | None = None

    @property
    def delay(self) -> float:
        """The shortest wait in force."""
        s = self._settings
        if not s.dynamic or self._learned is None:
            return s.min_delay
        return min(max(self._learned, s.min_delay), s.max_delay)

    def user_starts(self, at: float) -> None:
        """The user is heard since `at`."""
        if not self._user_speaks:
            self._user_since, self._user_speaks = at, True

    def agent_starts(self, at: float) -> None:
        """The agent is heard since `at`."""
        self._agent_since, self._agent_until = at, None
        if self._user_speaks:
            # It speaks over the user: the pause before tells nothing of when the user is done.
            self._user_until = None

    def agent_ends(self, at: float) -> None:
        """The agent isn't heard any more. Its times are kept until the user has spoken again."""
        self._agent_until = at

    def user_ends(self, at: float, *, meant: bool | None = None) -> Lesson | None:
        """The user fell silent at `at`; tells what that taught.

        `meant` False: what they said over the agent was no attempt to take the turn, which teaches nothing; None:
        nobody judged.
        """
        if not self._user_speaks or self._user_since is None:
            return None
        self._user_speaks = False
        if meant is False and not self._began_together(self._user_since):
            self._user_until = None
            return None
        lesson = self._learn(self._user_since) if self._settings.dynamic else None
        self._user_until = at
        if self._agent_until is not None:
            self._agent_since = self._agent_until = None
        return lesson

    def _began_together(self, since: float) -> bool:
        return self._agent_since is not None and abs(since - self._agent_since) < SAME_INSTANT

    def _learn(self, since: float) -> Lesson | None:
        if self._user_until is None or not 0 < (pause := since - self._user_until) <= self._settings.max_delay:
            return None
        if self._agent_since is None:
            return self._average(pause, "pause")
        in_pause = self._user_until < self._agent_since < since
        over_agent = self._agent_until is None or since <= self._agent_until
        if in_pause and over_agent and since - self._agent_since <= self.delay:
            return self._average(pause, "early_interruption")
        return None

    def _average(self, pause: float, source: LearnedFrom) -> Lesson:
        alpha = self._settings.alpha
        self._learned = alpha * self.delay + (1 - alpha) * pause
        return Lesson(pause, source)
