"""Text on its way to the voice: what is taken out, what stays, and how little is held back."""

from collections.abc import AsyncIterable, AsyncIterator, Callable

import pytest

from agent_runtime.voice.transforms import MAX_HELD, filter_emoji, filter_markdown, replace

# ruff: noqa: RUF001 - the marks of many scripts are the subject
Transform = Callable[[AsyncIterable[str]], AsyncIterable[str]]


async def pieces(transform: Transform, chunks: list[str]) -> list[str]:
    async def stream() -> AsyncIterator[str]:
        for chunk in chunks:
            yield chunk

    return [piece async for piece in transform(stream())]


async def check(transform: Transform, text: str, expected: str) -> None:
    assert "".join(await pieces(transform, [text])) == expected
    assert "".join(await pieces(transform, list(text))) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("Nothing to see.\n\nReally.", "Nothing to see.\n\nReally."),
        ("**bold** and *it*, ***both***! __u__ _v_", "bold and it, both! u v"),
        ("**bold *nested* more** **_x_** _**y**_", "bold nested more x y"),
        ("重要**强调**文字", "重要强调文字"),
        ("5 * 3 = 15, a*b*c, 2**8, snake_case, f(*args, **kw)", "5 * 3 = 15, a*b*c, 2**8, snake_case, f(*args, **kw)"),
        ("*.py and *.txt\nnext **open", "*.py and *.txt\nnext **open"),
        ("***** and * and _ and ** x **", "***** and * and _ and ** x **"),
        ("# Head\n### Sub #1\n####### seven\n#tag", "Head\nSub #1\n####### seven\n#tag"),
        ("- one\n* two\n  + *three*\n-5 degrees\n1. first", "one\ntwo\nthree\n-5 degrees\n1. first"),
        ("> quote\n> > deep\n> - item\na > b", "quote\ndeep\nitem\na > b"),
        ("a\n---\n***\n_ _ _\nb\n--\n- -\n-----", "a\n\n\n\nb\n--\n-\n"),
        ("[link **x**](http://a_b_c) ![img](y) [1] ![a] wow!", "link x img [1] ![a] wow!"),
        ("[open\nnext (and) [a](b", "[open\nnext (and) [a](b"),
        ("`a *b* c` and ``x`y`` and `open", "a *b* c and x`y and `open"),
        ("```python\nprint(1)\n```\nSo: ```js\ny\n```", "\nprint(1)\n\nSo: \ny\n"),
        ("```inline``` and a ```b c``` d", "inline and a b c d"),
        ("I ~~hate~~ love it ~5 ~~ a ~~x", "I  love it ~5 ~~ a ~~x"),
    ],
)
async def test_markdown(text, shown):
    await check(filter_markdown, text, shown)


@pytest.mark.parametrize(
    ("before", "settling", "shown"),
    [
        ("Plain words", "", "Plain words"),
        ("What, snake_", "", "What, snake_"),
        ("Wow!", " ", "Wow! "),
        ("The **bold", "** ", "The bold "),
        ("2 *", " ", "2 * "),
        ("See [1]", " ", "See [1] "),
        ("*open", "\n", "*open\n"),
    ],
)
async def test_nothing_is_held_back_longer_than_it_must(before, settling, shown):
    async def stream() -> AsyncIterator[str]:
        for char in before:
            yield char
        seen.append(len("".join(got)))
        for char in settling:
            yield char
        seen.append(len("".join(got)))

    got: list[str] = []
    seen: list[int] = []
    async for piece in filter_markdown(stream()):
        got.append(piece)
    assert seen[1] == len(shown)
    assert seen[0] < len(shown) or not settling
    assert "".join(got) == shown


@pytest.mark.parametrize("opener", ["*", "**", "_", "`", "~~", "[", "[a](", "!["])
async def test_a_mark_that_nothing_closes_is_let_go(opener):
    text = opener + "x" * (MAX_HELD + len(opener) + 2)
    first, *_ = await pieces(filter_markdown, [text, "more"])
    assert first == text
    await check(filter_markdown, text, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello 👋🏽 world", "Hello  world"),
        ("👨‍👩‍👧 🇳🇴 ❤️ 1️⃣ ⏰ ✅ ★ 🏴󠁧󠁢󠁥󠁮󠁧󠁿!", "   1    !"),
        ("© ™ → € 你好 8.5%", "© ™ → € 你好 8.5%"),
        ("क्\u200dष می\u200cخواهم", "क्\u200dष می\u200cخواهم"),
    ],
)
async def test_emoji(text, shown):
    await check(filter_emoji, text, shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("LiveKit's API, the api of LIVEKIT", "Live Kit's A.P.I., the A.P.I. of Live Kit"),
        ("new york city, New York, new yor", "NYC, NY, new yor"),
        ("aab", "a<api>"),
        ("İapi", "İA.P.I."),
        ("", ""),
    ],
)
async def test_replacing(text, shown):
    transform = replace(
        {"LiveKit": "Live Kit", "api": "A.P.I.", "new york": "NY", "New York City": "NYC", "ab": "<api>"}
    )
    await check(transform, text, shown)


async def test_replacing_by_case():
    await check(replace({"US": "United States", "": "x"}, case_sensitive=True), "US or us", "United States or us")
    await check(replace({}), "as it is", "as it is")
    assert await pieces(replace({"api": "x"}), ["plain", " a", "bc"]) == ["plain", " ", "abc"]
