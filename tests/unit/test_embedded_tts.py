import asyncio
import threading

import numpy as np
import pytest

from agent_runtime.providers.embedded.hibari import Speech
from agent_runtime.providers.embedded.speaker import OwnSpeaker
from agent_runtime.providers.embedded.spoken_text import PieceCutter, share_times, speakable, split_words
from agent_runtime.providers.embedded.tts import SENTENCE_PAUSE, HibariTTS
from agent_runtime.types import USERDATA_TIMED_TRANSCRIPT, TimedString
from tests.support.fake_models import loaded
from tests.support.fake_speech import record


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("**Bold** and `code` and _this_", "Bold and code and this"),
        ("## Heading\n- first\n* second", "Heading\nfirst\nsecond"),
        ("snake_case stays", "snake_case stays"),
        ("See [the page](https://a.b/c).", "See the page."),
        ("![a picture](x.png)", "a picture"),
        ("It rose, i.e. 8.5%.", "It rose, that is, 8.5%."),
        ("Fruit, e.g., apples", "Fruit, for example, apples"),
        ("Open 24/7, for 1/2 price", "Open 24 7, for one half price"),
        ("yes/no on 3/4/2025", "yes or no on 3/4/2025"),
        ("Go to https://www.example.com/a/b?c=1#d.", "Go to example.com slash a slash b."),
        ("wait , what ?", "wait, what?"),
    ],
)
def test_text_becomes_speakable(text, said):
    assert speakable(text) == said


def cut(*texts):
    cutter = PieceCutter()
    return [cutter.push(text) for text in texts], cutter.flush()


def joined(pieces):
    pushed, rest = pieces
    return [piece for part in pushed for piece in part] + rest


def test_a_sentence_goes_out_when_the_next_begins():
    assert cut("Hello there", ". And", " more.") == ([[], ["Hello there."], []], [" And more."])


def test_the_first_clause_goes_out_alone_once_it_is_long_enough():
    pushed, rest = cut("Well, the weather in Paris, I think, is fine. And the next, too, is a sentence.")
    assert pushed == [["Well, the weather in Paris, ", "I think, is fine."]]
    assert rest == [" And the next, too, is a sentence."]


def test_the_same_words_come_out_whether_they_come_at_once_or_not():
    text = "Well, the weather in Paris, I think, is fine. Dr. Who, e.g. the old one, came at 8.5 sharp, with a hat."
    whole = cut(text)
    letters = cut(*text)
    assert joined(whole) == joined(letters)


def test_a_very_long_sentence_is_cut_at_its_commas():
    pieces = joined(cut("It goes on and on, " * 30))
    assert all(len(piece) <= 220 and piece.endswith("on, ") for piece in pieces)
    assert "".join(pieces) == "It goes on and on, " * 30
    assert [len(piece) for piece in cut("x" * 500)[1]] == [220, 220, 60]


def test_another_text_begins_after_the_end():
    cutter = PieceCutter()
    cutter.push("One.")
    cutter.flush()
    assert cutter.push("Well, the weather in Paris, I think") == ["Well, the weather in Paris, "]


def test_words_get_the_time_of_what_is_said_for_them():
    words = split_words("It is 22°C, warm. ")
    assert words == ["It ", "is ", "22°C, ", "warm. "]
    spoken = ["It", "is", "22", "degrees", "Celsius,", "warm."]
    times = [(0.0, 0.2), (0.2, 0.4), (0.4, 0.8), (0.8, 1.2), (1.2, 2.0), (2.0, 2.5)]
    assert share_times(words, spoken, times) == [(0.0, 0.2), (0.2, 0.4), (0.4, 2.0), (2.0, 2.5)]


def test_words_that_are_not_said_have_no_length():
    assert share_times(["Hi ", "😀 ", "you"], ["Hi", "you"], [(0.0, 0.5), (0.5, 1.0)]) == [
        (0.0, 0.5),
        (0.5, 0.5),
        (0.5, 1.0),
    ]
    assert share_times(["😀"], [], []) == [(0.0, 0.0)]


class FakeVoice:
    """A tenth of a second for each word, in a thread that can be held up."""

    def __init__(self):
        self.said = []
        self.go = threading.Event()
        self.go.set()
        self.busy = threading.Event()

    def speak(self, text, *, speed, pause):
        self.busy.set()
        self.go.wait(10)
        self.said.append((text, pause, threading.current_thread().name))
        words = split_words(text) if any(map(str.isalnum, text)) else []
        samples = np.full(2400 * len(words), 100, np.int16)
        return Speech(samples, [TimedString(word, n / 10, (n + 1) / 10) for n, word in enumerate(words)])


@pytest.fixture
async def tts():
    async with HibariTTS() as tts:
        tts.voice = FakeVoice()
        tts._speaker = OwnSpeaker(loaded(tts.voice))
        yield tts


async def test_words_are_timed_from_the_start_of_the_segment(tts):
    metrics = record(tts, "metrics_collected")
    async with tts.stream() as stream:
        for text in ("One two. Th", "ree four, five. ", "Six."):
            stream.push_text(text)
        stream.end_input()
        audios = [audio async for audio in stream]
    words = [word for audio in audios for word in audio.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    assert "".join(words) == "One two. Three four, five. Six."
    assert [round(word.start_time, 3) for word in words] == [0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert round(sum(audio.frame.duration for audio in audios), 3) == 0.6
    assert [audio.is_final for audio in audios].index(True) == len(audios) - 1
    assert metrics[0].characters_count == 31
    assert {thread for _, _, thread in tts.voice.said} == {"hibari_0"}


async def test_a_sentence_is_preceded_by_a_pause_but_a_clause_is_not(tts):
    await tts.synthesize("Well, the weather in Paris, I think, is fine. And here too.").collect()
    assert [(text, pause) for text, pause, _ in tts.voice.said] == [
        ("Well, the weather in Paris, ", 0.0),
        ("I think, is fine.", 0.0),
        (" And here too.", SENTENCE_PAUSE),
    ]


async def test_a_cut_speech_leaves_the_thread_at_its_next_piece(tts):
    tts.voice.go.clear()
    stream = tts.stream()
    stream.push_text("One sentence. Two sentences. Three sentences.")
    stream.end_input()
    await asyncio.to_thread(tts.voice.busy.wait, 10)
    await asyncio.wait_for(stream.aclose(), 5)  # it doesn't wait for the thread
    tts.voice.go.set()
    assert (await tts.synthesize("Next.").collect()).duration == pytest.approx(0.1)
    assert [text for text, _, _ in tts.voice.said] == ["One sentence.", "Next."]


async def test_text_without_words_is_silent(tts):
    async with tts.stream() as stream:
        stream.push_text("... !")
        stream.end_input()
        assert [audio async for audio in stream] == []


def test_a_speed_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"speed is 3; it must be from 0.5 to 2.0"):
        HibariTTS(speed=3)
