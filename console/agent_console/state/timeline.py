"""A turn's wait as stages: what was waited for, for how long, and which setting caused it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agent_console.state.model import Loading
from agent_console.state.turns import Countdown, Turn
from agent_runtime.events import PartName, TurnPart
from agent_runtime.records import record


@record(frozen=True, slots=True)
class Stage:
    """A stretch of a turn's wait."""

    name: str
    """As in `TurnPart`."""
    start: float
    end: float
    cause: str
    """The setting, tool or provider that it waited for, and what decided."""
    is_open: bool = False
    """It is what the user waits for now."""

    @property
    def seconds(self) -> float:
        """How long it took, or takes so far."""
        return self.end - self.start


def stages(turn: Turn, now: float) -> tuple[Stage, ...]:
    """The turn's wait up to `now`, its parts without a gap: they add up to the whole."""
    found = [Stage(part.name, part.start, part.end, explain(part, turn)) for part in turn.parts]
    since = turn.end
    waited = turn.audible_at is None and not turn.is_measured and turn.given_up_at is None
    countdown = final_countdown(turn)
    if waited and countdown is not None and turn.committed_at is None and not turn.parts:
        since = countdown.speech_ended
    if waited and since is not None and now > since:
        name, setting = _awaited(turn, now)
        part = TurnPart(name, since, now, setting)
        found.append(Stage(name, since, now, explain(part, turn), is_open=True))
    return tuple(found)


_LOADED_FOR: Final = {"tts": "tts", "llm": "llm", "transcription": "stt", "endpointing": "turn_detector"}
"""Which model a stage waits for."""


def with_loading(parts: Sequence[Stage], loading: Sequence[Loading]) -> tuple[Stage, ...]:
    """The same; of what is waited for now it says so if its model is still being loaded."""
    if not parts or not parts[-1].is_open:
        return tuple(parts)
    last = parts[-1]
    model = next((item for item in loading if item.part == _LOADED_FOR.get(last.name) and item.fraction < 1), None)
    if model is None or model.error is not None:
        return tuple(parts)
    return (*parts[:-1], replace(last, cause=f"{last.cause or model.name} · is being loaded"))


def _awaited(turn: Turn, now: float) -> tuple[PartName, str | None]:
    """What the user waits for now, and on whose account."""
    running = [tool.name for tool in turn.tools if tool.end is None]
    countdown = final_countdown(turn)
    if turn.committed_at is None and countdown is not None:
        late = now > countdown.deadline and (turn.final_at is None or turn.final_at < countdown.speech_ended)
        return ("transcription", None) if late else ("endpointing", f"endpointing.{countdown.why or 'min_delay'}")
    if running:
        return "tools", ", ".join(dict.fromkeys(running))
    if turn.waiting_for_voice:
        return "tts", turn.voice or None
    if turn.parts and turn.parts[-1].name == "tts":
        return "playout", None
    return "llm", turn.model or None


# --- why --------------------------------------------------------------------------------------------------------------

_ENDED_BY: Final = {
    "stt": "turn_detection stt: the recogniser said that you were done",
    "manual": "commit_user_turn: the agent's code ended your turn",
    "api": "commit_user_turn: the agent's code ended your turn",
    "push_to_talk": "push-to-talk: you sent it",
    "text": "you typed it",
    "close": "the session closed",
}
_FLOOR: Final = {
    "another_speech": "another speech of the agent was being heard",
    "min_consecutive_speech_delay": "min_consecutive_speech_delay: a pause after the speech before",
    "user_speaking": "you were heard: the agent let you finish",
}


def explain(part: TurnPart, turn: Turn) -> str:
    """What a stretch waited for: the setting that would change it first."""
    setting = part.setting or ""
    if part.name == "endpointing":
        return _explain_endpointing(setting, turn)
    if part.name == "transcription":
        return f"stt {setting}: its last words came after the wait was over".replace("stt :", "stt:")
    if part.name == "hook":
        return f"{setting or 'on_user_turn_completed'}: the agent's own code"
    if part.name == "tools":
        return f"tool {setting}" if setting else "tools"
    if part.name == "llm_sentence":
        return f"llm {setting}: speech begins with a whole sentence".replace("llm :", "llm:")
    if part.name == "floor":
        return _FLOOR.get(setting, setting)
    if part.name == "playout":
        return "the speaker's buffer"
    return f"{part.name} {setting}".rstrip()


def _explain_endpointing(setting: str, turn: Turn) -> str:
    if setting in _ENDED_BY:
        return _ENDED_BY[setting]
    countdown = final_countdown(turn)
    if countdown is None:
        return setting
    return f"{setting} {countdown.delay:.2f} s{_certainty(countdown)}"


def _certainty(countdown: Countdown) -> str:
    if countdown.probability is None or countdown.threshold is None:
        return ""
    numbers = f" · turn detector {countdown.probability:.2f}"
    if countdown.probability >= countdown.threshold:
        return f"{numbers} ≥ {countdown.threshold:.2f}: you seemed done"
    return f"{numbers} < {countdown.threshold:.2f}: you might go on"


def final_countdown(turn: Turn) -> Countdown | None:
    """The countdown that ended the turn, or runs."""
    return turn.countdowns[-1] if turn.countdowns and turn.countdowns[-1].cancelled_at is None else None


def worst(parts: Sequence[Stage]) -> Stage | None:
    """The longest stage, if it isn't the only one."""
    return max(parts, key=lambda stage: stage.seconds) if len(parts) > 1 else None
