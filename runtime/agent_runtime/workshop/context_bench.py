"""The conversation on the bench: as the model would get it, and rewritten by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agent_runtime import events as ev
from agent_runtime.errors import RequestRefusedError
from agent_runtime.llm import (
    AgentConfigUpdate,
    AgentHandoff,
    ChatContext,
    ChatItem,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    ToolContext,
)
from agent_runtime.llm.token_count import TokenCount, token_count
from agent_runtime.voice.agent import INSTRUCTIONS_ID, Agent
from agent_runtime.voice.offered_tools import offered
from agent_runtime.voice.rehearsal import rehearse

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine
    from agent_runtime.workshop.requests import DeleteItem, EditItem, InsertMessage
    from agent_runtime.workshop.turn_log import TurnLog

Sent: TypeAlias = Literal["kept", "changed", "added", "left_out"]


class ContextBench:
    """See the module. One per session."""

    def __init__(self, engine: Engine, turns: TurnLog) -> None:
        self._engine = engine
        self._turns = turns

    # --- as it is ----------------------------------------------------------------------------------------------------

    async def show(self, cause: str) -> ev.ContextShown:
        """Tell the conversation as the model would get it now."""
        engine, agent = self._engine, self._engine.require_agent()
        counting = await token_count(engine.llm)
        tools = ToolContext(offered([*engine.session._tools, *agent._tools], on_enter=False))
        own = agent._chat_ctx.items
        request = ChatContext(list(own))
        problem = ""
        sent: Sequence[ChatItem] = own
        if type(agent).llm_node is not Agent.llm_node:
            try:
                prepared = await rehearse(agent, request, tools.flatten())
            except Exception as error:  # the agent's own code: whatever it raises is what people want to read
                problem = f"llm_node failed: {type(error).__name__}: {error}".rstrip(": ")
            else:
                if prepared is None:
                    problem = "llm_node doesn't ask the agent's model"
                else:
                    sent = prepared.items
        items = tuple(self._item(item, how, counting) for item, how in compared(own, sent))
        schemas = json.dumps(tools.parse_function_tools("openai")) if tools.function_tools else ""
        shown = ev.ContextShown(
            agent.id,
            items,
            sum(item.tokens for item in items if item.sent != "left_out"),
            counting.count(schemas),
            counting.name,
            counting.exact,
            problem,
        )
        engine.report.emit(shown, cause)
        return shown

    def _item(self, item: ChatItem, how: Sent, counting: TokenCount) -> ev.ContextItem:
        label, text = described(item)
        around = counting.frame(label if isinstance(item, ChatMessage) else "assistant")
        tokens = 0 if isinstance(item, AgentHandoff | AgentConfigUpdate) else around + counting.count(text)
        return ev.ContextItem(item.id, item.type, label, text, tokens, self._turns.turn_of(item), how)

    # --- rewritten ---------------------------------------------------------------------------------------------------

    async def edit(self, request: EditItem) -> None:
        """Change an item: a new one takes its place, since a request that is under way has the old one."""
        agent = self._engine.require_agent()
        if request.item_id == INSTRUCTIONS_ID:
            await agent.update_instructions(request.text)
            return
        item = self._find(request.item_id, "edit")
        changed: ChatItem
        if isinstance(item, ChatMessage):
            rest: list[Any] = [part for part in item.content if not isinstance(part, str)]
            changed = item.model_copy(update={"content": [request.text, *rest]})
        elif isinstance(item, FunctionCall):
            changed = item.model_copy(update={"arguments": _arguments(request.text)})
        elif isinstance(item, FunctionCallOutput):
            changed = item.model_copy(update={"output": request.text})
        else:
            raise RequestRefusedError("edit", f"there is nothing to edit in {item.type.replace('_', ' ')}")
        for context in self._contexts():
            if (index := context.index_by_id(item.id)) is not None:
                context.items[index] = changed

    def insert(self, request: InsertMessage) -> None:
        """Put a message into the conversation."""
        last = self._engine.require_agent()._chat_ctx.items[-1:]
        after = self._find(request.after, "insert") if request.after is not None else (last[0] if last else None)
        created = max(after.created_at, 0.0) if after is not None else self._engine.report.wall()
        message = ChatMessage(role=request.role, content=[request.text], created_at=created)
        self._turns.put(message, self._turns.turn_of(after) if after is not None else None)
        for context in self._contexts():
            index = context.index_by_id(after.id) if after is not None else None
            if index is None:
                context.insert(message)
            else:
                context.items.insert(index + 1, message)

    def delete(self, request: DeleteItem) -> None:
        """Take an item out. A call goes with its output: providers refuse one without the other."""
        if request.item_id == INSTRUCTIONS_ID:
            raise RequestRefusedError("delete", "the instructions can be edited, not deleted")
        item = self._find(request.item_id, "delete")
        call_id = item.call_id if isinstance(item, FunctionCall | FunctionCallOutput) else None
        for context in self._contexts():
            context.items[:] = [
                other
                for other in context.items
                if other.id != item.id and (call_id is None or getattr(other, "call_id", None) != call_id)
            ]

    def _find(self, item_id: str, request: str) -> ChatItem:
        item = self._engine.require_agent()._chat_ctx.get_by_id(item_id)
        if item is None:
            raise RequestRefusedError(request, "this item isn't in the agent's conversation: its llm_node adds it")
        return item

    def _contexts(self) -> tuple[ChatContext, ChatContext]:
        """What the agent remembers, and the session's history."""
        return self._engine.require_agent()._chat_ctx, self._engine.history


def compared(own: Sequence[ChatItem], sent: Sequence[ChatItem]) -> Iterator[tuple[ChatItem, Sent]]:
    """What is sent, in its order, and between it what is left out of the conversation, where it stands there."""
    place = {item.id: index for index, item in enumerate(own)}
    ids = {item.id for item in sent}
    at = 0
    for item in sent:
        here = place.get(item.id)
        if here is None:
            yield item, "added"
            continue
        for left in own[at:here]:
            if left.id not in ids:
                yield left, "left_out"
        at = max(at, here + 1)
        same = own[here] is item or own[here].essence() == item.essence()
        yield item, "kept" if same else "changed"
    for left in own[at:]:
        if left.id not in ids:
            yield left, "left_out"


def described(item: ChatItem) -> tuple[str, str]:
    """Who says it, and what, as plain text."""
    if isinstance(item, ChatMessage):
        parts = [part if isinstance(part, str) else f"[{part.type.replace('_', ' ')}]" for part in item.content]
        return item.role, "\n".join(parts)
    if isinstance(item, FunctionCall):
        return item.name, item.arguments
    if isinstance(item, FunctionCallOutput):
        return item.name, item.output
    if isinstance(item, AgentHandoff):
        return "handoff", f"{item.old_agent_id or 'start'} → {item.new_agent_id}"
    tools = [*(f"+{name}" for name in item.tools_added or ()), *(f"-{name}" for name in item.tools_removed or ())]
    changes = ["instructions" if item.instructions is not None else "", f"tools {' '.join(tools)}" if tools else ""]
    return "change", ", ".join(change for change in changes if change)


def _arguments(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RequestRefusedError("edit", f"the arguments aren't JSON: {error}") from None
    if not isinstance(value, dict):
        raise RequestRefusedError("edit", "the arguments must be a JSON object")
    return text
