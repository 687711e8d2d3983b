"""`livekit.plugins.silero`: the bundled detector with the plugin's option names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agent_runtime.providers.embedded.vad import SileroVAD
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given


class VAD:
    """`VAD.load()` gives the detector."""

    @classmethod
    def load(
        cls,
        *,
        min_speech_duration: float = 0.05,
        min_silence_duration: NotGivenOr[float] = NOT_GIVEN,
        prefix_padding_duration: float = 0.5,
        max_buffered_speech: float = 60.0,
        activation_threshold: float = 0.5,
        sample_rate: Literal[8000, 16000] = 16000,
        force_cpu: bool = True,
        onnx_file_path: NotGivenOr[Path | str] = NOT_GIVEN,
        deactivation_threshold: NotGivenOr[float] = NOT_GIVEN,
        padding_duration: NotGivenOr[float] = NOT_GIVEN,
    ) -> SileroVAD:
        """Make a detector; its weights are loaded when it is first used, or by its `load`.

        Args:
            min_speech_duration: see `SileroVAD`; so are the other durations and thresholds.
            min_silence_duration: unset, that of `SileroVAD`, which is shorter than the plugin's.
            prefix_padding_duration: see `SileroVAD`.
            max_buffered_speech: see `SileroVAD`.
            activation_threshold: see `SileroVAD`.
            sample_rate: makes no difference: audio of any rate is looked at with 16 kHz.
            force_cpu: makes no difference: it always computes on the CPU.
            onnx_file_path: weights of one's own, which aren't taken.
            deactivation_threshold: see `SileroVAD`.
            padding_duration: the old name of `prefix_padding_duration`.

        Raises:
            ValueError: weights of one's own are asked for, or a value can't be.
        """
        if is_given(onnx_file_path):
            raise ValueError(f"onnx_file_path is {str(onnx_file_path)!r}: only the bundled weights can be used")
        silence = {"min_silence_duration": min_silence_duration} if is_given(min_silence_duration) else {}
        return SileroVAD(
            min_speech_duration=min_speech_duration,
            prefix_padding_duration=padding_duration if is_given(padding_duration) else prefix_padding_duration,
            max_buffered_speech=max_buffered_speech,
            activation_threshold=activation_threshold,
            deactivation_threshold=deactivation_threshold,
            **silence,
        )
