"""What a server streams means the same, however it cuts it."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from agent_runtime.llm.thinking import ThinkingFilter
from agent_runtime.providers.openai.tool_calls import ToolCallAssembler

pieces_of_text = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "<thi", "nk>", "</", "think", ">", " ", "\n", "Hello", "1 < 2"]),
    max_size=12,
)


def said(chunks):
    thinking = ThinkingFilter()
    return "".join([*(thinking.feed(chunk) for chunk in chunks), thinking.finish()])


def said_by_hand(text):
    """The rule in one sentence: drop thoughts and the white space after them, and a last thought without an end."""
    result = ""
    while True:
        before, opened, rest = text.partition("<think>")
        result += before
        if not opened:
            return result
        _, closed, after = rest.partition("</think>")
        if not closed:
            return result
        text = after.lstrip()


@given(pieces_of_text)
@example(["<think>", " ", "</think>", " ", "<think>"])
def test_thoughts_are_dropped_on_any_chunking(pieces):
    whole = "".join(pieces)
    expected = said_by_hand(whole)
    assert said([whole]) == expected
    assert said(pieces) == expected
    assert said(whole) == expected


@given(st.text(alphabet=st.characters(exclude_characters="<")))
def test_text_without_a_tag_is_not_held_back(text):
    assert ThinkingFilter().feed(text) == text


@given(pieces_of_text)
def test_no_more_is_held_back_than_may_become_a_tag(pieces):
    thinking = ThinkingFilter()
    for piece in pieces:
        thinking.feed(piece)
        assert len(thinking._held) < len("</think>")


arguments = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=3).map(json.dumps)
calls = st.lists(st.tuples(st.sampled_from("abc"), arguments), min_size=1, max_size=4)


def cut(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def assembled(pieces):
    assembler = ToolCallAssembler()
    completed = [call for piece in pieces for call in assembler.feed([piece])] + assembler.finish()
    return [(call.name, call.arguments) for call in completed]


@given(calls, st.data(), st.sampled_from(["openai", "ids only", "name again"]))
def test_calls_survive_any_cutting(made, data, dialect):
    pieces = []
    for index, (name, text) in enumerate(made):
        for number, part in enumerate(cut(text, data)):
            piece = {"index": index if dialect == "openai" else 0, "function": {"arguments": part}}
            if number == 0 or dialect == "name again":
                piece |= {"id": f"c{index}"}
                piece["function"]["name"] = name
            pieces.append(piece)
    assert assembled(pieces) == made


@given(calls)
def test_whole_calls_without_ids_or_numbers(made):
    pieces = [{"function": {"name": name, "arguments": text}} for name, text in made]
    assert assembled(pieces) == made
