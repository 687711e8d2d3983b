"""What another setting would have saved in this session, counted on the turns that there were."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from agent_console.state.turns import Turn
from agent_runtime.records import record

TURNS_WEIGHED: Final = 200
"""Turns back from the newest that are looked at."""
STEP: Final = 0.1
"""Seconds between two delays that are tried."""
SHORTEST: Final = 0.2
"""Seconds below which no delay is tried: a breath is as long."""
CUT_COST: Final = 2.0
"""Seconds that a saved wait has to be worth if it would have cut somebody short once."""
WORTH_TELLING: Final = 0.05
"""Seconds, on average over the turns that it changes, below which a change isn't told."""


@record(frozen=True, slots=True)
class Saving:
    """What a change would have done."""

    setting: str
    value: float | None
    """The delay that was tried; None for what would only have to be faster."""
    now: float
    """The delay that was in use, or the median time that it took."""
    seconds: float
    """Saved on average on the turns that it changes."""
    turns: int
    of: int
    cuts: int = 0
    """Turns on which the user went on later than that, and would have been cut short."""

    @property
    def worth(self) -> float:
        """Seconds of the session, less what the cuts would have cost."""
        return self.seconds * self.turns - CUT_COST * self.cuts


def savings(turns: Sequence[Turn]) -> list[Saving]:
    """Settings to change before parts to replace, and of each what would have saved the most first.

    `turns` are those of a session; the newest `TURNS_WEIGHED` count.
    """
    answered = [turn for turn in turns[-TURNS_WEIGHED:] if turn.is_measured]
    found = [_delay(name, answered) for name in ("min_delay", "max_delay")]
    found += _others(answered)
    told = [saving for saving in found if saving is not None and saving.seconds >= WORTH_TELLING and saving.worth > 0]
    return sorted(told, key=lambda saving: (saving.value is None, -saving.worth))


def _delay(name: str, turns: Sequence[Turn]) -> Saving | None:
    """The best other value of an endpointing delay."""
    setting = f"endpointing.{name}"
    waited = [turn for turn in turns if turn.committed_by == setting and _delays(name, [turn])]
    if not waited:
        return None
    now = median(_delays(name, waited))
    # Who seems not to be done is given at least as long as who seems to be.
    lowest = max(SHORTEST, median(_delays("min_delay", turns)) if name == "max_delay" else SHORTEST)
    tries = (round(step * STEP, 1) for step in range(1, int(now / STEP) + 1))
    options = [_try_delay(setting, value, now, waited, turns) for value in tries if lowest <= value < now - STEP / 2]
    return max(options, key=lambda saving: saving.worth, default=None)


def _delays(why: str, turns: Sequence[Turn]) -> list[float]:
    return [countdown.delay for turn in turns for countdown in turn.countdowns if countdown.why == why]


def _try_delay(setting: str, value: float, now: float, waited: Sequence[Turn], turns: Sequence[Turn]) -> Saving:
    saved = [seconds for turn in waited if (seconds := saved_by_delay(turn, value)) >= 0.005]
    cuts = sum(would_have_cut(turn, setting.rpartition(".")[2], value) for turn in turns)
    return Saving(setting, value, now, sum(saved) / len(saved) if saved else 0.0, len(saved), len(turns), cuts)


def saved_by_delay(turn: Turn, delay: float) -> float:
    """Seconds that the turn's answer would have come earlier.

    The words have to be there all the same, and a reply that was begun during the wait can't be heard before its model
    has begun to give it.
    """
    if turn.start is None or turn.committed_at is None:
        return 0.0
    earliest = max(turn.start + delay, turn.final_at if turn.final_at is not None else turn.start)
    earliest = min(earliest, turn.committed_at)
    ready = turn.first_token_at if turn.first_token_at is not None else turn.start
    return (
        max(turn.committed_at, ready) - max(earliest, ready)
        if ready <= turn.committed_at
        else (turn.committed_at - earliest)
    )


def would_have_cut(turn: Turn, why: str, delay: float) -> bool:
    """Whether the user went on in this turn after a silence longer than `delay` that was waited out for `why`."""
    return any(
        countdown.why == why
        and countdown.cancelled_at is not None
        and countdown.cancelled_at - countdown.speech_ended > delay
        for countdown in turn.countdowns
    )


def _others(turns: Sequence[Turn]) -> list[Saving]:
    """Tools, hooks and providers by name: how much of the wait was theirs."""
    times: dict[str, dict[str, float]] = {}
    for turn in turns:
        for part in turn.parts:
            name = _who(part.name, part.setting)
            if name:
                mine = times.setdefault(name, {})
                mine[turn.turn_id] = mine.get(turn.turn_id, 0.0) + part.end - part.start
    return [
        Saving(name, None, median(mine.values()), sum(mine.values()) / len(mine), len(mine), len(turns))
        for name, mine in times.items()
    ]


FLOOR: Final = {
    "another_speech": "a speech before",
    "min_consecutive_speech_delay": "min_consecutive_speech_delay",
    "user_speaking": "letting you finish",
}
"""What an answer that was ready had to wait for."""


def _who(part: str, setting: str | None) -> str:
    if part == "tools":
        return f"tool {setting}" if setting else "tools"
    if part == "hook":
        return setting or "on_user_turn_completed"
    if part == "floor":
        return FLOOR.get(setting or "", "")
    if part == "playout":
        return "the speaker's buffer"
    kind = {"llm": "llm", "llm_sentence": "llm", "tts": "tts", "transcription": "stt"}.get(part)
    return f"{kind} {setting or ''}".rstrip() if kind else ""


def median(values: Iterable[float]) -> float:
    """The middle one, the lower of two, 0.0 of none; the standard library's own costs a slow import."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] if ordered else 0.0
