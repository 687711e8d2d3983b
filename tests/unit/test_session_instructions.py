"""Instructions that differ with how the user is talked to."""

from __future__ import annotations

from typing import Any

from agent_runtime import Agent, AgentSession
from agent_runtime.llm import AgentConfigUpdate, Instructions
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time


class Guide(Agent):
    def __init__(self) -> None:
        super().__init__(instructions=Instructions("Guide.", audio="Be short.", text="Use lists."))


@in_virtual_time
async def test_the_model_is_told_what_holds_for_speech_or_for_writing():
    model = ScriptedLLM([Answer("One."), Answer("Two."), Answer("Three.")])
    agent = Guide()
    async with AgentSession[Any](llm=model) as session:
        await session.start(agent)
        await session.run(user_input="Where?", input_modality="audio")
        await session.run(user_input="Where?")
        await agent.update_instructions(Instructions(audio="Sing.", text="Write."))
        await session.run(user_input="Where?")
    told = [request.messages()[0].text_content for request in model.requests]
    assert told == ["Guide.\n\nBe short.", "Guide.\n\nUse lists.", "Write."]
    kept = [item.instructions for item in agent.chat_ctx.items if isinstance(item, AgentConfigUpdate)]
    assert kept == ["Guide.\n\nBe short.", "Sing."]
    assert agent.chat_ctx.messages()[0].text_content == "Sing."
