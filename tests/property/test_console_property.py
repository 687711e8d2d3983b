"""What holds for every conversation, text and size: nothing raises, nothing is lost, everything fits."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from agent_console.drawing import bars, status
from agent_console.drawing.entries import Look, draw
from agent_console.drawing.latency import latency_line, shares, waterfall
from agent_console.drawing.text import clean, fit, line_width, wrap
from agent_console.glyphs import plain
from agent_console.state import ConsoleState, Latency, Seq, reduce_all
from agent_console.state.heard import heard_length
from agent_console.state.reduce import REDUCERS
from agent_runtime.events import Event, TurnPart

TEXT = st.text(alphabet=st.one_of(st.sampled_from("ab \n\t*é雪🎿\x1b\u202e‖"), st.characters()), max_size=60)
SMALL = st.sampled_from(["a", "b", "c"])


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field of an event."""
    origin = get_origin(kind)
    if origin is Literal:
        return st.sampled_from(get_args(kind))
    if kind is float:
        return st.floats(-200, 200)
    if kind is int:
        return st.integers(0, 1000)
    if kind is bool:
        return st.booleans()
    if kind is str:
        return st.one_of(SMALL, TEXT)
    if origin is tuple:
        return st.lists(values(get_args(kind)[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.just({})
    if is_dataclass(kind):
        return made(kind)
    if origin is Union or type(kind).__name__ == "UnionType":
        return st.one_of([values(option) for option in get_args(kind)])
    return st.none()


def made(kind: Any) -> st.SearchStrategy[Any]:
    """Events of one kind; ids come from a few, so that they meet."""
    hints = get_type_hints(kind)
    arguments = {
        field.name: SMALL if field.name.endswith("_id") else values(hints[field.name])
        for field in fields(kind)
        if field.name != "type" and (field.default is MISSING or not field.name.startswith("_"))
    }
    return st.builds(kind, **arguments)


EVENTS = st.builds(
    Event,
    seq=st.integers(1, 10_000),
    time=st.floats(0, 10_000),
    session_id=SMALL,
    turn_id=st.one_of(st.none(), SMALL),
    cause=st.one_of(st.none(), st.sampled_from(["speech", "text", "voice", "handoff", "min_delay"])),
    data=st.one_of([made(kind) for kind in REDUCERS]),
)


@settings(max_examples=150, deadline=None)
@given(events=st.lists(EVENTS, max_size=40), width=st.integers(1, 180), opened=st.booleans())
def test_any_conversation_can_be_drawn(events: list[Event[Any]], width: int, opened: bool) -> None:
    state = reduce_all(ConsoleState(), events)
    assert state == reduce_all(ConsoleState(), events)
    for entry in state.entries:
        for line in draw(entry, Look(width, opened=opened, latency=state.latencies.last, gap=True)):
            assert line_width(line) <= max(width, 45)
            assert not any(ord(c) < 32 for text, _ in line for c in text)
    for line in (
        *status.header(state, state.now, width),
        *status.instruments(state, state.now, width),
        *status.audio_panel(state, state.now, width),
        *status.session_panel(state, width),
        *status.agent_panel(state, width, 20),
        *status.banner_lines(state.banners, width),
        status.loading_line(state.loading, width),
        *status.latency_panel(state.latencies.last, width, 12, live=True),
    ):
        assert not any(ord(c) < 32 for text, _ in line for c in text)


@given(items=st.lists(st.integers(), max_size=400), at=st.integers(0, 399), limit=st.integers(0, 400))
def test_a_sequence_behaves_like_a_list(items: list[int], at: int, limit: int) -> None:
    built: Seq[int] = Seq()
    for item in items:
        built = built.append(item)
    assert list(built) == items
    assert built == Seq.of(items)
    assert len(built) == len(items)
    assert built.last == (items[-1] if items else None)
    assert list(built[3:200]) == items[3:200]
    trimmed = list(built.trim(limit))
    assert len(trimmed) >= min(limit, len(items))
    assert items[len(items) - len(trimmed) :] == trimmed
    if at < len(items):
        assert list(built.replace(at, 7)) == [*items[:at], 7, *items[at + 1 :]]
        assert list(built.without(at)) == [*items[:at], *items[at + 1 :]]
        changed = built.replace(at, 10**30)
        assert changed.first_difference(built) == at
        found = built.rindex(lambda item: item == items[at])
        assert found == len(items) - 1 - items[::-1].index(items[at])
        near = built.rindex(lambda item: item == items[at], within=10)
        assert near == (found if found >= len(items) - 10 else None)


@given(text=TEXT, width=st.integers(2, 40))
def test_wrapping_keeps_everything_but_spaces(text: str, width: int) -> None:
    text = clean(text)
    lines = [text[start:end] for start, end in wrap(text, width)]
    assert all(cell_len(line) <= width for line in lines)
    assert all("\n" not in line for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "").replace("\n", "")


@given(text=TEXT, width=st.integers(0, 30))
def test_fitted_text_fits(text: str, width: int) -> None:
    fitted = fit(clean(text), width)
    assert cell_len(fitted) <= width
    assert fitted == clean(text).replace("\n", " ") or fitted == "" or fitted.endswith("…")


@given(text=TEXT)
def test_clean_text_keeps_its_length(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    assert not any(c < " " and c != "\n" for c in cleaned)


@given(text=TEXT.map(clean), encoding=st.sampled_from(["ascii", "latin-1", "cp437", "utf-8"]))
def test_plain_glyphs_are_as_wide_and_can_be_written(text: str, encoding: str) -> None:
    shown = plain(text, encoding)
    shown.encode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    assert cell_len(shown) == cell_len(text)


@given(parts=st.lists(st.floats(0, 5), min_size=1, max_size=9))
def test_the_parts_shown_add_up_to_the_total_shown(parts: list[float]) -> None:
    shown = shares(parts, sum(parts))
    assert sum(shown) == round(sum(parts) * 100)
    assert all(abs(hundredth - part * 100) <= 1 for hundredth, part in zip(shown, parts, strict=True))


@given(
    lengths=st.lists(st.floats(0.001, 3), min_size=1, max_size=8),
    names=st.lists(st.sampled_from(["endpointing", "llm", "tts", "tools", "playout"]), min_size=8, max_size=8),
    width=st.integers(40, 120),
)
def test_latencies_are_drawn_within_their_width(lengths: list[float], names: list[Any], width: int) -> None:
    parts, at = [], 2.0
    for name, length in zip(names, lengths, strict=False):
        parts.append(TurnPart(name, at, at + length, "some.setting"))
        at += length
    latency = Latency("t", 1, 2.0, at, tuple(parts))
    assert all(line_width(line) <= width for line in waterfall(latency, width))
    assert line_width(latency_line(latency, width)) <= width


@given(fraction=st.floats(-1, 2), width=st.integers(1, 60), peak=st.floats(-100, 10), clipped=st.booleans())
def test_bars_are_exactly_as_wide_as_asked(fraction: float, width: int, peak: float, clipped: bool) -> None:
    assert line_width(bars.progress(fraction, width)) == width
    assert line_width(bars.level_bar(peak - 5, peak, width, style="level", clipped=clipped)) == width
    history = [abs(fraction) / 2] * (width // 2)
    assert line_width(bars.strip(history, width, 0.5)) == width
    assert all(line_width(line) == width for line in bars.tall_strip(history, width, 3, 0.5))


@given(text=TEXT, data=st.data())
def test_a_heard_prefix_is_found_exactly(text: str, data: st.DataObject) -> None:
    length = data.draw(st.integers(0, len(text)))
    assert heard_length(text, text[:length]) == length
