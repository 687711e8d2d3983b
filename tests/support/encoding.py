"""Audio files as browsers and providers make them."""

from __future__ import annotations

import io

import av
import numpy as np
from numpy.typing import NDArray


def encoded(samples: NDArray[np.int16], sample_rate: int, container: str, codec: str) -> bytes:
    """`int16[samples]` as a file of a container and a codec, by FFmpeg's names."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=48000 if codec == "libopus" else sample_rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(stream.format.name, "mono", stream.rate, frame_size=stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = sample_rate
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()
