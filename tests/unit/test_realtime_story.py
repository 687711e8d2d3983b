"""How the console shows a conversation by a realtime model: the session's own events, drawn."""

from __future__ import annotations

from agent_console.drawing.entries import Look, draw
from agent_console.state import ConsoleState, reduce
from agent_runtime.events import codec
from tests.support.realtime_story import record


def shown(until: float) -> list[str]:
    """The first line of each entry, at that time of the session."""
    state = ConsoleState()
    for line in record().splitlines():
        event = codec.loads(line)
        if event.time <= until:
            state = reduce(state, event)
    lines = ["".join(part for part, _ in draw(entry, Look(130))[0]) for entry in state.entries]
    return [" ".join(line.split()) for line in lines if line.strip()]


def test_the_transcript_takes_its_place_before_the_answer() -> None:
    assert shown(2.0) == ["you … 1"]
    assert shown(3.5) == ["you heard by the model 1"]
    assert shown(3.85)[0] == "you heard by the model 1"
    assert shown(3.9)[0] == "you What is the weather in Oslo? 1"


def test_tools_cuts_and_turns_are_where_they_belong() -> None:
    assert shown(20.0) == [
        "you What is the weather in Oslo? 1",
        'tool get_weather city="Oslo" <1 ms ✓',
        "agent Let me look.",
        "agent It is sunny in Oslo, with fifteen degrees and hardly any‖ wind at all. stopped by your",
        "you And tomorrow? 2",
        "agent Tomorrow brings rain.",
    ]
