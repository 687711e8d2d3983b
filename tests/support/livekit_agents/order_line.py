"""An agent with tools, as the starter template of LiveKit Agents is built."""

import logging
from typing import Annotated

from livekit import rtc
from livekit.agents import (
    Agent,
    AgentSession,
    AutoSubscribe,
    JobContext,
    JobProcess,
    MetricsCollectedEvent,
    RoomInputOptions,
    RunContext,
    ToolError,
    WorkerOptions,
    cli,
    metrics,
)
from livekit.agents.llm import function_tool
from livekit.plugins import deepgram, elevenlabs, noise_cancellation, openai, silero
from livekit.plugins.turn_detector.multilingual import MultilingualModel
from pydantic import Field

logger = logging.getLogger("order-line")

STOCK = {"kettle": 3, "lamp": 0}


class OrderLine(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You take orders for a small shop. Be brief.")

    async def on_enter(self) -> None:
        await self.session.say("Shop line, what can I get you?")

    @function_tool
    async def in_stock(self, context: RunContext, item: str) -> dict:
        """Look up how many there are of an item.

        Args:
            item: what the customer wants
        """
        if item not in STOCK:
            raise ToolError(f"we don't sell a {item}")
        logger.info("looked up %s", item)
        return {"item": item, "count": STOCK[item]}

    @function_tool()
    async def order(
        self, context: RunContext, item: str, count: Annotated[int, Field(ge=1, description="how many")]
    ) -> str:
        """Place an order."""
        context.disallow_interruptions()
        STOCK[item] -= count
        return f"{count} {item} ordered"


def prewarm(proc: JobProcess) -> None:
    proc.userdata["vad"] = silero.VAD.load(min_silence_duration=0.4)


async def entrypoint(ctx: JobContext) -> None:
    await ctx.connect(auto_subscribe=AutoSubscribe.AUDIO_ONLY)
    session = AgentSession(
        vad=ctx.proc.userdata["vad"],
        stt=deepgram.STT(model="nova-3"),
        llm=openai.LLM(model="gpt-4o-mini"),
        tts=elevenlabs.TTS(),
        turn_detection=MultilingualModel(),
    )
    usage = metrics.UsageCollector()

    @session.on("metrics_collected")
    def collect(event: MetricsCollectedEvent) -> None:
        usage.collect(event.metrics)

    @ctx.room.on("participant_disconnected")
    def left(participant: rtc.RemoteParticipant) -> None:
        logger.info("%s left", participant.identity)

    await session.start(
        agent=OrderLine(),
        room=ctx.room,
        room_input_options=RoomInputOptions(noise_cancellation=noise_cancellation.BVC()),
    )


if __name__ == "__main__":
    cli.run_app(WorkerOptions(entrypoint_fnc=entrypoint, prewarm_fnc=prewarm))
