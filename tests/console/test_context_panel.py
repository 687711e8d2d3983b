"""The conversation by hand: what is asked of the session, and what is shown of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import TextArea

from agent_console.drawing.context import foot_lines, item_lines
from agent_console.panels.context import ContextPanel
from agent_console.screens.editor import EditorScreen
from agent_runtime import events as ev
from agent_runtime.workshop.requests import (
    DeleteItem,
    EditItem,
    Fork,
    InsertMessage,
    Rewind,
    ShowContext,
    SwitchBranch,
)
from tests.console.opening import Console, Open


def panel(it: Console) -> ContextPanel:
    view = it.screen.dock.view
    assert isinstance(view, ContextPanel)
    return view


def asked(it: Console) -> list[object]:
    """What was asked, but for the picture."""
    return [c[1] for c in it.backend.calls if c[0] == "ask_workshop" and not isinstance(c[1], ShowContext)]


def pictures(it: Console) -> int:
    return sum(call == ("ask_workshop", ShowContext()) for call in it.backend.calls)


async def test_a_picture_is_asked_for_when_it_may_be_another(console: Open) -> None:
    async with console("workshop") as it:
        assert pictures(it) == 0
        await it.press("4")
        assert pictures(it) == 1
        await it.send(ev.InputMuted(True))
        assert pictures(it) == 1
        answer = {"id": "new", "type": "message", "role": "assistant", "content": ["Yes."]}
        await it.send(ev.ItemAdded(answer))
        assert pictures(it) == 2
        assert panel(it).list.items[-1].text == "Yes."


async def test_enter_edits_the_selected_item(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("4", "enter")
        assert not isinstance(it.app.screen, EditorScreen)
        await it.press("up", "enter")
        editor = it.app.screen.query_one(TextArea)
        assert editor.text.startswith("Tomorrow in Oslo")
        editor.text = "Snow."
        await it.press("ctrl+s")
        assert asked(it) == [EditItem("item-5", "Snow.")]


async def test_a_call_is_edited_as_json(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("4", "up", "up", "up", "enter")
        it.app.screen.query_one(TextArea).text = "{"
        await it.press("ctrl+s")
        assert isinstance(it.app.screen, EditorScreen)
        it.app.screen.query_one(TextArea).text = "{}"
        await it.press("ctrl+s")
        assert asked(it) == [EditItem("item-3", "{}")]


async def test_a_message_is_put_after_the_selected_item(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("4", "up", "up", "I")
        it.app.screen.query_one(TextArea).text = "nobody: x"
        await it.press("ctrl+s")
        assert isinstance(it.app.screen, EditorScreen)
        it.app.screen.query_one(TextArea).text = "assistant: one: two"
        await it.press("ctrl+s")
        assert asked(it) == [InsertMessage("assistant", "one: two", "item-4")]


@pytest.mark.parametrize(
    ("key", "request_"), [("D", DeleteItem("item-5")), ("Z", Rewind("turn-1")), ("f", Fork("turn-1"))]
)
async def test_a_key_does_it_to_the_selected_item(console: Open, key: str, request_: object) -> None:
    async with console("workshop") as it:
        await it.press("4", key)
        assert asked(it) == []
        await it.press("up", key)
        assert asked(it) == [request_]


async def test_an_item_of_no_turn_cant_be_gone_back_to(console: Open) -> None:
    async with console("workshop") as it:
        await it.press("4", *["up"] * 7, "Z", "f")
        assert asked(it) == []


async def test_a_turn_is_forked_from_the_transcript_and_branches_are_changed(console: Open) -> None:
    async with console("workshop", size=(120, 40)) as it:
        await it.press("f")
        await it.press("k", "k", "k", "f", "b")
        selected = it.screen.transcript.selected
        assert asked(it) == [Fork("turn-2"), Fork(selected or ""), SwitchBranch()]
        assert selected == "turn-1"


async def test_without_a_turn_there_is_nothing_to_fork(console: Open) -> None:
    async with console("starting") as it:
        await it.press("f")
        assert asked(it) == []


async def test_a_fork_is_a_line_across_the_transcript(console: Open) -> None:
    async with console("workshop") as it:
        shared = ev.Branch("branch 3", "main", "turn_1", 6, "shared")
        seq, state = it.app.state.seq, it.app.state
        it.backend.send(
            ev.Event(seq + 1, state.now, "session-1", None, "fork", ev.BranchesChanged((shared,), "branch 3")),
            ev.Event(seq + 2, state.now, "session-1", None, "rewind", ev.BranchesChanged((shared,), "branch 3", 1)),
        )
        await it.send(ev.InputMuted(True))
        forked, rewound = it.app.state.entries[-2:]
        assert forked.text == "branch 3 begins after turn 1: userdata is shared, it can't be copied"  # type: ignore[union-attr]
        assert rewound.text == "went back: 1 item dropped"  # type: ignore[union-attr]


def test_what_the_node_does_is_marked_by_a_sign_and_a_word() -> None:
    item = ev.ContextItem("i", "message", "user", "hello", 5, "turn_1", "left_out")
    (line,) = item_lines(item, 40, False)
    assert "- left out" in "".join(text for text, _ in line)
    call = replace(item, kind="function_call", label="get_time", text="{}")
    assert "call      get_time" in "".join(part for part, _ in item_lines(call, 40, False)[0])
    opened = item_lines(item, 40, True)
    assert "turn 1 · i" in "".join(text for text, _ in opened[0])
    assert len(opened) == 2


async def test_the_foot_says_how_tokens_are_counted_and_which_branches_there_are(console: Open) -> None:
    async with console("workshop") as it:
        text = "\n".join("".join(part for part, _ in line) for line in foot_lines(it.app.state.bench, 80))
        assert "○ main" in text
        assert "● branch 2 after turn-1" in text
    async with console("busy") as it:
        text = "".join(part for part, _ in foot_lines(it.app.state.bench, 80)[0])
        assert text == "counted by 4 bytes a token, an estimate"
