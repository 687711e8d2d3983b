"""What an agent is told, by how the user is talked to."""

from __future__ import annotations

from typing import Literal

from agent_runtime.llm import ChatContext, ChatMessage, Instructions
from agent_runtime.voice.agent import INSTRUCTIONS_ID, Agent


def instructions_text(agent: Agent, modality: Literal["audio", "text"] = "audio") -> str:
    """An agent's instructions for a modality. A conversation keeps those for speech."""
    instructions = agent.instructions
    return instructions.render(modality=modality) if isinstance(instructions, Instructions) else instructions


def tell_by_modality(context: ChatContext, agent: Agent, modality: Literal["audio", "text"]) -> None:
    """Have a request's `context` tell the model what holds for its modality, unless somebody put other words there."""
    index = context.index_by_id(INSTRUCTIONS_ID)
    kept, wanted = instructions_text(agent), instructions_text(agent, modality)
    if index is None or kept == wanted:
        return
    message = context.items[index]
    if isinstance(message, ChatMessage) and message.text_content == kept:
        # A new message, not a changed one: the conversation has the old one.
        context.items[index] = message.model_copy(update={"content": [wanted]})
