"""Marks that say how a text is spoken: what is read of it, and what each voice gets."""

from __future__ import annotations

import pytest

from agent_runtime.tts.dialects import DIALECTS
from agent_runtime.tts.markup import MAX_MARK, close_marks, convert, strip_markup, stripper

HAPPY = '<expr type="expression" label="happy"/>'
LAUGH = '<expr type="sound" label="laugh"/>'
BREAK = '<expr type="break" label="500ms"/>'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("Plain words.\n\nMore.  ", "Plain words.\n\nMore.  "),
        (f"{HAPPY} Hello there. {HAPPY} How are you?", "Hello there. How are you?"),
        (f"{HAPPY}Hello.{LAUGH}", "Hello."),
        (f"Well {LAUGH} {BREAK} then", "Well then"),
        (f"Well{LAUGH}  then", "Well  then"),
        (f"One\n{HAPPY} two {LAUGH}\n three", "One\ntwo\n three"),
        ('Code <expr type="spell">A7X9</expr>, <whisper>hush</whisper>!', "Code A7X9, hush!"),
        ('<expr type="prosody" label="slow">so</expr> it is', "so it is"),
        ("a < b, <b>bold</b>, <expression>, <exprs/> x<y", "a < b, <b>bold</b>, , <exprs/> x<y"),
        ("open <expr type=", "open <expr type="),
        (f"<expr label={'x' * MAX_MARK}/>", f"<expr label={'x' * MAX_MARK}/>"),
        ("<short pause>Now <laugh> then", "Now then"),
    ],
)
def test_words_alone_are_read(text: str, words: str) -> None:
    assert strip_markup(text) == words
    marks = stripper()
    assert "".join(map(marks.push, text)) + marks.flush() == words


def test_only_what_may_be_a_mark_is_held_back() -> None:
    marks = stripper()
    assert marks.push("Is 3 <") == "Is 3"
    assert marks.push(" 4? <ex") == " < 4?"
    assert marks.push("it> ") == " <exit>"
    assert marks.push("now") == " now"
    assert marks.flush() == ""


@pytest.mark.parametrize(
    ("key", "native"),
    [
        ("cartesia", '<emotion value="happy"/> Hi. <break time="500ms"/> <spell>A7</spell> so'),
        ("inworld", '[happy] Hi. [laugh] <break time="500ms"/> A7 so'),
        ("xai", "Hi. [laugh] [pause] A7 <slow>so</slow>"),
        ("fishaudio", "[very happy] Hi. [laughing] [break] A7 so"),
        ("fishaudio_drama", "[happy] Hi. [laughing] [short pause] A7 <slow>so</slow>"),
        ("gemini", f"{HAPPY} Hi. <laugh> <short pause> A7 so"),
    ],
)
def test_each_voice_gets_its_own_marks(key: str, native: str) -> None:
    spelled = '<expr type="spell">A7</expr>'
    slow = '<expr type="prosody" label="slow">so</expr>'
    text = f"{HAPPY} Hi. {LAUGH} {BREAK} {spelled} {slow}"
    if key == "cartesia":
        native = native.replace(" so", ' <speed ratio="0.85"/>so')
    assert convert(DIALECTS[key], text) == native


def test_a_long_pause_and_another_name_for_a_sound() -> None:
    text = 'Oh <expr type="break" label="1.5s"/><expr type="sound" label="breathe"/> <expr type="dance" label="x"/> no'
    assert convert(DIALECTS["xai"], text) == "Oh [long-pause][breath] no"
    assert convert(DIALECTS["fishaudio"], '<expr type="break" label="soon"/>') == "[break]"


def test_marks_that_stand_alone_are_closed() -> None:
    assert close_marks('<expr type="sound" label="sigh"> So.') == '<expr type="sound" label="sigh"/> So.'
    assert close_marks(f'{HAPPY}<expr type="spell">A</expr>') == f'{HAPPY}<expr type="spell">A</expr>'


@pytest.mark.parametrize("key", DIALECTS)
def test_a_guide_names_what_the_voice_can_do(key: str) -> None:
    dialect = DIALECTS[key]
    sounds = dialect.allowed_sounds(True)
    assert all(sound in dialect.guide() for sound in sounds)
    assert 'type="sound"' not in dialect.guide(False)
    assert "laugh" not in dialect.allowed_sounds({"laughing": False})
    assert dialect.allowed_sounds({"laughing": True}) == sounds
    assert ('type="spell"' in dialect.guide()) == (key == "cartesia")
