"""An agent that overrides its nodes."""

from collections.abc import AsyncIterable

from livekit import rtc
from livekit.agents import Agent, ChatContext, ChatMessage, FlushSentinel, ModelSettings, StopResponse, llm, stt, utils
from livekit.agents.voice import io


class Parrot(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="Repeat what you hear.")
        self.heard = utils.aio.Chan[str]()
        self.seconds = 0.0
        self.shown: list[str] = []

    async def stt_node(
        self, audio: AsyncIterable[rtc.AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterable[stt.SpeechEvent]:
        async for event in Agent.default.stt_node(self, audio, model_settings):
            if event.type == stt.SpeechEventType.FINAL_TRANSCRIPT:
                self.heard.send_nowait(event.alternatives[0].text)
                event.alternatives[0].text = event.alternatives[0].text.replace("LifeKit", "LiveKit")
            yield event

    async def llm_node(
        self, chat_ctx: ChatContext, tools: list[llm.FunctionTool], model_settings: ModelSettings
    ) -> AsyncIterable[llm.ChatChunk | str | FlushSentinel]:
        chat_ctx.items.append(ChatMessage(role="system", content=["Squawk."]))
        yield "Hm. "
        yield FlushSentinel()
        async with self.session.llm.chat(chat_ctx=chat_ctx, tools=tools) as stream:
            async for chunk in stream:
                yield chunk

    async def tts_node(self, text: AsyncIterable[str], model_settings: ModelSettings) -> AsyncIterable[rtc.AudioFrame]:
        async def loud() -> AsyncIterable[str]:
            async for piece in text:
                yield piece.upper()

        async for frame in Agent.default.tts_node(self, loud(), model_settings):
            self.seconds += frame.duration
            yield frame

    async def transcription_node(
        self, text: AsyncIterable[str | io.TimedString], model_settings: ModelSettings
    ) -> AsyncIterable[str | io.TimedString]:
        async for piece in text:
            self.shown.append(str(piece))
            yield piece

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: ChatMessage) -> None:
        if "never mind" in (new_message.text_content or ""):
            raise StopResponse()
