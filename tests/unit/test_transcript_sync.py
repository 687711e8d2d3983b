"""Which words were heard at a position."""

from __future__ import annotations

import pytest

from agent_runtime import TimedString
from agent_runtime.voice.transcript_sync import DEFAULT_PACE, HeardText, Pace, spoken_weight


def text(pace: Pace, *pieces: str, audio: float = 0.0, done: bool = True) -> HeardText:
    heard = HeardText(pace)
    for piece in pieces:
        heard.add_text(piece)
    heard.add_audio(audio)
    if done:
        heard.end_text()
        heard.end_audio()
    return heard


def test_words_come_one_by_one_and_whole() -> None:
    heard = text(Pace(), "one two three", audio=3.0)
    told = [heard.heard(position / 10) for position in range(31)]
    assert sorted(set(told), key=len) == ["", "one", "one two", "one two three"]
    assert told[-1] == "one two three"
    assert told == sorted(told, key=len)


@pytest.mark.parametrize("pieces", [("one two three",), ("o", "ne t", "wo thr", "ee"), ("one", " two", " three")])
def test_how_the_text_was_cut_does_not_matter(pieces: tuple[str, ...]) -> None:
    heard = text(Pace(), *pieces, audio=3.0)
    assert heard.text == "one two three"
    assert heard.heard(1.0) == "one"


def test_punctuation_takes_time() -> None:
    assert spoken_weight("well,") > spoken_weight("wells")
    assert spoken_weight("well.") > spoken_weight("well,")


def test_the_pace_of_a_voice_is_learned() -> None:
    pace = Pace()
    assert pace.seconds_per_weight == DEFAULT_PACE
    text(pace, "one two three", audio=6.0)
    slow = text(pace, "one two three four", audio=10.0, done=False)
    assert slow.heard(2.1) == "one"
    assert text(Pace(), "one two three four", audio=10.0, done=False).heard(2.1) == "one two three"


def test_no_word_is_heard_beyond_the_audio_there_is() -> None:
    assert text(Pace(), "one two three", audio=0.1, done=False).heard(5.0) == ""


def test_the_voices_own_times_win() -> None:
    heard = text(Pace(), "one two three", audio=9.0)
    heard.add_timed([TimedString("one", 0.0, 0.5), TimedString(" two", 0.5, 5.0), TimedString(" three", 5.0, 9.0)])
    assert heard.heard(0.5) == "one"
    assert heard.heard(4.9) == "one"
    assert heard.heard(9.0) == "one two three"
    assert heard.next_change(0.5) == 5.0
    assert heard.next_change(9.0) is None


def test_it_tells_when_to_look_again() -> None:
    heard = text(Pace(), "one two three", audio=3.0)
    position, steps = 0.0, []
    while (change := heard.next_change(position)) is not None:
        steps.append(heard.heard(change))
        position = change
    assert steps == ["one", "one two", "one two three"]
