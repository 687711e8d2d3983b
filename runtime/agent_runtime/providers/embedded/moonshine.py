"""The bundled Moonshine speech model (tiny, English), called through its C library.

The package's own Python classes turn audio into lists of floats and back while holding the interpreter's lock, which
would stop the event loop for tens of milliseconds; its library takes the samples where they are.
"""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent_runtime.errors import APIError
from agent_runtime.providers.loading import Progress, require

SAMPLE_RATE = 16000
_OPTIONS = {
    "vad_threshold": "0.0",  # the whole audio is one segment: we have found the speech already
    "vad_max_segment_duration": "60.0",
    "return_audio_data": "false",
}


class Moonshine:
    """The loaded model. `transcribe` may be called by one thread at a time.

    Raises:
        MissingDependencyError: the package isn't installed.
        APIError: the library refuses the weights.
    """

    def __init__(self) -> None:
        api: Any = require("moonshine_voice.moonshine_api", "the bundled speech recognition (moonshine-voice)")
        utils: Any = require("moonshine_voice.utils", "the bundled speech recognition (moonshine-voice)")
        self._lib = api._MoonshineLib().lib
        self._transcript_type = api.TranscriptC
        options, count, _alive = api.moonshine_options_array(_OPTIONS)
        path = str(utils.get_model_path("tiny-en")).encode()
        self._handle = self._lib.moonshine_load_transcriber_from_files(
            path, api.ModelArch.TINY.value, options, count, api.MOONSHINE_HEADER_VERSION
        )
        self._check(self._handle)

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """The words in `int16[samples]` at 16 kHz, as the model writes them. Speech only: of silence it makes "You"."""
        audio = samples.astype(np.float32) / np.float32(32768)
        transcript = ctypes.POINTER(self._transcript_type)()
        pointer = audio.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        self._check(
            self._lib.moonshine_transcribe_without_streaming(
                self._handle, pointer, len(audio), SAMPLE_RATE, 0, ctypes.byref(transcript)
            )
        )
        if not transcript:
            return ""
        lines = [transcript.contents.lines[i].text for i in range(transcript.contents.line_count)]
        texts = [ctypes.string_at(line).decode("utf-8", errors="replace") for line in lines if line]
        return " ".join(text.strip() for text in texts).strip()

    def close(self) -> None:
        """Free the weights. Doing so twice does nothing."""
        if self._handle >= 0:
            self._lib.moonshine_free_transcriber(self._handle)
            self._handle = -1

    def _check(self, code: int) -> None:
        if code < 0:
            message = self._lib.moonshine_error_to_string(code)
            raise APIError(f"moonshine: {message.decode() if message else f'error {code}'}", retryable=False)


def load_moonshine(report: Progress) -> Moonshine:
    """Load the model and run it once, so that the first words don't wait for what it prepares on its first run."""
    report(0.0)
    model = Moonshine()
    report(0.7)
    model.transcribe(np.zeros(SAMPLE_RATE, np.int16))
    return model


_FILLERS = frozenset({"", "you", "thank you", "thanks", "bye", "um", "the"})
"""What the model writes when it is given something that isn't speech."""
_DOUBTFUL_SECONDS = 0.35


def clean(text: str, voiced: float) -> str:
    """The text without what the model makes up; empty if that is all there is.

    Args:
        text: as the model wrote it.
        voiced: seconds of the audio in which the detector of voice found some.
    """
    text = re.sub(r"([,.?!])\1+", r"\1", _without_loops(text.strip()))
    if voiced < _DOUBTFUL_SECONDS and re.sub(r"[^a-z ]", "", text.lower()).strip() in _FILLERS:
        return ""
    return text if any(map(str.isalnum, text)) else ""


def _without_loops(text: str) -> str:
    """Cut off where the model got caught: the same up to eight words three times in a row (five, if it is one)."""
    words = text.split()
    keys = [re.sub(r"\W", "", word.lower()) for word in words]
    for size in range(1, 9):
        times = 5 if size == 1 else 3
        for start in range(len(keys) - size * times + 1):
            unit = keys[start : start + size]
            if all(keys[start + size * n : start + size * (n + 1)] == unit for n in range(1, times)):
                return " ".join(words[: start + size])
    return text
