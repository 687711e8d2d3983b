"""A turn's wait as stages that add up, with their causes; what other settings would have saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_console.drawing import timeline as drawing
from agent_console.drawing.text import line_width
from agent_console.state import ConsoleState, Loading, Turn, reduce_all, turn_of
from agent_console.state.advice import savings
from agent_console.state.budgets import Budgets
from agent_console.state.percentiles import Histogram
from agent_console.state.timeline import Stage, stages, with_loading
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event, EventData, TurnPart
from tests.support.conversation import STORIES

TIMES = st.floats(0, 100, allow_nan=False).map(lambda value: round(value, 3))
NAMES = ("endpointing", "transcription", "hook", "llm", "tools", "llm_sentence", "tts", "playout")


def events(*told: tuple[float, EventData, str | None], turn: str = "turn-1") -> list[AnyEvent]:
    return [Event(n, time, "s", turn, cause, data) for n, (time, data, cause) in enumerate(told, start=1)]


def turn_after(*told: tuple[float, EventData, str | None]) -> Turn:
    turn = turn_of(reduce_all(ConsoleState(), events(*told)).turns, "turn-1")
    assert turn is not None
    return turn


def assert_adds_up(parts: tuple[Stage, ...]) -> None:
    for before, after in pairwise(parts):
        assert before.end == after.start
    assert all(part.seconds >= 0 for part in parts)
    if parts:
        assert sum(part.seconds for part in parts) == pytest.approx(parts[-1].end - parts[0].start)


# --- any sequence of events -------------------------------------------------------------------------------------------


@st.composite
def anything(draw: st.DrawFn) -> EventData:
    """Any event that tells of a turn's time, however little sense it makes there."""
    makers: list[Callable[[], EventData]] = [
        lambda: ev.TurnStarted(1),
        lambda: ev.UserTranscribed("a", draw(st.booleans())),
        lambda: ev.EndpointingStarted(draw(TIMES), draw(TIMES), 0.4, 0.5),
        ev.EndpointingCancelled,
        lambda: ev.TurnCommitted("a", draw(st.none() | TIMES)),
        lambda: ev.HookFinished("on_user_turn_completed", 0.1),
        lambda: ev.LLMStarted("s", "model", 0),
        lambda: ev.LLMFirstToken("s", 0.1),
        lambda: ev.ToolStarted(draw(st.sampled_from("ab")), "tool", "{}"),
        lambda: ev.ToolFinished(draw(st.sampled_from("ab")), "tool", "", False, 0.1),
        lambda: ev.TTSStarted("s", "voice"),
        lambda: ev.TTSFirstByte("s", 0.1),
        lambda: ev.PlayoutStarted("s"),
        lambda: ev.LoopBlocked(0.3, "a.py", 1, ""),
        lambda: ev.EndpointingLearned(0.4, 0.3),
        lambda: ev.OverlappingSpeech(draw(st.booleans()), 0.7, 0.5, 1.0, 0.4),
        lambda: ev.TranscriptionTimedOut(1.0, 0.5),
        lambda: ev.PlayoutFinished("s", 1.0, False),
        lambda: measured(draw(TIMES), *draw(st.lists(st.tuples(st.sampled_from(NAMES), TIMES), max_size=5))),
    ]
    return draw(st.sampled_from(makers))()


def measured(start: float, *parts: tuple[str, float], setting: str | None = None) -> ev.TurnMeasured:
    found, at = [], start
    for name, seconds in parts:
        found.append(TurnPart(name, at, at + seconds, setting))  # type: ignore[arg-type]
        at += seconds
    return ev.TurnMeasured(start, at, tuple(found))


@given(
    st.lists(st.tuples(TIMES, anything(), st.sampled_from(["text", "endpointing.min_delay", None])), max_size=12),
    st.sampled_from(["speech", "text", "generate_reply"]),
    TIMES,
)
def test_stages_add_up_whatever_happens(
    told: list[tuple[float, EventData, str | None]], cause: str, later: float
) -> None:
    told = [(0.0, ev.TurnStarted(1), cause), *sorted(told, key=lambda item: item[0])]
    for count in range(1, len(told) + 1):
        turn = turn_after(*told[:count])
        now = told[count - 1][0] + later
        parts = stages(turn, now)
        assert_adds_up(parts)
        drawing.waterfall(turn, parts, now, 40, Budgets())


@given(st.lists(st.sampled_from(list(STORIES)), min_size=1, max_size=1), st.data())
def test_stages_of_the_stories_add_up_at_every_moment(story: list[str], data: st.DataObject) -> None:
    recorded = STORIES[story[0]]().events
    count = data.draw(st.integers(1, len(recorded)))
    state = reduce_all(ConsoleState(), recorded[:count])
    for turn in state.turns:
        assert_adds_up(stages(turn, state.now))


def test_a_measured_turn_has_the_runtimes_own_parts() -> None:
    state = reduce_all(ConsoleState(), STORIES["speaking"]().events)
    turn, latency = state.turns.last, state.latencies.last
    assert turn is not None
    assert latency is not None
    assert turn.parts == latency.parts
    assert turn.total == pytest.approx(latency.total)


# --- a live turn ------------------------------------------------------------------------------------------------------

SPOKEN = (
    (1.0, ev.TurnStarted(1), "speech"),
    (2.4, ev.EndpointingStarted(0.5, 2.5, 0.83, 0.5), "min_delay"),
)
COMMITTED = (*SPOKEN, (2.5, ev.TurnCommitted("hello", 2.0), "endpointing.min_delay"))


def named(turn: Turn, now: float) -> list[tuple[str, float]]:
    return [(part.name, round(part.seconds, 3)) for part in stages(turn, now)]


def test_the_wait_for_the_end_of_the_turn_grows_and_names_its_setting() -> None:
    (part,) = stages(turn_after(*SPOKEN), 2.3)
    assert (part.name, round(part.seconds, 3), part.is_open) == ("endpointing", 0.3, True)
    assert part.cause == "endpointing.min_delay 0.50 s · turn detector 0.83 ≥ 0.50: you seemed done"


def test_a_detector_that_is_not_sure_is_told() -> None:
    unsure = (2.4, ev.EndpointingStarted(3.0, 5.0, 0.2, 0.5), "max_delay")
    (part,) = stages(turn_after(SPOKEN[0], unsure), 3.0)
    assert part.cause == "endpointing.max_delay 3.00 s · turn detector 0.20 < 0.50: you might go on"


def test_a_wait_that_was_called_off_is_over() -> None:
    assert stages(turn_after(*SPOKEN, (2.45, ev.EndpointingCancelled(), None)), 2.6) == ()


def test_a_turn_is_followed_to_the_first_sound() -> None:
    turn = turn_after(*COMMITTED, (2.6, ev.HookFinished("on_user_turn_completed", 0.1), None))
    assert named(turn, 2.7) == [("endpointing", 0.5), ("hook", 0.1), ("llm", 0.1)]
    told: list[tuple[float, EventData, str | None]] = [
        *COMMITTED,
        (2.5, ev.LLMStarted("s", "small", 0), None),
        (2.7, ev.LLMFirstToken("s", 0.2), None),
        (2.7, ev.ToolStarted("c", "get_weather", "{}"), None),
    ]
    assert named(turn_after(*told), 3.0) == [("endpointing", 0.5), ("llm", 0.2), ("tools", 0.3)]
    assert stages(turn_after(*told), 3.0)[-1].cause == "tool get_weather"
    told += [
        (3.1, ev.ToolFinished("c", "get_weather", "4", False, 0.4), None),
        (3.3, ev.TTSStarted("s", "heart"), None),
        (3.4, ev.TTSFirstByte("s", 0.1), None),
    ]
    assert named(turn_after(*told), 3.45)[-3:] == [("llm_sentence", 0.2), ("tts", 0.1), ("playout", 0.05)]
    told += [(3.5, ev.PlayoutStarted("s"), None)]
    assert turn_after(*told).total == pytest.approx(1.5)
    assert stages(turn_after(*told), 9.0)[-1].end == 3.5


def test_an_answer_that_was_only_written_was_not_heard_for_any_time() -> None:
    def heard(seconds: float) -> bool:
        turn = turn_after(
            *COMMITTED,
            (3.5, ev.PlayoutStarted("s"), None),
            (3.5 + seconds, ev.PlayoutFinished("s", seconds, False), None),
        )
        lines = drawing.waterfall(turn, stages(turn, 9.0), 9.0, 60, Budgets())
        return any("agent heard" in text for line in lines for text, _ in line)

    assert heard(2.0)
    assert not heard(0.0)


def test_what_waits_for_a_model_that_is_being_loaded_says_so() -> None:
    told = (*COMMITTED, (2.6, ev.LLMStarted("s", "small", 0), None))
    parts, loading = stages(turn_after(*told), 4.0), [Loading("llm", "small.gguf", 0.4)]
    assert with_loading(parts, loading)[-1].cause == "llm small · is being loaded"
    assert with_loading(parts, [replace(loading[0], fraction=1.0)]) == parts
    assert with_loading(parts, [replace(loading[0], part="tts")]) == parts
    assert with_loading((), loading) == ()


def test_nobody_waits_for_an_agent_that_speaks_up() -> None:
    def drawn(by: str) -> str:
        told = [
            (1.0, ev.TurnStarted(1), by),
            (1.0, ev.TurnCommitted("", 1.0), None),
            (1.1, ev.TTSStarted("s", "v"), None),
        ]
        turn = turn_after(*told, (9.0, ev.TTSFirstByte("s", 7.9), None), (9.1, ev.PlayoutStarted("s"), None))
        parts = stages(turn, 9.5)
        lines = [
            *drawing.waterfall(turn, parts, 9.5, 60, Budgets()),
            drawing.turn_title(turn, 8.1, Budgets(), selected=False),
        ]
        return "\n".join("".join(text for text, _ in line) for line in lines)

    assert drawn("text").count("✗") == 2
    assert "over the budget" in drawn("text")
    assert "✗" not in drawn("say")
    assert "budget" not in drawn("say")
    assert "8.10" in drawn("say")


def test_an_early_reply_does_not_end_the_wait() -> None:
    turn = turn_after(*SPOKEN, (2.3, ev.LLMFirstToken("s", 0.2), None), COMMITTED[-1])
    assert named(turn, 2.5) == [("endpointing", 0.5)]
    assert turn.first_token_at == 2.3


def test_tools_are_named_in_a_measured_turn() -> None:
    turn = turn_after(
        *COMMITTED,
        (2.6, ev.ToolStarted("c", "get_weather", "{}"), None),
        (2.9, ev.ToolFinished("c", "get_weather", "4", False, 0.3), None),
        (3.0, measured(2.0, ("endpointing", 0.5), ("tools", 0.4), ("playout", 0.1)), None),
    )
    assert [part.cause for part in stages(turn, 3.0)][1] == "tool get_weather"


def test_a_call_that_blocks_is_named_while_it_does() -> None:
    stalled = (2.6, ev.LoopStalled(0.08, "/home/you/agent.py", 58, ""), None)
    assert turn_after(*COMMITTED, stalled).stalled_by == "agent.py:58"
    over = (3.1, ev.LoopBlocked(0.6, "/home/you/agent.py", 58, ""), None)
    turn = turn_after(*COMMITTED, stalled, over)
    assert (turn.stalled_by, turn.blocks) == ("", (("agent.py:58", 0.6),))


def test_a_call_that_blocked_is_named_in_its_turn() -> None:
    blocked = (2.6, ev.LoopBlocked(0.37, "/home/you/agent.py", 58, ""), None)
    turn = turn_after(*COMMITTED, blocked, (3.0, measured(2.0, ("endpointing", 0.5), ("llm", 0.5)), None))
    text = [
        "".join(part for part, _ in line) for line in drawing.waterfall(turn, stages(turn, 3.0), 3.0, 50, Budgets())
    ]
    (line,) = [line for line in text if "agent.py:58 blocked the agent" in line]
    assert "0.37 s" in line


def test_what_was_learnt_and_judged_in_a_turn_stands_below_it() -> None:
    turn = turn_after(
        *COMMITTED,
        (2.6, ev.EndpointingLearned(0.42, 0.31), "pause"),
        (2.7, ev.OverlappingSpeech(True, 0.72, 0.5, 2.5, 0.2), "length"),
        (3.0, measured(2.0, ("endpointing", 0.5), ("llm", 0.5)), None),
    )
    text = "\n".join(
        "".join(part for part, _ in line) for line in drawing.waterfall(turn, stages(turn, 3.0), 3.0, 200, Budgets())
    )
    assert "· endpointing.min_delay is now 0.42 s" in text
    assert "· you spoke over the agent: an interruption, 0.72 ≥ 0.50" in text


def test_remarks_stand_below_a_turn_that_waits_for_nothing_too() -> None:
    turn = turn_after(SPOKEN[0], (1.5, ev.UserTurnExceeded("…", 52, 12.0), "max_words"))
    text = ["".join(part for part, _ in line) for line in drawing.waterfall(turn, (), 1.6, 200, Budgets())]
    assert text[0].startswith("you are speaking")
    assert "52 words" in text[1]


# --- what would have saved time --------------------------------------------------------------------------------------


def waited(number: int, delay: float = 0.5, *, pause: float | None = None, final: float = 0.1) -> Turn:
    """A turn that ended by min_delay; with a pause of that length in it before."""
    told: list[tuple[float, EventData, str | None]] = [(0.0, ev.TurnStarted(number), "speech")]
    if pause is not None:
        told += [
            (1.1, ev.EndpointingStarted(delay, 1.0 + delay, 0.8, 0.5), "min_delay"),
            (1.0 + pause, ev.EndpointingCancelled(), None),
        ]
    told += [
        (2.05, ev.EndpointingStarted(delay, 2.0 + delay, 0.8, 0.5), "min_delay"),
        (2.0 + final, ev.UserTranscribed("hello", True), None),
        (2.0 + delay, ev.TurnCommitted("hello", 2.0), "endpointing.min_delay"),
        (2.0 + delay + 0.3, measured(2.0, ("endpointing", delay), ("llm", 0.3), setting=None), None),
    ]
    return replace(turn_after(*told), turn_id=f"turn-{number}")


def test_a_shorter_delay_saves_where_the_words_were_there() -> None:
    best = savings([waited(number) for number in range(9)])[0]
    assert (best.setting, best.value, best.turns, best.of, best.cuts) == ("endpointing.min_delay", 0.2, 9, 9, 0)
    assert best.seconds == pytest.approx(0.3)


def test_words_that_come_late_can_not_be_answered_earlier() -> None:
    best = savings([waited(number, final=0.35) for number in range(3)])[0]
    assert best.seconds == pytest.approx(0.15)


def test_people_who_would_have_been_cut_short_are_counted() -> None:
    turns = [waited(number, pause=0.25 if number < 2 else None) for number in range(9)]
    best = savings(turns)[0]
    assert (best.value, best.cuts) == (0.3, 0)
    turns = [waited(number, delay=3.0, pause=0.25 if number < 2 else None) for number in range(9)]
    best = savings(turns)[0]
    assert best.cuts == 0
    (told,) = [saving for saving in savings([*turns, waited(10, 3.0, pause=2.9)]) if saving.value is not None]
    assert (told.value, told.cuts) == (0.3, 1)


def test_no_delay_is_advised_that_costs_more_than_it_saves() -> None:
    turns = [waited(number, delay=0.3, pause=0.28) for number in range(4)]
    assert [saving for saving in savings(turns) if saving.value is not None] == []


def test_parts_are_named_by_who_took_the_time() -> None:
    told = [(2.0, ev.TurnStarted(1), "text"), (2.5, measured(2.0, ("tools", 0.4), setting="get_weather"), None)]
    (saving,) = savings([turn_after(*told)])  # type: ignore[arg-type]
    assert (saving.setting, saving.value, saving.turns) == ("tool get_weather", None, 1)


@pytest.mark.parametrize(
    ("part", "setting", "words"),
    [
        ("tools", "get_weather", "tool get_weather: up to 0.40 s on 1 of 1 turn"),
        ("llm", "small", "llm small: up to 0.40 s"),
        ("floor", "user_speaking", "letting you finish: up to 0.40 s"),
        ("floor", "min_consecutive_speech_delay", "min_consecutive_speech_delay: up to 0.40 s"),
        ("playout", None, "the speaker's buffer: up to 0.40 s"),
    ],
)
def test_a_wait_that_no_delay_makes_says_what_could_be_saved(part: str, setting: str | None, words: str) -> None:
    told = [(2.0, ev.TurnStarted(1), "text"), (2.5, measured(2.0, (part, 0.4), setting=setting), None)]
    lines = drawing.advice(savings([turn_after(*told)]), 200)  # type: ignore[arg-type]
    assert words in "".join(text for line in lines for text, _ in line)


# --- percentiles and budgets ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 50), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_percentiles_are_those_of_the_sorted_values(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram = histogram.add(value)
    ordered = sorted(round(value * 100) / 100 for value in values)
    rank = -(-int(share * 100) * len(values) // 100)
    assert histogram.percentile(share) == pytest.approx(ordered[max(0, rank - 1)])


def test_nothing_has_no_percentile() -> None:
    assert Histogram().percentile(0.5) == 0.0


def test_a_budget_is_over_by_what_is_shown() -> None:
    budgets = Budgets(1.0, {"llm": 0.2})
    assert not budgets.is_over("whole", 1.004)
    assert budgets.is_over("whole", 1.01)
    assert budgets.is_over("llm", 0.21)
    assert not budgets.is_over("tts", 9.0)


def test_what_is_over_budget_has_a_sign_beside_its_colour() -> None:
    turn = turn_after((2.0, ev.TurnStarted(1), "text"), (4.0, measured(2.0, ("llm", 1.5), ("tts", 0.1)), None))
    lines = drawing.waterfall(turn, stages(turn, 4.0), 4.0, 60, Budgets(1.0, {"llm": 1.0}))
    text = ["".join(part for part, _ in line) for line in lines]
    assert "1.50 ✗" in text[1]
    assert "over its budget of 1.00 s" in text[2]
    assert "1.60 ✗" in text[-3]
    assert all(line_width(line) <= 60 for line in lines)
