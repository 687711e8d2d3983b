"""Whether the user is done, judged from how it sounds: melody and pace of the last seconds, not the words.

The model is Smart Turn 3.2 (BSD-2, 23 languages), an encoder of Whisper's kind with one output, taken from the package
that carries it. It tells trailing off from finishing, and is at a loss where a reading is theatrical: how well it does
on lines of our own is measured by `python -m tests.benchmarks.bench_turn_detector --audio`. It is a hint, which is why
the text detector is the default.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from livekit.rtc import AudioFrame
from numpy.typing import NDArray

from agent_runtime.errors import MissingDependencyError
from agent_runtime.media.frames import to_array
from agent_runtime.media.mix import to_mono
from agent_runtime.media.resample import Resampler
from agent_runtime.providers.embedded.log_mel import RATE, log_mel
from agent_runtime.providers.loading import Weights, require
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from agent_runtime.voice.turn import TurnDetectionEvent

SECONDS = 8
"""What the model listens to: the latest; silence comes before a shorter turn."""
THRESHOLD = 0.5
"""Below it the user most likely goes on: what the model was trained for."""
PREDICTION_TIMEOUT = 0.5
"""Seconds after which an opinion is too late to matter."""
INSTALL = "pip install --no-deps pipecat-ai==1.14.0"
"""The weights' package is never imported, and none of its dependencies are used."""
LANGUAGES = frozenset(
    "ar bn zh da nl de en fi fr hi id it ja ko mr no pl pt ru es tr uk vi".split()  # noqa: SIM905  # reads better
)
_WEIGHTS = "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"


def find_weights() -> Path:
    """Where the weights are installed.

    Raises:
        MissingDependencyError: they aren't.
    """
    spec = importlib.util.find_spec("pipecat")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        if (path := Path(folder, _WEIGHTS)).is_file():
            return path
    raise MissingDependencyError("the audio turn detector (its weights are in pipecat-ai 1.14)", INSTALL)


class SmartTurn:
    """The loaded model. `probability` may be called from one thread at a time."""

    def __init__(self, path: Path) -> None:
        ort: Any = require("onnxruntime", "the audio turn detector (onnxruntime)")
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def probability(self, samples: NDArray[np.int16]) -> float:
        """Probability, 0 to 1, that a turn that ends like `int16[samples]` at 16 kHz is over. Takes about 0.1 s."""
        latest = samples[-SECONDS * RATE :].astype(np.float32) / 32768
        signal = np.pad(latest, (SECONDS * RATE - len(latest), 0))
        signal = ((signal - signal.mean()) / np.sqrt(signal.var() + 1e-7)).astype(np.float32)
        (output,) = self._session.run(None, {"input_features": log_mel(signal)[None]})
        return float(output[0, 0])


class AudioTurnDetector:
    """A turn detector that listens: `AgentSession(turn_handling={"turn_detection": AudioTurnDetector()})`."""

    def __init__(self, *, model: Path | str | None = None, threshold: float = THRESHOLD) -> None:
        """Name the weights, without loading them.

        Raises:
            MissingDependencyError: a package isn't installed.
        """
        self._path = find_weights() if model is None else Path(model)
        self._weights: Weights[SmartTurn] = Weights(lambda _: SmartTurn(self._path))
        self._threshold = threshold

    @property
    def model(self) -> str:
        """The file's name without its ending."""
        return self._path.stem

    @property
    def provider(self) -> str:
        """Always `embedded`."""
        return "embedded"

    async def load(self, on_progress: Callable[[float], None] | None = None) -> None:
        """Have the weights in memory. A prediction made before waits for it."""
        await self._weights.get(on_progress)

    def stream(self, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS) -> AudioTurnDetectorStream:
        """Listen to a user. There is no connection: `conn_options` is taken since others need it."""
        return AudioTurnDetectorStream(self, self._weights, self._threshold)


class AudioTurnDetectorStream:
    """One user's voice, and what it says about the end of the turn. Computes in a thread of its own."""

    is_fallback = False
    prediction_timeout = PREDICTION_TIMEOUT

    def __init__(self, detector: AudioTurnDetector, weights: Weights[SmartTurn], threshold: float) -> None:
        self._detector = detector
        self._weights = weights
        self._threshold = threshold
        self._heard = np.zeros(SECONDS * RATE, np.int16)
        self._length = 0
        self._resampler: Resampler | None = None
        self._last_frame_at = 0.0
        self._asked: asyncio.Future[TurnDetectionEvent] | None = None
        self._working: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "smart-turn")
        self._closed = False

    @property
    def model(self) -> str:
        """The file's name without its ending."""
        return self._detector.model

    @property
    def provider(self) -> str:
        """Always `embedded`."""
        return self._detector.provider

    async def unlikely_threshold(self, language: str | None) -> float | None:
        """Below this probability the user is taken to go on; None for a language that it doesn't know."""
        return self._threshold if await self.supports_language(language) else None

    async def backchannel_threshold(self, language: str | None) -> float | None:
        """None: it has no opinion on where a listener's word would fit."""
        return None

    async def supports_language(self, language: str | None) -> bool:
        """Whether the model was trained on it; a language that isn't known is taken for one."""
        return language is None or language.lower().replace("_", "-").split("-")[0] in LANGUAGES

    def push_audio(self, frame: AudioFrame) -> None:
        """Listen to more. Any rate and channels."""
        if self._closed:
            return
        samples = to_mono(to_array(frame))
        if frame.sample_rate != RATE:
            if self._resampler is None or self._resampler.in_rate != frame.sample_rate:
                self._resampler = Resampler(frame.sample_rate, RATE)
            samples = self._resampler.push(samples)
        samples = samples[-len(self._heard) :]
        if (too_many := self._length + len(samples) - len(self._heard)) > 0:
            self._heard[:-too_many] = self._heard[too_many:].copy()
            self._length -= too_many
        self._heard[self._length : self._length + len(samples)] = samples
        self._length += len(samples)
        self._last_frame_at = time.time()

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        """Judge what was heard so far; a question that was still open is dropped."""
        self.cancel_inference()
        asked = self._asked = asyncio.get_running_loop().create_future()
        if self._closed or not self._length:
            asked.set_result(self._event(1.0))
        else:
            heard = self._heard[: self._length].copy()
            self._working = asyncio.create_task(self._answer(asked, heard, self._last_frame_at), name="smart-turn")
        return asked

    def cancel_inference(self, *, timed_out: bool = False) -> None:
        """Drop the open question: whoever waits is told that the user goes on."""
        if self._working is not None:
            self._working.cancel()
            self._working = None
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(self._event(0.0))
        self._asked = None

    def flush(self, reason: str | None = None) -> None:
        """Forget what was heard: another turn begins."""
        self.cancel_inference()
        self._length = 0
        self._resampler = None

    def end_input(self) -> None:
        """No more audio will come."""
        self.flush()
        self._closed = True

    async def aclose(self) -> None:
        """Stop; a computation under way is left to end in its thread."""
        self.end_input()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _answer(
        self, asked: asyncio.Future[TurnDetectionEvent], heard: NDArray[np.int16], heard_at: float
    ) -> None:
        try:
            model = await self._weights.get()
            began = time.perf_counter()
            loop = asyncio.get_running_loop()
            probability = await loop.run_in_executor(self._thread, model.probability, heard)
        except Exception as exc:
            if not asked.done():
                asked.set_exception(exc)
            return
        event = self._event(probability)
        event.inference_duration = time.perf_counter() - began
        event.detection_delay = time.time() - heard_at
        if not asked.done():
            asked.set_result(event)

    def _event(self, probability: float) -> TurnDetectionEvent:
        return TurnDetectionEvent("eot_prediction", probability, last_speaking_time=self._last_frame_at or time.time())
