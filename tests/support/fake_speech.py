"""Recognisers, synthesizers and a detector of voice that do what a test tells them."""

from __future__ import annotations

import asyncio

from livekit.rtc import AudioFrame

from agent_runtime import stt, tts, vad
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, NOT_GIVEN, TimedString


def frame(seconds=0.02, rate=16000, value=0):
    count = round(seconds * rate)
    return AudioFrame(value.to_bytes(2, "little", signed=True) * count, rate, 1, count)


def record(emitter, event):
    seen = []
    emitter.on(event, seen.append)
    return seen


def final(text, **kw):
    return stt.SpeechEvent(stt.SpeechEventType.FINAL_TRANSCRIPT, "r", [stt.SpeechData("en", text)], **kw)


class FakeSTT(stt.STT):
    """Every attempt takes the next step of the script: an exception to raise, or the events to send.

    In a stream the events are sent at its end, or at each flush; a number is seconds to wait.
    """

    def __init__(self, *script, name="fake", streaming=True, **capabilities):
        super().__init__(capabilities=stt.STTCapabilities(streaming, interim_results=True, **capabilities))
        self.script = list(script)
        self.name = name
        self.heard = []
        self.options = []
        self.streams = []

    @property
    def model(self):
        return self.name

    def step(self):
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    async def _recognize_impl(self, buffer, *, language=NOT_GIVEN, conn_options):
        self.heard.append(buffer)
        self.options.append(conn_options)
        return await perform(self.step())

    def stream(self, *, language=NOT_GIVEN, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        self.options.append(conn_options)
        self.streams.append(FakeSTTStream(stt=self, conn_options=conn_options))
        return self.streams[-1]


async def perform(step):
    for part in step if isinstance(step, list) else [step]:
        if isinstance(part, float):
            await asyncio.sleep(part)
        elif isinstance(part, Exception):
            raise part
        else:
            return part


class FakeSTTStream(stt.RecognizeStream):
    async def _run(self):
        self.frames = getattr(self, "frames", 0)
        step = self._stt.step()
        if isinstance(step, Exception):
            raise step
        if isinstance(step, int):  # it breaks after so many frames
            async for item in self._input_ch:
                self.frames += isinstance(item, AudioFrame)
                if self.frames == step:
                    raise self._stt.breaks_with
            return
        async for item in self._input_ch:
            if isinstance(item, AudioFrame):
                self.frames += 1
            else:
                self._event_ch.send_nowait(step)


class FakeTTS(tts.TTS):
    """Every attempt takes the next step: an exception to raise, or seconds of audio to give for each text.

    A list is done one after the other: `[0.5, error]` breaks after half a second of audio.
    """

    def __init__(self, *script, name="fake", streaming=True, rate=8000, aligned=False):
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming, aligned_transcript=aligned), sample_rate=rate, num_channels=1
        )
        self.script = list(script)
        self.name = name
        self.asked = []

    @property
    def model(self):
        return self.name

    def step(self):
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step if isinstance(step, list) else [step]

    def synthesize(self, text, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return FakeChunkedStream(tts=self, input_text=text, conn_options=conn_options)

    def stream(self, *, conn_options=DEFAULT_API_CONNECT_OPTIONS):
        return FakeSynthesizeStream(tts=self, conn_options=conn_options)

    def give(self, emitter, step, text):
        for part in step:
            if isinstance(part, Exception):
                raise part
            emitter.push_timed_transcript(TimedString(text, start_time=0.0))
            emitter.push(bytes(2 * round(part * self.sample_rate)))
            emitter.flush()


class FakeChunkedStream(tts.ChunkedStream):
    async def _run(self, output_emitter):
        self._tts.asked.append(self.input_text)
        output_emitter.initialize(
            request_id="r", sample_rate=self._tts.sample_rate, num_channels=1, mime_type="audio/pcm"
        )
        self._tts.give(output_emitter, self._tts.step(), self.input_text)


class FakeSynthesizeStream(tts.SynthesizeStream):
    async def _run(self, output_emitter):
        output_emitter.initialize(
            request_id="r", sample_rate=self._tts.sample_rate, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="s")
        step = self._tts.step()
        async for item in self._input_ch:
            if isinstance(item, str):
                self._mark_started()
                self._tts.asked.append(item)
                self._tts.give(output_emitter, step, item)


class FakeVAD(vad.VAD):
    """Takes a frame whose first sample isn't 0 for speech; speech is over with the second silent frame in a row."""

    def __init__(self):
        super().__init__(capabilities=vad.VADCapabilities(update_interval=0.02))

    def stream(self):
        return FakeVADStream(self)


class FakeVADStream(vad.VADStream):
    async def _main_task(self):
        speech, silent, count = [], 0, 0
        async for item in self._input_ch:
            if not isinstance(item, AudioFrame):
                speech, silent = [], 0
                continue
            count += 1
            voiced = item.data[0] != 0
            silent = 0 if voiced else silent + 1
            self.send("INFERENCE_DONE", [item], count, silent, bool(speech))
            if voiced and not speech:
                speech = [item]
                self.send("START_OF_SPEECH", [item], count, 0, True)
            elif speech:
                speech.append(item)
                if silent == 2:
                    self.send("END_OF_SPEECH", speech, count, silent, False)
                    speech = []

    def send(self, kind, frames, count, silent, speaking):
        self._event_ch.send_nowait(
            vad.VADEvent(
                vad.VADEventType[kind], count * 320, count * 0.02, 0.0, silent * 0.02, list(frames), speaking=speaking
            )
        )
