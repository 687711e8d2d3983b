"""A text gives the same tokens however it is cut into pieces, and none of it is lost."""

import itertools
import re
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.tokenize import SentenceTokenizer, WordTokenizer, basic, blingfire, utils

# ruff: noqa: RUF001 - the marks of many scripts are the subject
PIECES = [
    "a", "I", "The", "they", "Mr", "Inc", "U.S", "p.m", "e.g", "No", "Dr", "8", "5", "42", "x.com",
    "https://a.b/c?d=e", "好", "你们",
    ".", ".", ".", "..", "...", "…", "!", "?", "?!", "。", "！", "？", "।", "؟", ",", "，", "：", "、", ":", ";",
    " ", " ", " ", "\n", "\n\n", "\t", '"', "”", "“", "'", "(", ")", "」", "*", "_", "-", "<b>", "</b>", "<i/>", "<",
    "１",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=30)


@st.composite
def chunked(draw: st.DrawFn) -> list[str]:
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    edges = [0, *cuts, len(text)]
    return [text[left:right] for left, right in itertools.pairwise(edges)]


async def streamed(tokenizer: SentenceTokenizer | WordTokenizer, chunks: list[str]) -> list[str]:
    stream = tokenizer.stream()
    for chunk in chunks:
        stream.push_text(chunk)
    stream.end_input()
    return [token.token async for token in stream]


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@settings(deadline=None, max_examples=300)
@given(chunked(), st.sampled_from([1, 5, 20]), st.sampled_from([1, 10]), st.booleans(), st.booleans())
async def test_sentences(chunks: list[str], min_len: int, context: int, retain: bool, markup: bool) -> None:
    tokenizer = blingfire.SentenceTokenizer(
        min_sentence_len=min_len, stream_context_len=context, retain_format=retain, xml_aware=markup
    )
    text = "".join(chunks)
    tokens = await streamed(tokenizer, chunks)
    assert tokens == await streamed(tokenizer, list(text)) == tokenizer.tokenize(text)
    assert squeezed("".join(tokens)) == squeezed(text)
    assert all(token.strip() for token in tokens)
    assert all(len(token.strip()) >= min_len for token in tokens[:-1])
    if retain:
        assert text.startswith("".join(tokens))


@settings(deadline=None, max_examples=200)
@given(chunked(), st.booleans(), st.booleans(), st.booleans())
async def test_words(chunks: list[str], punctuation: bool, characters: bool, retain: bool) -> None:
    tokenizer = basic.WordTokenizer(ignore_punctuation=punctuation, split_character=characters, retain_format=retain)
    text = "".join(chunks)
    tokens = await streamed(tokenizer, chunks)
    assert tokens == tokenizer.tokenize(text)
    if not punctuation:
        assert squeezed("".join(tokens)) == squeezed(text)
    for word, start, end in basic.split_words(text, ignore_punctuation=False):
        assert text[start:end] == word


@settings(deadline=None, max_examples=100)
@given(chunked())
async def test_replacing(chunks: list[str]) -> None:
    replacements = {"the": "THE END", "mr": "mister", "好": "good"}

    async def stream() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk

    text = "".join(chunks)
    replaced = [piece async for piece in utils.replace_words(text=stream(), replacements=replacements)]
    assert "".join(replaced) == utils.replace_words(text=text, replacements=replacements)
    untouched = [piece async for piece in utils.replace_words(text=stream(), replacements={})]
    assert "".join(untouched) == text


@given(st.text("abcdefghijklmnopqrstuvwxyzAEY", max_size=20))
def test_hyphens_lose_nothing(word: str) -> None:
    parts = basic.hyphenate_word(word)
    assert "".join(parts) == word
    assert len(parts) == 1 or all(len(part) >= 1 for part in parts)
