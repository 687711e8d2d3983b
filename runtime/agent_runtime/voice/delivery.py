"""A stretch of text on its way to the listener: through the TTS to the audio output, or as text alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from typing import TYPE_CHECKING

from agent_runtime import events as ev
from agent_runtime.io import PlaybackFinishedEvent
from agent_runtime.types import USERDATA_TIMED_TRANSCRIPT, USERDATA_TTS_STARTED_TIME, TimedString
from agent_runtime.utils import aio
from agent_runtime.voice.agent import Agent
from agent_runtime.voice.blame import blamed, fault, open_node, wrong_piece
from agent_runtime.voice.circuits import name_of, served_by
from agent_runtime.voice.playout import Segment

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime.voice.generation import Step


class Delivery:
    """See the module. Text comes in with `add` and `end`; `run` delivers it once the speech may be heard.

    Without `audio` of its own the voice makes it.
    """

    def __init__(self, step: Step, item_id: str, audio: AsyncIterable[AudioFrame] | None = None) -> None:
        self._step = step
        self.item_id = item_id
        """The message that it belongs to."""
        self.audio = audio
        self.may_be_silent = False
        """Whether `audio` may have no sound at all: the text is shown then."""
        self._engine = step.engine
        self._to_voice = _Text()
        self._to_reader: aio.Chan[str | TimedString] | None = None
        """Only where the agent has a transcription node of its own."""
        self._reads_voice = False
        """Whether that node gets the voice's words with their times, in place of the model's text."""
        if type(step.agent).transcription_node is not Agent.transcription_node:
            self._to_reader = aio.Chan()
            self._reads_voice = step.engine.reads_aligned_words(step.agent) and step.engine.playout.output is not None
        self._segment: Segment | None = None
        self._to_be_read = False
        self._shown: list[str] = []
        self._shown_to_end = False
        self._pending: list[str | TimedString] = []
        self._ended = False
        self._has_words = False
        self._characters = 0
        self._text_at = 0.0
        self._made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._before: asyncio.Task[None] | None = None

    def add(self, delta: str, shown: str | None = None) -> None:
        """More text; those who read it get `shown`, where that differs from what the voice gets."""
        shown = delta if shown is None else shown
        if delta:
            self._has_words = self._has_words or bool(delta.strip())
            self._to_voice.send_nowait(delta)
        if not shown:
            return
        if self._to_reader is not None:
            if not self._reads_voice:
                self._to_reader.send_nowait(shown)
        else:
            self._read(shown)

    def end(self) -> None:
        """That was all of the text."""
        self._ended = True
        self._to_voice.close()
        if self._to_reader is not None:
            if not self._reads_voice:
                self._to_reader.close()
        elif self._segment is not None:
            self._segment.text.end_text()

    def _read(self, text: str | TimedString) -> None:
        if self._segment is not None and isinstance(text, TimedString):
            self._segment.text.add_timed([text])
            self._segment.text.add_text(str(text))
        elif self._segment is not None:
            self._segment.text.add_text(text)
        else:
            self._pending.append(text)

    @property
    def heard(self) -> str:
        """What of it reached the listener, so far if it isn't over."""
        segment = self._segment
        if segment is None:
            return "".join(self._shown)
        if self._is_read:
            return segment.text.text
        if segment.finished.done():
            return segment.heard
        return segment.text.heard(self._engine.playout.position) if segment.started_at is not None else ""

    @property
    def position(self) -> float:
        """How many seconds of it were heard, once it is over."""
        segment = self._segment
        return segment.finished.result().playback_position if segment and segment.finished.done() else 0.0

    @property
    def was_cut(self) -> bool:
        """Whether less than all of it was heard, once it is over."""
        segment = self._segment
        if segment is None:
            return not self._shown_to_end
        if self._is_read:
            return not self._ended
        return not segment.finished.done() or segment.finished.result().interrupted

    @property
    def _is_read(self) -> bool:
        """Whether the output went away before any of it was played: who is there reads it."""
        segment = self._segment
        return self._to_be_read and segment is not None and not segment.captured and self._engine.playout.output is None

    async def settled(self) -> None:
        """Wait until it is known what was heard."""
        segment = self._segment
        if segment is not None and segment.captured and not segment.finished.done():
            await asyncio.wait([segment.finished])
        if segment is not None and self._is_read:
            self._step.heard(self, segment.text.text, 0.0)

    async def made(self, running: asyncio.Task[None]) -> None:
        """Wait until all of its sound is on its way, or it is over: the next may be made then."""
        await asyncio.wait([running, self._made], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()

    async def run(self, before: asyncio.Task[None] | None = None) -> None:
        """Deliver everything, once the one `before` it was heard; returns when it was heard to its end."""
        self._before = before
        reader, audio = None, self.audio
        if self._to_reader is not None:
            reader = asyncio.create_task(self._read_transcription(self._to_reader), name="transcription_node")
        try:
            if self._engine.playout.output is None or (audio is None and not self._engine.can_speak(self._step.agent)):
                await self._show(reader)
            elif audio is None or not self.may_be_silent:
                await self._speak(audio, reader)
            elif (sound := await _with_sound(audio)) is not None:
                await self._speak(sound, reader)
            else:
                await self._show(reader)
        finally:
            if isinstance(audio, AsyncGenerator):
                await audio.aclose()
            if reader is not None:
                await aio.cancel_and_wait(reader)

    async def _read_transcription(self, text: AsyncIterator[str | TimedString]) -> None:
        agent = self._step.agent
        with blamed(agent, "transcription_node"):
            node = agent.transcription_node(text, self._step.settings)
            pieces = await open_node(agent, "transcription_node", node)
            if pieces is not None:
                async for piece in pieces:
                    if not isinstance(piece, str):
                        raise wrong_piece(agent, "transcription_node", piece, "str or TimedString")
                    self._read(piece)
        if self._segment is not None:
            self._segment.text.end_text()

    # --- as speech ---------------------------------------------------------------------------------------------------

    async def _speak(self, audio: AsyncIterable[AudioFrame] | None, reader: asyncio.Task[None] | None) -> None:
        step, engine = self._step, self._engine
        word_times = reader is None and engine.aligned_transcript(step.agent) is not False
        segment = self._segment = engine.playout.open(engine.tts, word_times=word_times)
        segment.on_started = step.began
        segment.on_finished = step.finished
        segment.on_heard = lambda text, position: step.heard(self, text, position)
        for text in self._pending:
            self._read(text)
        if self._ended and reader is None:
            segment.text.end_text()
        frames = audio if audio is not None else self._synthesize()
        making = asyncio.timeout(None)
        try:
            async with making:
                segment.on_unheard = lambda: self._output_went_away(making if reader is None else None)
                if not await self._push(segment, frames):
                    return
            if self._to_reader is not None and self._reads_voice:
                self._to_reader.close()
            if reader is not None:
                await reader
        except TimeoutError:
            if not making.expired():
                raise
            if not (await self._is_next() and await step.may_be_heard()):
                return
        finally:
            segment.on_unheard = None
            if isinstance(frames, AsyncGenerator):
                await frames.aclose()
        if not self._made.done():
            self._made.set_result(None)
        await self._is_next()
        segment.end()
        await asyncio.wait([segment.finished])
        if self._is_read:
            self._segment = None
            self._tell_all(segment.text.text)

    async def _push(self, segment: Segment, frames: AsyncIterable[AudioFrame]) -> bool:
        """Put the sound on its way as it comes; False where it may not be heard."""
        step, allowed = self._step, False
        async for frame in frames:
            if step.first_audio_at is None:
                step.first_audio_at = self._engine.clock.now()
            if not allowed and not (await self._is_next() and await step.may_be_heard()):
                return False
            allowed = True
            if self._to_reader is not None and self._reads_voice:
                for word in frame.userdata.get(USERDATA_TIMED_TRANSCRIPT) or ():
                    self._to_reader.send_nowait(word)
            await segment.push(frame)
        return True

    def _output_went_away(self, making: asyncio.Timeout | None) -> None:
        """Nobody will hear the sound that is being made: the words are read, and needn't wait for it."""
        self._to_be_read = not self._step.speech.interrupted
        if making is not None and self._ended:
            making.reschedule(asyncio.get_running_loop().time())

    async def _is_next(self) -> bool:
        """Wait until what comes before it was heard."""
        if self._before is not None:
            await asyncio.wait([self._before])
        return True

    async def _synthesize(self) -> AsyncGenerator[AudioFrame, None]:
        step, engine = self._step, self._engine
        text: AsyncIterable[str] = self._to_voice
        for transform in engine.text_transforms():
            text = transform(text)
        text = self._counted(text)
        with blamed(step.agent, "tts_node"):
            node = await open_node(step.agent, "tts_node", step.agent.tts_node(text, step.settings))
        if node is None:
            return
        seconds, cancelled = 0.0, True
        frames = node if type(step.agent).tts_node is Agent.tts_node else self._frames_of(node)
        try:
            async for frame in frames:
                if seconds == 0.0:
                    # Providers that cut text into sentences say when the first one went out.
                    self._text_at = frame.userdata.get(USERDATA_TTS_STARTED_TIME) or self._text_at
                    step.synthesis_at = step.synthesis_at or self._text_at
                    ttfb = step.tts_ttfb = engine.clock.now() - self._text_at
                    step._emit(ev.TTSFirstByte(step.speech.id, ttfb))
                seconds += frame.samples_per_channel / frame.sample_rate
                yield frame
            cancelled = False
            if seconds == 0.0 and self._has_words and frames is not node:
                error = fault(step.agent, "tts_node", "tts", "gave no audio for a text")
                engine.report.failed("tts", error, turn_id=step.speech.turn_id)
        finally:
            for generator in (frames, node):
                if isinstance(generator, AsyncGenerator):
                    await generator.aclose()
            if self._characters:
                took = engine.clock.now() - self._text_at
                spoke = served_by(engine.tts)
                step._emit(ev.TTSFinished(step.speech.id, self._characters, seconds, took, cancelled, spoke))

    async def _frames_of(self, node: AsyncIterable[AudioFrame]) -> AsyncGenerator[AudioFrame, None]:
        from livekit.rtc import AudioFrame

        with blamed(self._step.agent, "tts_node"):
            async for frame in node:
                if not isinstance(frame, AudioFrame):
                    raise wrong_piece(self._step.agent, "tts_node", frame, "AudioFrame")
                yield frame

    async def _counted(self, text: AsyncIterable[str]) -> AsyncGenerator[str, None]:
        async for piece in text:
            if not self._characters:
                self._text_at = self._engine.clock.now()
                voice = self._engine.tts
                self._step._emit(ev.TTSStarted(self._step.speech.id, name_of(voice) if voice else ""))
            self._characters += len(piece)
            yield piece

    # --- as text alone -----------------------------------------------------------------------------------------------

    async def _show(self, reader: asyncio.Task[None] | None) -> None:
        step = self._step
        if self._reads_voice and self._to_reader is not None:
            # There is no voice to read.
            async for piece in self._to_voice:
                self._to_reader.send_nowait(piece)
            self._to_reader.close()
        if not (await self._is_next() and await step.may_be_heard()):
            return
        if reader is not None:
            await reader
            self._tell("".join(self._pending))
        else:
            async for piece in self._to_voice:
                self._tell(piece)
        self._tell_all("")

    def _tell_all(self, rest: str) -> None:
        self._tell(rest)
        self._shown_to_end = True
        self._step.finished(PlaybackFinishedEvent(0.0, interrupted=False))

    def _tell(self, piece: str) -> None:
        step = self._step
        if not piece:
            return
        step.began(self._engine.clock.now())
        self._shown.append(piece)
        if self._engine.playout.wants_words():
            step.heard(self, "".join(self._shown), 0.0)


class _Text(aio.Chan[str]):
    """What came while nobody read is read as one piece."""

    def recv_nowait(self) -> str:
        if len(self._queue) < 2:
            return super().recv_nowait()
        text = "".join(self._queue)
        self._queue.clear()
        return text


async def _with_sound(audio: AsyncIterable[AudioFrame]) -> AsyncGenerator[AudioFrame, None] | None:
    """The same once its first frame is there; None if it ends without one."""
    frames = aiter(audio)
    first = await anext(frames, None)
    if first is None:
        return None

    async def all_frames() -> AsyncGenerator[AudioFrame, None]:
        yield first
        async for frame in frames:
            yield frame

    return all_frames()
