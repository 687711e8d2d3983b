"""Sentences, words, paragraphs and hyphens."""

from collections.abc import AsyncIterator

import pytest

from agent_runtime import tokenize
from agent_runtime.tokenize import basic, blingfire, utils
from agent_runtime.tokenize.words import split_words

# ruff: noqa: RUF001 - the marks of many scripts are the subject

one_by_one = basic.SentenceTokenizer(min_sentence_len=1)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n ", []),
        ("No mark", ["No mark"]),
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("hello there. how are you. fine.", ["hello there.", "how are you.", "fine."]),
        ("It rose 8.5% i.e. a lot. See v1.2.3 at 192.168.1.1. OK.",
         ["It rose 8.5% i.e. a lot.", "See v1.2.3 at 192.168.1.1.", "OK."]),
        ("See https://example.com/x?Y=1. Mail a.b@c.org! Node.js is fine.",
         ["See https://example.com/x?Y=1.", "Mail a.b@c.org!", "Node.js is fine."]),
        ("Ask Dr. Who and Mrs. Smith. They know.", ["Ask Dr. Who and Mrs. Smith.", "They know."]),
        ("J. R. Smith came at 5 p.m. Then he left.", ["J. R. Smith came at 5 p.m.", "Then he left."]),
        ("We meet at 10 a.m. Monday. Fine?", ["We meet at 10 a.m. Monday.", "Fine?"]),
        ("The U.S. Army came. I live in the U.S. They left.",
         ["The U.S. Army came.", "I live in the U.S.", "They left."]),
        ("Apple Inc. announced it. I work at Acme Corp. The pay is good.",
         ["Apple Inc. announced it.", "I work at Acme Corp.", "The pay is good."]),
        ("St. Peter lives on Main St. The shop is near.", ["St. Peter lives on Main St.", "The shop is near."]),
        ("No. 5 is alive. No. Really. On Jan. 3 we met. In Dec. It snowed.",
         ["No. 5 is alive.", "No.", "Really.", "On Jan. 3 we met.", "In Dec.", "It snowed."]),
        ("It was 2024. Then 2025.", ["It was 2024.", "Then 2025."]),
        ("1. Buy milk. 2. Call mom.", ["1. Buy milk.", "2. Call mom."]),
        ("Hmm... maybe. Well... Fine… yes.", ["Hmm... maybe.", "Well...", "Fine… yes."]),
        ("Wait...what? Hi!How are you?! Good.", ["Wait...what?", "Hi!", "How are you?!", "Good."]),
        ('"Stop!" he said. "Why?" She left. (Quietly.) The end.',
         ['"Stop!" he said.', '"Why?"', "She left.", "(Quietly.)", "The end."]),
        ("“Yes.” He nodded. **Bold.** Plain.", ["“Yes.”", "He nodded.", "**Bold.**", "Plain."]),
        ("你好。我是小明！今天怎么样？“很好。”他说。3.5元OK.好",
         ["你好。", "我是小明！", "今天怎么样？", "“很好。”", "他说。", "3.5元OK.", "好"]),
        ("क्या हाल है। ठीक॥ هل أنت بخير؟ نعم.", ["क्या हाल है।", "ठीक॥", "هل أنت بخير؟", "نعم."]),
        ("The plan:\nBuy milk\nCall mom\n\nand rest", ["The plan:", "Buy milk", "Call mom", "and rest"]),
        ("It is wrapped\nin the middle.\nNew line.", ["It is wrapped in the middle.", "New line."]),
    ],
)  # fmt: skip
def test_sentences(text, sentences):
    assert one_by_one.tokenize(text) == sentences


LONG = (
    "Hello! This is about things that people say. \nU.N.O. is a game... not U.N.O. \nMr. Poe is reading it. "
    "\n\nThis is one. Another one. \nShort line.\n A line that is much longer than the one before. g(y) = y / 1.5 - 3. "
    "\nHey!\n Hi! Hello! "
)


def test_short_sentences_are_joined():
    assert basic.SentenceTokenizer().tokenize(LONG) == [
        "Hello! This is about things that people say.",
        "U.N.O. is a game... not U.N.O.",
        "Mr. Poe is reading it.",
        "This is one. Another one.",
        "Short line. A line that is much longer than the one before.",
        "g(y) = y / 1.5 - 3. Hey!",
        "Hi! Hello!",
    ]
    assert basic.SentenceTokenizer(min_sentence_len=60).tokenize(LONG)[0].endswith("not U.N.O.")


@pytest.mark.parametrize("min_len", [1, 20])
def test_retained_format_loses_nothing(min_len):
    tokens = basic.SentenceTokenizer(min_sentence_len=min_len, retain_format=True).tokenize(LONG)
    assert "".join(tokens).rstrip() == LONG.rstrip()
    assert all(token.strip() for token in tokens)


def test_markup_isnt_cut():
    text = (
        "Hello there. <emotion value='sad. Very'>I am so sorry. It hurts. <break/> Really.</emotion> Bye now. "
        "3 < 5. Yes."
    )
    tokens = blingfire.SentenceTokenizer(min_sentence_len=1, xml_aware=True).tokenize(text)
    assert tokens == [
        "Hello there.",
        "<emotion value='sad. Very'>I am so sorry. It hurts. <break/> Really.</emotion> Bye now.",
        "3 < 5.",
        "Yes.",
    ]


async def test_joining_stops_at_the_longest_token():
    def stream(**options: int) -> tokenize.SentenceStream:
        made = blingfire.SentenceTokenizer(min_sentence_len=10, **options).stream()
        made.push_text("A first one. And a second one. Yes. This one is too long by itself.")
        made.end_input()
        return made

    joined = [token.token async for token in stream(min_token_len=30, max_token_len=34)]
    assert joined == ["A first one. And a second one.", "Yes.", "This one is too long by itself."]
    assert (await anext(stream())).token == "A first one."
    with pytest.raises(ValueError, match="min_token_len is 9; it must be at most max_token_len, 8"):
        blingfire.SentenceTokenizer(min_token_len=9, max_token_len=8)


async def drained(stream: tokenize.SentenceStream | tokenize.WordStream) -> list[str]:
    return [token.token async for token in stream]


@pytest.mark.parametrize(
    ("before", "trigger"),
    [
        ("This is the first sentence.", " "),
        ("Is this the first sentence?", " "),
        ("This is the first sentence", "!A"),
        ("我今天想去公园散步你想和我一起去吗还是在家休息。", "好"),
        ("This is the first sentence...", " T"),
        ("He said this first: “Go.”", " S"),
        ("This is where I live: the U.S.", " They "),
        ("This is the first line", "\nS"),
        ("This is the first line", "\n\n"),
    ],
)
def test_a_sentence_comes_out_with_the_character_that_settles_it(before, trigger):
    stream = basic.SentenceTokenizer().stream()
    for char in before + trigger[:-1]:
        stream.push_text(char)
    assert stream._event_ch.empty()
    stream.push_text(trigger[-1])
    assert stream._event_ch.recv_nowait().token == before + ("!" if trigger == "!A" else "")


async def test_segments_and_closing():
    stream = basic.SentenceTokenizer(min_sentence_len=1).stream()
    stream.push_text("One. Two. Thr")
    stream.flush()
    stream.push_text("ee. Four.")
    stream.end_input()
    tokens = [token async for token in stream]
    assert [token.token for token in tokens] == ["One.", "Two.", "Thr", "ee.", "Four."]
    first, *_, last = [token.segment_id for token in tokens]
    assert [token.segment_id for token in tokens] == [first] * 3 + [last] * 2
    assert first != last
    assert stream.closed
    for call in (lambda: stream.push_text("x"), stream.flush, stream.end_input):
        with pytest.raises(RuntimeError, match="is closed"):
            call()

    stopped = basic.WordTokenizer().stream()
    stopped.push_text("one two")
    await stopped.aclose()
    assert await drained(stopped) == ["one"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {}, []),
        ("Hello, world! It's — fine.", {}, ["Hello", "world", "Its", "fine"]),
        ("Hello, world! — fine.", {"ignore_punctuation": False}, ["Hello,", "world!", "—", "fine."]),
        (" a  b\nc ", {"retain_format": True}, [" a", "  b", "\nc"]),
        ("你好，世界。OK", {"ignore_punctuation": False}, ["你好，", "世界。", "OK"]),
        ("１，０００个，好。。", {"ignore_punctuation": False}, ["１，０００个，", "好。。"]),
        ("我 love 你", {"split_character": True}, ["我", "love", "你"]),
        ("我爱AI吗", {"split_character": True}, ["我", "爱", "AI", "吗"]),
        ("สวย", {"split_character": True}, ["ส", "ว", "ย"]),
    ],
)
def test_words(text, options, words):
    assert basic.WordTokenizer(**options).tokenize(text) == words


def test_words_with_their_places():
    text = "Hello,  (world) 你好。"
    words = split_words(text, ignore_punctuation=False)
    assert [word for word, _, _ in words] == ["Hello,", "(world)", "你好。"]
    assert [text[start:end] for _, start, end in words] == ["Hello,", "(world)", "你好。"]
    assert split_words(text)[1] == ("world", 8, 15)
    assert basic.WordTokenizer().format_words(["a", "b"]) == "a b"


async def test_words_stream():
    stream = basic.WordTokenizer(ignore_punctuation=False).stream()
    for char in "Hel lo, w":
        stream.push_text(char)
    assert stream._event_ch.qsize() == 2
    stream.end_input()
    assert await drained(stream) == ["Hel", "lo,", "w"]


def clauses(text: str) -> list[tuple[str, int, int]]:
    """A tokenizer of someone's own: at semicolons."""
    found, at = [], 0
    for piece in text.split(";"):
        if piece.strip():
            found.append((piece.strip(), at, at + len(piece) + 1))
        at += len(piece) + 1
    return found


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({}, ["one", "two", "three", "<b>four", "five</b> six"]),
        ({"min_token_len": 5}, ["one two", "three", "<b>four", "five</b> six"]),
        ({"min_token_len": 99}, ["one two three <b>four five</b> six"]),
        ({"min_token_len": 99, "max_token_len": 9}, ["one two", "three", "<b>four", "five</b> six"]),
        ({"min_ctx_len": 99}, ["one two three <b>four five</b> six"]),
        ({"xml_aware": True}, ["one", "two", "three", "<b>four five</b> six"]),
    ],
)
async def test_streams_over_a_function_that_knows_whole_texts_only(options, tokens):
    settings = {"min_token_len": 1, "min_ctx_len": 1, **options}
    stream = tokenize.BufferedSentenceStream(tokenizer=clauses, **settings)
    for char in "one; two; three; <b>four; five</b> six":
        stream.push_text(char)
    stream.end_input()
    assert await drained(stream) == tokens


async def test_a_function_may_give_the_tokens_without_their_places():
    stream = tokenize.BufferedWordStream(tokenizer=str.split, min_token_len=1, min_ctx_len=1)
    for char in "one  two two":
        stream.push_text(char)
    assert stream._event_ch.qsize() == 2
    stream.end_input()
    assert await drained(stream) == ["one", "two", "two"]


def test_paragraphs():
    assert basic.tokenize_paragraphs("") == []
    assert basic.tokenize_paragraphs(" one\nline \n\n\n two \n \n") == ["one\nline", "two"]


@pytest.mark.parametrize(
    "hyphenated",
    [
        "com-mu-ni-ca-tion",
        "plat-form",
        "syl-la-ble",
        "beau-ti-ful",
        "tem-pe-ra-ture",
        "quick-ly",
        "strength",
        "rain",
        "the",
    ],
)
def test_hyphenation(hyphenated):
    assert "-".join(basic.hyphenate_word(hyphenated.replace("-", ""))) == hyphenated


REPLACEMENTS = {"LiveKit": "Live Kit", "api": "A P I", "ג׳": "third"}


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("livekit's API.", "livekit's A P I."),
        ("Use LIVEKIT, the  API?!\n", "Use Live Kit, the  A P I?!\n"),
        (" rapid api ", " rapid A P I "),
        ("ג׳, ג", "third, ג"),
        ("", ""),
    ],
)
async def test_replaced_words(text, replaced):
    assert utils.replace_words(text=text, replacements=REPLACEMENTS) == replaced

    async def chars() -> AsyncIterator[str]:
        for char in text:
            yield char

    streamed = utils.replace_words(text=chars(), replacements=REPLACEMENTS)
    assert "".join([chunk async for chunk in streamed]) == replaced
