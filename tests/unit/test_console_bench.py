"""What the events of the workshop do to the console's state."""

from __future__ import annotations

from agent_console.drawing.tools import CALLS_SHOWN, Heading, ToolRow, row_lines, rows_of, skeleton, type_of
from agent_console.panels.context import message_problem
from agent_console.panels.tools import json_problem, seconds_problem
from agent_console.state import ConsoleState, reduce
from agent_console.state.bench import CALLS_KEPT, Bench, Call
from agent_runtime import events as ev
from agent_runtime.token_estimate import estimate_tokens

FACTS = ev.ToolFacts("book", "Book a room.", {}, (), "allow", "agent")


def bench(*told: ev.EventData | tuple[ev.EventData, str]) -> Bench:
    """The bench after these events, each with its cause if it has one."""
    state = ConsoleState()
    for number, item in enumerate(told, start=1):
        data, cause = item if isinstance(item, tuple) else (item, None)
        state = reduce(state, ev.Event(number, float(number), "s", "turn_1", cause, data))
    return state.bench


def message(item_id: str, role: str, text: str) -> ev.ItemAdded:
    return ev.ItemAdded({"id": item_id, "type": "message", "role": role, "content": [text]})


def test_a_call_by_the_model_and_one_by_hand_are_told_apart() -> None:
    model, hand = bench(
        ev.ToolStarted("c1", "book", "{}"),
        ev.ToolTried("t1", "book", "{}"),
        ev.ToolFinished("c1", "book", "no", True, 0.2, "trace", True, "error"),
        ev.ToolTryFinished("t1", "book", "yes", False, 0.1),
        ev.ToolTryKept("t1"),
    ).calls
    assert model == Call("c1", "book", "{}", "turn_1", 1.0, False, "no", True, "trace", 0.2, True, "error")
    assert hand == Call("t1", "book", "{}", "turn_1", 2.0, True, "yes", False, "", 0.1, kept=True)


def test_calls_have_an_end() -> None:
    count = 3 * CALLS_KEPT
    kept = bench(*(ev.ToolStarted(f"c{number}", "book", "{}") for number in range(count))).calls
    assert CALLS_KEPT <= len(kept) <= 2 * CALLS_KEPT
    assert kept[-1].call_id == f"c{count - 1}"
    assert sum(isinstance(row, Call) for row in rows_of(Bench(calls=kept))) == CALLS_SHOWN


def test_a_stand_in_is_there_until_it_is_taken_away() -> None:
    assert bench(ev.ToolStoodIn("book", delay=1.0)).stand_ins["book"].delay == 1.0
    assert bench(ev.ToolStoodIn("book", result=""), ev.ToolStoodIn("book")).stand_ins == {}
    assert list(bench(ev.ToolStoodIn("book", result="")).stand_ins) == ["book"]


def test_items_are_counted_as_they_come_until_there_is_a_picture() -> None:
    first = bench(
        (ev.AgentChanged(None, "clerk", "Be brief.", ("book",)), "start"),
        message("a", "user", "Hello you"),
        message("b", "assistant", "Hello."),
    )
    assert [(item.label, item.text, item.turn_id) for item in first.items] == [
        ("system", "Be brief.", None),
        ("user", "Hello you", "turn_1"),
        ("assistant", "Hello.", "turn_1"),
    ]
    assert first.tokens == (4 + 3) + (4 + 3) + (4 + 2)
    assert [tool.name for tool in first.tools] == ["book"]
    assert first.revision == 2  # a new agent, an answer
    picture = ev.ContextShown("clerk", (ev.ContextItem("a", "message", "user", "x", 7),), 7, 3, "words", exact=True)
    after = bench(message("a", "user", "Hello you"), picture)
    assert (after.tokens, after.tool_tokens, after.exact, after.counted_by) == (7, 3, True, "words")
    assert bench(picture, message("b", "user", "more")).exact is False


def test_another_agent_begins_with_its_instructions_and_new_code_keeps_what_was_said() -> None:
    began = ((ev.AgentChanged(None, "clerk", "Be brief.", ()), "start"), message("a", "user", "Hello"))
    reloaded = bench(*began, (ev.AgentChanged("clerk", "clerk", "Be long.", ()), "reload"))
    assert [item.text for item in reloaded.items] == ["Be long.", "Hello"]
    handed = bench(*began, (ev.AgentChanged("clerk", "boss", "I am the boss.", ()), "handoff"))
    assert [item.text for item in handed.items] == ["I am the boss."]


def test_what_is_the_same_in_a_new_picture_stays_the_same_object() -> None:
    item = ev.ContextItem("a", "message", "user", "Hello", 6, "turn_1")
    picture = ev.ContextShown("clerk", (item,), 6, 0, "words", exact=True)
    state = reduce(ConsoleState(), ev.Event(1, 0.0, "s", None, None, picture))
    kept = state.bench.items[0]
    again = ev.ContextShown("clerk", (ev.ContextItem("a", "message", "user", "Hello", 6, "turn_1"),), 6, 0, "w", True)
    assert reduce(state, ev.Event(2, 0.0, "s", None, None, again)).bench.items[0] is kept


def test_a_stand_in_of_a_tool_that_is_gone_can_still_be_taken_away() -> None:
    rows = rows_of(Bench(stand_ins={"gone": ev.ToolStoodIn("gone", result="x")}))
    assert isinstance(rows[0], ToolRow)
    assert rows[0].facts.name == "gone"
    assert rows_of(Bench())[0] == Heading("The agent has no tools.")


def test_a_tool_is_written_out_with_types_and_what_stands_in_for_it() -> None:
    schema = {
        "properties": {
            "room": {"type": "string", "description": "its name"},
            "nights": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        },
        "required": ["room"],
    }
    facts = ev.ToolFacts("book", "Book a room.", schema, ("cancellable",), "reject", "agent", "/x/desk.py", 12)
    row = ToolRow(facts, ev.ToolStoodIn("book", error="No.", delay=1.5))
    text = ["".join(part for part, _ in line) for line in row_lines(row, 60, True)]
    assert text[0].endswith("fails +1.5 s")
    assert "desk.py:12 · cancellable · on_duplicate=reject" in text[2]
    assert "room string  its name" in text[3]
    assert "nights integer or null optional" in text[4]
    assert "instead: No." in text[5]
    assert skeleton(facts) == '{\n  "room": ""\n}'


def test_types_in_words() -> None:
    assert type_of({"type": "array", "items": {"type": "number"}}) == "list of number"
    assert type_of({"enum": ["a", 1]}) == "one of a, 1"
    assert type_of({"$ref": "#/$defs/Room"}) == "Room"
    assert type_of(True) == "anything"


def test_what_is_wrong_with_a_text_is_said_in_one_line() -> None:
    assert json_problem('{"a": 1}') is None
    assert json_problem("") is None
    assert json_problem("[1]") == "arguments are an object: {…}"
    assert json_problem("{a}") == "line 1, column 2: Expecting property name enclosed in double quotes"
    assert seconds_problem(" 1.5 ") is None
    assert seconds_problem("601") == "601 isn't between 0 and 600 seconds"
    assert seconds_problem("nan") == "nan isn't between 0 and 600 seconds"
    assert message_problem("user: hi") is None
    assert message_problem("robot: hi") == "begin with one of user, assistant, system and a colon"
    assert message_problem("user:  ") == "write what is said after the colon"


def test_the_estimate_is_four_bytes_a_token_rounded_up() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "four", "five!", "é" * 4)] == [0, 1, 1, 2, 2]
