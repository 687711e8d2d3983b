"""The bundled Hibari voice: phonemes, network, waveform, and when each word is said."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_runtime.providers.embedded.hibari_words import load_words
from agent_runtime.providers.embedded.spoken_text import share_times, speakable, split_words
from agent_runtime.providers.loading import Progress, require
from agent_runtime.records import record
from agent_runtime.types import TimedString

SAMPLE_RATE = 24000
MAX_PHONEMES = 400
"""What the network was made for at once."""
_DURATIONS = "/Cast_32_output_0"
"""The network's inner value that holds how long each phoneme lasts (hibari-tts 0.2.1)."""
_AUDIBLE = 0.003
"""Of full scale, -50 dBFS: less than this before the first word is silence."""
_LEAD = 0.02
"""Seconds kept before the first audible sample."""


@record(frozen=True, slots=True)
class Speech:
    """`int16[samples]` at 24 kHz, and the words of the text with their times in it; joined they are the text."""

    samples: NDArray[np.int16]
    words: list[TimedString]


class HibariVoice:
    """The loaded voice. `speak` may be called by one thread at a time.

    Raises:
        MissingDependencyError: the package isn't installed.
    """

    def __init__(self, report: Progress = lambda fraction: None) -> None:
        report(0.0)
        hibari: Any = require("hibari.tts", "the bundled voice (hibari-tts)")
        self._dsp: Any = require("hibari.dsp", "the bundled voice (hibari-tts)")
        self._normalize: Any = require("hibari.g2p.normalize", "the bundled voice (hibari-tts)").normalize
        report(0.1)
        weights = (files("hibari") / "assets" / "hibari.onnx").read_bytes()
        self._hibari = hibari.Hibari(model=weights + _graph_output(_DURATIONS), threads=1)
        report(0.2)
        self._g2p = load_words(lambda fraction: report(0.2 + 0.7 * fraction))
        self.speak("One moment, please: warming up.")

    def speak(self, text: str, *, speed: float = 1.0, pause: float = 0.0) -> Speech:
        """Speak one sentence or clause.

        Args:
            text: what to say. Without anything that can be said, the audio is empty.
            speed: 1.0 is the voice's own.
            pause: seconds of silence before the first word.
        """
        words = split_words(text)
        spoken: list[str] = []
        times: list[tuple[float, float]] = []
        parts: list[NDArray[np.float32]] = []
        at = 0.0
        for tokens in self._token_groups(speakable(text)):
            wave, ends = self._synthesize(tokens, speed, rate_seed=len(parts))
            wave, cut = _without_lead(wave, _LEAD if parts or not pause else pause)
            for name, begin, end in ends:
                spoken.append(name)
                times.append((at + max(0.0, begin - cut), at + max(0.0, end - cut)))
            parts.append(wave)
            at += len(wave) / SAMPLE_RATE
        audio = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        samples = (np.clip(audio, -1, 1) * np.float32(32767)).astype(np.int16)
        shared = share_times(words, spoken, times)
        return Speech(samples, [TimedString(w, *t) for w, t in zip(words, shared, strict=True)])

    def _token_groups(self, text: str) -> list[list[Any]]:
        """Tokens with phonemes, in groups that the network can take."""
        groups: list[list[Any]] = [[]]
        size = 0
        for token in self._g2p.phonemize_tokens(self._g2p.tokenize(self._normalize(text))):
            length = len(token.phonemes or "") + 1
            if size + length > MAX_PHONEMES:
                groups.append([])
                size = 0
            groups[-1].append(token)
            size += length
        return [group for group in groups if any(map(str.isalpha, "".join(t.phonemes or "" for t in group)))]

    def _synthesize(
        self, tokens: list[Any], speed: float, *, rate_seed: int
    ) -> tuple[NDArray[np.float32], list[tuple[str, float, float]]]:
        """The audio of a group of tokens, and each written word in it with its start and end in seconds."""
        vocabulary = self._hibari.vocab
        ids = [0]
        words: list[tuple[str, int, int]] = []
        glued = False
        for number, token in enumerate(tokens):
            begin = len(ids)
            ids += [vocabulary[c] for c in token.phonemes or "" if c in vocabulary]
            if glued:
                name, begin, _ = words.pop()
                words.append((name + token.text, begin, len(ids)))
            else:
                words.append((token.text, begin, len(ids)))
            glued = not token.whitespace
            if token.whitespace and number < len(tokens) - 1:
                ids.append(vocabulary[" "])
        ids.append(0)
        feed = {"ids": np.asarray([ids], np.int64), "speed": np.asarray([speed], np.float32)}
        *spectrum, durations = self._hibari.sess.run(None, feed)
        wave = self._dsp.synth(*(part[0] for part in spectrum), np.random.default_rng(rate_seed))
        # The durations are in the network's own steps; the audio's length says how long one is.
        marks = np.concatenate(([0], np.cumsum(durations))) * (len(wave) / SAMPLE_RATE / durations.sum())
        return wave, [(name, float(marks[begin]), float(marks[end])) for name, begin, end in words]


def _without_lead(wave: NDArray[np.float32], lead: float) -> tuple[NDArray[np.float32], float]:
    """The audio with `lead` seconds of silence before it begins, and how many seconds that took off (or put on)."""
    audible = np.flatnonzero(np.abs(wave) > _AUDIBLE)
    cut = (int(audible[0]) if len(audible) else 0) - round(lead * SAMPLE_RATE)
    if cut < 0:
        return np.concatenate((np.zeros(-cut, np.float32), wave)), cut / SAMPLE_RATE
    return wave[cut:], cut / SAMPLE_RATE


def _graph_output(name: str) -> bytes:
    """Bytes that make an inner value of an ONNX model one of its outputs, when they are put after the model's own.

    A protobuf message that is put after another is merged with it, which adds to its lists: field 7 of a ModelProto is
    its graph, field 12 of that its outputs, field 1 of those the name (onnx.proto3).
    """
    message = name.encode()
    for field in (1, 12, 7):
        assert len(message) < 128  # so that the length is one byte
        message = bytes((field << 3 | 2, len(message))) + message
    return message


def load_hibari(report: Progress) -> HibariVoice:
    """Load the voice and let it say something, so that the first reply doesn't wait for what that prepares."""
    return HibariVoice(report)
