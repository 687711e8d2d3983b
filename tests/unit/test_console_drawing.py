"""How state becomes lines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent_console.drawing import status
from agent_console.drawing.bars import level_bar, progress, strip
from agent_console.drawing.entries import Look, compact_arguments, draw
from agent_console.drawing.latency import grade, latency_line, waterfall
from agent_console.drawing.text import Line, clean, crop, fit, justify, line_width, wrap
from agent_console.state import (
    AgentSaid,
    Banner,
    ConsoleState,
    Device,
    Endpointing,
    Entry,
    Latency,
    Loading,
    LogLine,
    Meters,
    Note,
    Rule,
    ToolCall,
    UserSaid,
    reduce_all,
)
from agent_console.state.bench import Bench
from agent_console.state.room import Room
from agent_console.widgets.log import LogPane
from agent_runtime.events import TurnPart
from tests.support.conversation import STORIES

LATENCY = Latency(
    "t1",
    4,
    1.0,
    1.8234,
    (
        TurnPart("transcription", 1.0, 1.212, "moonshine"),
        TurnPart("endpointing", 1.212, 1.5, "endpointing.min_delay"),
        TurnPart("hook", 1.5, 1.504),
        TurnPart("llm", 1.504, 1.645, "smol"),
        TurnPart("llm_sentence", 1.645, 1.705),
        TurnPart("tts", 1.705, 1.7924),
        TurnPart("playout", 1.7924, 1.8234),
    ),
)


def text(lines: list[Line] | Line) -> str:
    """Lines as they would be read, without styles."""
    rows = lines if isinstance(lines, list) else [lines]
    return "\n".join("".join(part for part, _ in line).rstrip() for line in rows)


def styles(lines: list[Line], wanted: str) -> str:
    """What is drawn in one style."""
    return "".join(part for line in lines for part, names in line if wanted in names.split())


def drawn(entry: Entry, **options: object) -> list[Line]:
    return draw(entry, replace(Look(80), **options))  # type: ignore[arg-type]


# --- text ------------------------------------------------------------------------------------------------------------


def test_wrapping_breaks_at_spaces_and_newlines() -> None:
    line = "one two three\nfour"
    assert [line[a:b] for a, b in wrap(line, 8)] == ["one two", "three", "four"]
    assert [("abcdefgh"[a:b]) for a, b in wrap("abcdefgh", 3)] == ["abc", "def", "gh"]
    assert wrap("", 5) == [(0, 0)]


def test_a_word_that_is_too_wide_is_broken_after_a_sign() -> None:
    line = "see pcm.c:8740:(snd_pcm_recover)"
    assert [line[a:b] for a, b in wrap(line, 16)] == ["see", "pcm.c:8740:(snd_", "pcm_recover)"]


def test_wide_characters_take_two_cells() -> None:
    assert fit("雪雪雪", 5) == "雪雪…"
    assert [("雪雪雪"[a:b]) for a, b in wrap("雪雪雪", 4)] == ["雪雪", "雪"]


def test_text_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\u202ec\td\x9b\ud800") == "a\ufffd[2Jb\ufffdc d\ufffd\ufffd"


def test_lines_side_by_side() -> None:
    assert text(justify((("left side", ""),), (("right", ""),), 12)) == "left…  right"
    assert crop((("abc", "x"), ("def", "y")), 4) == (("abc", "x"), ("…", "y"))


# --- the transcript --------------------------------------------------------------------------------------------------


def test_interim_words_are_drawn_apart() -> None:
    lines = drawn(UserSaid("t", 2, 0.0, "I want", "a weather"))
    assert text(lines).split() == ["you", "I", "want", "a", "weather", "…", "2"]
    assert styles(lines, "interim") == " a weather …"


def test_heard_words_are_brighter_than_those_to_come() -> None:
    lines = drawn(AgentSaid("s", "i", "t", 0.0, "A", "Light snow today", 10, "speaking"))
    assert (styles(lines, "text"), styles(lines, "unheard")) == ("Light snow", " today")


def test_a_cut_message_shows_where_and_why_in_words() -> None:
    lines = drawn(AgentSaid("s", "i", "t", 0.0, "A", "Light snow today", 10, "interrupted", "voice"))
    assert text(lines).split(maxsplit=1)[1] == "Light snow‖ today stopped by your voice"
    assert styles(lines, "cut") == " today"


def test_a_held_message_says_so() -> None:
    assert "‖ holding" in text(drawn(AgentSaid("s", "i", "t", 0.0, "A", "Light snow", 5, "paused")))


def test_the_latency_stands_at_the_right_and_opens_to_a_waterfall() -> None:
    said = AgentSaid("s", "i", "t", 0.0, "A", "Snow.", 5, "done")
    assert text(drawn(said, latency=LATENCY)).endswith("0.82 s")
    assert "end-of-turn wait" in text(drawn(said, latency=LATENCY, opened=True))


def test_a_tool_call_counts_while_it_runs() -> None:
    call = ToolCall("c", "get_weather", '{"city": "Oslo", "days": 2}', "t", 10.0, "A")
    shown = text(drawn(call, now=11.26))
    assert 'get_weather  city="Oslo", days=2' in shown
    assert "1.3 s ◌" in shown


def test_a_finished_tool_call_has_a_result_a_time_and_a_sign() -> None:
    call = ToolCall("c", "get_weather", "{}", "t", 0.0, "A", "4 degrees", duration=0.4123)
    assert text(drawn(call)).split("\n")[0].endswith("412 ms ✓")
    assert "4 degrees" in text(drawn(call))
    failed = replace(call, is_error=True, duration=1.5, output="no such city")
    assert text(drawn(failed)).split("\n")[0].endswith("1.50 s ✗")
    assert styles(drawn(failed), "error").endswith("no such city")
    mocked = text(drawn(replace(call, stand_in="result"))).split("\n")[0]
    assert mocked.endswith("mocked 412 ms ✓")
    assert len(mocked) == len(text(drawn(call)).split("\n")[0])


def test_long_results_are_folded_until_opened() -> None:
    call = ToolCall(
        "c", "f", '{"a": 1}', "t", 0.0, "A", "\n".join(f"line {n}" for n in range(9)), details="why", duration=0.1
    )
    assert "line 8" not in text(drawn(call))
    assert text(drawn(call)).endswith("…")
    opened = text(drawn(call, opened=True))
    assert "line 8" in opened
    assert '"a": 1' in opened
    assert opened.endswith("why")


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [('{"a": "ü", "b": [1]}', 'a="ü", b=[1]'), ("{broken", "{broken"), ("[1]", "[1]"), ("", "")],
)
def test_arguments_in_short(arguments: str, shown: str) -> None:
    assert compact_arguments(arguments) == shown


def test_rules_and_notes() -> None:
    rule = Rule("reload", 0.0, "reloaded A", "--- a\n+++ b\n-old\n+new\n")
    assert "── reloaded A ──" in text(drawn(rule))
    assert styles(drawn(rule, opened=True), "good") == "reloaded A+++ b+new"
    note = Note("warning", 0.0, "slow line", "at x.py")
    assert "slow line" in text(drawn(note))
    assert "at x.py" in text(drawn(note, opened=True))


# --- latency ---------------------------------------------------------------------------------------------------------


def test_the_latency_line_adds_up() -> None:
    wide = text(latency_line(LATENCY, 100))
    assert wide == "0.82 s = stt 0.21 + wait 0.29 + llm 0.14 + sentence 0.06 + tts 0.09 + out 0.03"
    assert text(latency_line(LATENCY, 70)) == "0.82 s = hear 0.50 + llm 0.20 + tts 0.09 + out 0.03"
    assert text(latency_line(LATENCY, 10)) == "0.82 s"
    numbers = [float(word) for word in wide.split() if word[0].isdigit()]
    assert sum(numbers[1:]) == pytest.approx(numbers[0])


def test_the_waterfall_names_the_worst_part_and_its_setting() -> None:
    lines = waterfall(LATENCY, 60)
    assert styles(lines, "fair").strip("╸╺━") == ""
    assert "endpointing.min_delay" in text(lines)
    assert "moonshine" not in text(lines)
    assert text(lines).split("\n")[-1].split() == ["as", "heard", "0.82"]


def test_grades() -> None:
    assert [grade(total) for total in (0.5, 1.5, 2.5)] == ["good", "fair", "bad"]


# --- instruments -----------------------------------------------------------------------------------------------------


def test_bars() -> None:
    assert text(progress(0.5, 8)) == "━━━━────"
    assert text(progress(0.0, 4)) == "────"
    assert text(level_bar(-30.0, -6.0, 10, style="level")) == "━━━━━────│"
    assert text(level_bar(-30.0, None, 10, style="level", clipped=True))[-1] == "!"
    assert strip([0.2, 0.9], 3, 0.5) == (("▁▂", "track"), ("▇", "speech"))


def test_the_header_tells_states_in_words() -> None:
    state = reduce_all(ConsoleState(), STORIES["speaking"]().events)
    shown = text(status.header(state, 3723.0, 80))
    for word in (
        "WeatherAgent",
        "local",
        "you listening",
        "agent speaking",
        "1:02:03",
        "MacBook Pro Microphone",
        "turn 3",
    ):
        assert word in shown


def test_a_muted_or_missing_microphone_is_said() -> None:
    state = ConsoleState(microphone=Device("opened", "Mic"), muted=True)
    assert "mic muted" in text(status.header(state, 0.0, 80))
    assert "muted" in text(status.instruments(state, 0.0, 80))
    lost = ConsoleState(microphone=Device("lost", "Mic"))
    assert "lost, trying again" in text(status.header(lost, 0.0, 80))
    assert "mic off" in text(status.instruments(lost, 0.0, 80))
    assert "mic off" not in text(status.instruments(replace(lost, room=Room(name="desk", here=True)), 0.0, 80))


@pytest.mark.parametrize(
    ("mic", "speaker", "shown"),
    [
        ("A" * 40, "Tiny", " mic " + "A" * 40 + "   speaker Tiny"),
        ("Tiny", "B" * 40, " mic Tiny   speaker " + "B" * 40),
        ("A" * 60, "B" * 60, " mic " + "A" * 26 + "…   speaker " + "B" * 22 + "…"),
    ],
)
def test_a_device_may_take_the_room_that_the_other_doesnt(mic: str, speaker: str, shown: str) -> None:
    state = ConsoleState(microphone=Device("opened", mic), speaker=Device("opened", speaker))
    lines = text(status.header(state, 0.0, 80)).split("\n")
    assert lines[1].startswith(shown)
    assert lines[1].endswith(" no turns yet")


def test_a_missing_speaker_is_said_where_its_level_would_be() -> None:
    state = ConsoleState(speaker=Device("unavailable", ""))
    assert "out off" in text(status.instruments(state, 0.0, 80))
    assert "speaker  off" in text(status.audio_panel(state, 0.0, 38))
    assert "out off" not in text(status.instruments(ConsoleState(), 0.0, 80))
    typed = text(status.instruments(ConsoleState(mode="text"), 0.0, 80))
    assert "mic off" in typed
    assert "out off" in typed


# --- the log ---------------------------------------------------------------------------------------------------------


def test_a_line_of_the_log_hangs_under_its_message_where_there_is_room_and_under_its_level_where_not() -> None:
    line = LogLine(12.0, "warning", "alsa.lib", "pcm.c:8740:(snd_pcm_recover) underrun occurred", count=3)
    pane = LogPane()
    assert text(list(pane.draw_item(0, line, 39))).split("\n") == [
        " 0:12 warn  lib",
        "      pcm.c:8740:(snd_pcm_recover)",
        "      underrun occurred 3x",
    ]
    assert text(list(pane.draw_item(0, line, 62))).split("\n") == [
        "  0:12 warn  alsa.lib pcm.c:8740:(snd_pcm_recover) underrun",
        "             occurred 3x",
    ]


def test_of_a_long_stack_the_log_shows_the_end() -> None:
    stack = "\n".join(f"call {number}" for number in range(9))
    shown = text(list(LogPane().draw_item(0, LogLine(0.0, "error", "loop", "blocked", stack), 39)))
    assert [line.strip() for line in shown.split("\n")[1:]] == ["…", "call 5", "call 6", "call 7", "call 8"]


def test_clipping_is_a_word() -> None:
    state = ConsoleState(meters=Meters(at=1.0, input_rms=-1.0, clipped_at=1.0))
    assert "clip" in text(status.instruments(state, 1.5, 80))
    assert "clip" not in text(status.instruments(state, 9.0, 80))


def test_the_countdown_takes_the_place_of_the_latency_line() -> None:
    countdown = Endpointing(1.0, 0.8, 2.0, 0.31, 0.5, "max_delay")
    state = reduce_all(ConsoleState(), STORIES["speaking"]().events)
    shown = text(status.instruments(replace(state, endpointing=countdown), 1.6, 80)).split("\n")[1]
    assert shown.startswith(" end of turn 0.31 < 0.50 max_delay")
    assert shown.endswith("0.40 s")
    assert text(status.instruments(state, 1.6, 80)).split("\n")[1].startswith(" turn 3  0.82 s = hear")


def test_a_countdown_without_a_detector() -> None:
    state = ConsoleState(endpointing=Endpointing(0.0, 0.5, 0.5, None, None, None))
    assert text(status.endpointing_line(state, 0.5, 60)).endswith("0.00 s")


def test_dropped_frames_are_counted_in_sight() -> None:
    shown = text(status.instruments(ConsoleState(dropped_input=2, dropped_output=1), 0.0, 80))
    assert "3 frames dropped" in shown
    assert " 1 frame dropped" in text(status.instruments(ConsoleState(dropped_input=1), 0.0, 80))


def test_banners_give_way_to_what_to_do() -> None:
    banner = Banner("x", "error", "a very long explanation of what happened " * 3, "press e")
    (line,) = status.banner_lines([banner], 60)
    assert text([line]).startswith(" ✗ a very long")
    assert text([line]).endswith("· press e")
    first, *others = status.banner_lines([banner] * 9, 60)
    assert "6 more" in text([status.banner_lines([Banner("x", "error", "no", "")] * 9, 60)[0]])
    assert line_width(first) <= 60
    assert len(others) == 2


def test_the_banner_that_escape_puts_away_says_so() -> None:
    one, two = status.banner_lines([Banner("x", "error", "first"), Banner("y", "error", "second")], 60)
    assert "esc" not in text([one])
    assert text([two]).endswith("  esc hides")
    assert line_width(two) == 60
    (long,) = status.banner_lines([Banner("x", "error", "long " * 9, "press e")], 60)
    assert "esc" not in text([long])


def test_a_banner_without_anything_else_to_do_is_read_to_its_end() -> None:
    told = "agent-console.toml:5: budgets.answer: -1: input should be greater than 0"
    one, two = status.banner_lines([Banner("notice", "warning", told)], 60)
    assert f"{text([one]).rstrip()} {text([two]).strip()}" == f" ! {told}"
    many = [Banner(f"notice {number}", "warning", told) for number in range(5)]
    one, two, *_ = status.banner_lines(many, 60)
    assert f"{text([one]).rstrip()} {text([two]).strip()}" == f" ! {told} · 2 more, esc goes on"
    (exact,) = status.banner_lines([Banner("notice", "warning", "x" * 55)], 60)
    assert text([exact]) == f" ! {'x' * 55}"


def test_loading_is_one_line_and_then_none() -> None:
    items = (Loading("vad", "silero", 1.0), Loading("stt", "moon", 0.5), Loading("llm", "smol", 0.0, "no file"))
    shown = text(status.loading_line(items, 80))
    assert "vad ✓" in shown
    assert "50%" in shown
    assert "llm ✗" in shown
    assert status.loading_line((Loading("vad", "silero", 1.0),), 80) == ()


def test_the_session_in_numbers() -> None:
    state = reduce_all(ConsoleState(), STORIES["recovered"]().events)
    shown = text(status.session_panel(state, 38))
    assert "p50 0.84 s  p95 0.84 s" in shown
    assert "2 · 1 failed" in shown


def test_a_call_in_the_background_tells_how_far_it_is_and_whether_you_were_told() -> None:
    call = ToolCall("c", "book", "{}", "t", 0.0, "A", updates=("asking the hotel", "half way"))
    running = text(drawn(call))
    assert "… half way" in running
    assert "asking the hotel" not in running
    assert "asking the hotel" in text(drawn(call, opened=True))
    done = replace(call, output="booked", duration=2.0, reply="skipped")
    assert "half way" not in text(drawn(done))
    assert "→ the agent had nothing more to say about it" in text(drawn(done))


def test_dropped_words_say_why() -> None:
    said = UserSaid("t", 2, 0.0, "mhm", state="discarded", why="backchannel")
    assert "mhm discarded · it was a listener's word" in text(drawn(said))


def test_the_header_says_that_new_code_is_loaded() -> None:
    assert "  reloading" in text(status.header(ConsoleState(reloading=True), 0.0, 100))
    assert "  reloading" not in text(status.header(ConsoleState(), 0.0, 100))


def test_a_branch_of_any_name_fits_on_its_line() -> None:
    state = ConsoleState(bench=Bench(branch="a\nb" * 30))
    assert all(len(part) <= 24 and "\n" not in part for part, _ in status.bench_marks(state))


@pytest.mark.parametrize("rows", [4, 7, 10, 99])
def test_a_waterfall_of_many_parts_keeps_the_longest_and_the_total(rows: int) -> None:
    names = (
        "transcription",
        "endpointing",
        "hook",
        "llm",
        "tools",
        "llm",
        "tools",
        "llm",
        "llm_sentence",
        "tts",
        "playout",
    )
    lengths = (0.44, 0.11, 0.0, 0.2, 0.01, 0.2, 0.01, 0.2, 0.01, 0.03, 0.02)
    parts, at = [], 0.0
    for name, length in zip(names, lengths, strict=True):
        parts.append(TurnPart(name, at, at + length, "moonshine" if name == "transcription" else None))  # type: ignore[arg-type]
        at += length
    lines = ["".join(text for text, _ in line) for line in waterfall(Latency("t", 1, 0.0, at, tuple(parts)), 40, rows)]
    assert len(lines) == min(rows, 12)
    assert lines[0].startswith("STT final")
    assert "moonshine" in lines[1]
    assert lines[-1].startswith("as heard")
    assert not any("0.00" in line for line in lines)
