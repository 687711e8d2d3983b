"""A transform gives the same text however the text is cut into pieces."""

import itertools
from collections.abc import AsyncIterable, AsyncIterator, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.voice import transforms

PIECES = [
    *["*", "**", "***", "_", "__", "`", "```", "~~", "~", "[", "]", "(", ")", "![", "](u)", "# ", "## ", "- ", "-"],
    *["+ ", "> ", "\n", "\n", " ", " ", "a", "b c", "好", "!", "---", "1. ", "\t", "x" * 90, "👋", "❤️", "\u200d", "ab"],
    *["abc", "A"],
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=20)
TRANSFORMS: dict[str, Callable[[AsyncIterable[str]], AsyncIterable[str]]] = {
    "markdown": transforms.filter_markdown,
    "emoji": transforms.filter_emoji,
    "replace": transforms.replace({"ab": "<1>", "abc": "<2>", "bc": "<3>", "* ": "<4>", "a\n": ""}),
}


async def transformed(name: str, chunks: list[str]) -> str:
    async def stream() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk

    return "".join([piece async for piece in TRANSFORMS[name](stream())])


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(deadline=None, max_examples=300)
@given(text=texts, data=st.data())
async def test_any_cutting(name: str, text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    chunks = [text[left:right] for left, right in itertools.pairwise([0, *cuts, len(text)])]
    whole = await transformed(name, [text])
    assert await transformed(name, chunks) == whole
    assert await transformed(name, list(text)) == whole


@settings(deadline=None, max_examples=200)
@given(
    st.text(st.characters(exclude_categories=["So", "Cs", "Mn", "Cf"], exclude_characters="*_`~[]!#-+>\n"), max_size=40)
)
async def test_plain_text_passes(text: str) -> None:
    assert await transformed("markdown", [text]) == text


@settings(deadline=None, max_examples=200)
@given(texts)
async def test_words_are_never_lost(text: str) -> None:
    shown = await transformed("markdown", [text])
    if "~~" not in text and "](" not in text and "```" not in text:
        assert shown.count("x") == text.count("x")
        assert shown.count("好") == text.count("好")
    assert shown.count("\n") == text.count("\n") or "~~" in text or "](" in text
