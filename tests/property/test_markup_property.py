"""Marks in a text come out the same however it is cut."""

from __future__ import annotations

import itertools
import re

from hypothesis import assume, given
from hypothesis import strategies as st

from agent_runtime.tts.dialects import DIALECTS
from agent_runtime.tts.markup import MarkReplacer, lowering, strip_markup, stripper

PIECES = st.sampled_from(
    [
        '<expr type="expression" label="happy"/>',
        '<expr type="sound" label="laugh">',
        '<expr type="prosody" label="slow">',
        "</expr>",
        "<whisper>",
        "</whisper>",
        "<expr",
        "<",
        ">",
        "/>",
        " ",
        "\t",
        "\n",
        "word",
        "Hello.",
        "x" * 100,
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("".join)


def cut(marks: MarkReplacer, text: str, cuts: list[int]) -> str:
    edges = sorted({0, len(text), *(at % (len(text) + 1) for at in cuts)})
    pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
    return "".join(map(marks.push, pieces)) + marks.flush()


@given(TEXTS, st.lists(st.integers(0, 2000)), st.sampled_from(sorted(DIALECTS)))
def test_cutting_changes_nothing(text: str, cuts: list[int], key: str) -> None:
    assert cut(stripper(), text, cuts) == cut(stripper(), text, [])
    assert cut(lowering(DIALECTS[key]), text, cuts) == cut(lowering(DIALECTS[key]), text, [])


@given(TEXTS)
def test_every_word_is_read(text: str) -> None:
    assume(not re.search(r"<[^<>]*(Hello\.|word)[^<>]*>", text))  # within a mark it is an attribute
    words = strip_markup(text)
    assert words.count("Hello.") == text.count("Hello.")
    assert words.count("word") == text.count("word")


@given(st.lists(st.sampled_from([" ", "a", "\n", "<", "expr ", "b."])).map("".join))
def test_text_without_marks_stays(text: str) -> None:
    if ">" not in text:
        assert strip_markup(text) == text
