"""Makes one message of a conversation that went before."""

from __future__ import annotations

from typing import Any, Final

from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatItem, ChatMessage, FunctionCall, FunctionCallOutput
from agent_runtime.llm.llm import LLM

REQUEST: Final = """\
You write the memory of a voice agent. Below is a part of its conversation, one line for each thing that was said by
the user or the agent, or that a tool gave. Write down in a few sentences what must not be forgotten: what the user
wants and prefers, names, numbers and facts, what was decided, and what is still open. State what tools found out as
facts, without naming the tools. Leave out greetings and small talk. Invent nothing."""

SUMMARY_TAG: Final = "summary_of_the_conversation"


async def summarize(context: ChatContext, llm: LLM[Any]) -> ChatContext:
    """A context with one message of the assistant in place of what was said and what tools did.

    Instructions, handoffs and earlier summaries stay. It is an unchanged copy if there is nothing to tell, or the model
    has no words for it. Raises what the model fails with.
    """
    lines = [line for item in context.items if (line := _line(item))]
    if not lines:
        return context.copy()
    request = ChatContext.empty()
    request.add_message(role="system", content=REQUEST)
    request.add_message(role="user", content="\n".join(lines))
    pieces: list[str] = []
    async with llm.chat(chat_ctx=request) as stream:
        async for chunk in stream:
            if chunk.delta is not None and chunk.delta.content:
                pieces.append(chunk.delta.content)
    told = "".join(pieces).strip()
    if not told:
        return context.copy()
    summary = ChatMessage(
        role="assistant",
        content=[f"<{SUMMARY_TAG}>{told}</{SUMMARY_TAG}>"],
        extra={"is_summary": True},
        created_at=context.items[-1].created_at,
    )
    return ChatContext([*(item for item in context.items if not _is_summarized(item)), summary])


def _is_summarized(item: ChatItem) -> bool:
    if isinstance(item, ChatMessage):
        return item.role in ("user", "assistant") and not item.extra.get("is_summary")
    return isinstance(item, FunctionCall | FunctionCallOutput)


def _line(item: ChatItem) -> str:
    if not _is_summarized(item):
        return ""
    if isinstance(item, ChatMessage):
        text = (item.text_content or "").strip()
        return f"{item.role}: {text}" if text else ""
    if isinstance(item, FunctionCall):
        return f"tool call {item.name}: {item.arguments}"
    assert isinstance(item, FunctionCallOutput)
    return f"tool {item.name} {'failed' if item.is_error else 'gave'}: {item.output}"
