import json
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_runtime.media.frames import frame_from_array
from agent_runtime.providers.embedded import vad as embedded_vad
from agent_runtime.providers.embedded.hibari_words import parse_gradually
from agent_runtime.providers.embedded.moonshine import clean
from agent_runtime.providers.embedded.spoken_text import PieceCutter, share_times, speakable, split_words
from agent_runtime.providers.embedded.vad import SileroVAD
from agent_runtime.testing import run_virtual
from tests.support.fake_models import LoudnessModel, loaded, signal

parts = st.lists(st.tuples(st.integers(1, 40), st.sampled_from([0, 400, 450, 900])), min_size=1, max_size=12)
sizes = st.lists(st.integers(1, 4000), min_size=1, max_size=20)


def events(audio, rate, cuts):
    async def main():
        async with SileroVAD(min_silence_duration=0.1, max_buffered_speech=1.0).stream() as stream:
            start = turn = 0
            while start < len(audio):
                size = cuts[turn % len(cuts)]
                stream.push_frame(frame_from_array(audio[start : start + size], rate))
                start, turn = start + size, turn + 1
            stream.end_input()
            return [
                (
                    e.type,
                    e.samples_index,
                    e.speech_duration,
                    e.silence_duration,
                    e.probability,
                    e.speaking,
                    e.raw_accumulated_speech,
                    bytes(e.frames[0].data),
                )
                async for e in stream
            ]

    with patch.object(embedded_vad, "silero_weights", lambda: loaded(LoudnessModel())):
        return run_virtual(main())


@settings(max_examples=40, deadline=None)
@given(parts, sizes, st.sampled_from([16000, 48000, 24000]))
def test_voice_events_do_not_depend_on_the_size_of_frames(shape, cuts, rate):
    audio = signal(*shape)
    if rate != 16000:
        audio = np.repeat(audio, 3)[:: 3 * 16000 // rate]
    assert events(audio, rate, cuts) == events(audio, rate, [rate // 100])


prose = st.text(st.sampled_from("ab AB 1.,;:!?'\"-\n—…*_()[]$%é😀"), max_size=400)


@given(prose, st.lists(st.integers(1, 30), min_size=1))
def test_pieces_are_the_text_however_it_comes(text, cuts):
    def cut(steps):
        cutter, pieces, at, turn = PieceCutter(), [], 0, 0
        while at < len(text):
            step = steps[turn % len(steps)]
            pieces += cutter.push(text[at : at + step])
            at, turn = at + step, turn + 1
        return pieces + cutter.flush()

    pieces = cut(cuts)
    assert "".join(pieces).split() == text.split()
    assert all(len(piece) <= 220 for piece in pieces)


@given(prose)
def test_words_are_the_text(text):
    assert "".join(split_words(text)) == text


@given(prose)
def test_what_is_spoken_has_no_markup(text):
    assert not set("*`~|") & set(speakable(text))


words = st.lists(st.sampled_from(["one", "two", "three", "22°C", "-", "four,"]), max_size=8)


@given(words, words)
def test_shared_times_follow_each_other(said, spoken):
    times = [(n / 2, n / 2 + 0.4) for n in range(len(spoken))]
    shared = share_times(said, spoken, times)
    assert len(shared) == len(said)
    flat = [time for pair in shared for time in pair]
    assert flat == sorted(flat)
    assert all(0 <= time <= len(spoken) / 2 for time in flat)


@given(st.text(max_size=200), st.floats(0, 5))
def test_cleaning_only_takes_away(text, voiced):
    cleaned = clean(text, voiced)
    assert len(cleaned) <= len(text)
    assert clean(cleaned, voiced) == cleaned


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.sampled_from([None, 1, "\t"]))
def test_parsing_gradually_gives_the_same(value, indent):
    assert parse_gradually(json.dumps(value, indent=indent)) == value


@given(json_values.filter(lambda value: isinstance(value, dict)), st.data())
def test_parsing_gradually_refuses_the_same(value, data):
    text = json.dumps(value)
    broken = text[: data.draw(st.integers(0, len(text) - 1))] + data.draw(st.sampled_from(["", "}", ":", "]"]))
    try:
        expected = json.loads(broken)
    except json.JSONDecodeError:
        with pytest.raises(json.JSONDecodeError):
            parse_gradually(broken)
    else:
        assert parse_gradually(broken) == expected
