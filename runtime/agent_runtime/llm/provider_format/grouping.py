"""What vendors' formats have in common: calls beside their outputs, one system text, arguments as objects."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent_runtime.llm.chat_items import ChatItem, ChatMessage, ChatRole, FunctionCall, FunctionCallOutput
from agent_runtime.llm.instructions import DYNAMIC_INSTRUCTIONS_MESSAGE_ID

logger = logging.getLogger(__name__)

INLINE_INSTRUCTIONS: Final = "<instructions>\n{content}\n</instructions>"
"""How instructions look among what the user says."""


@dataclass
class Group:
    """One message, or one answer of the model: its text, its tool calls and their outputs, in the calls' order."""

    message: ChatMessage | None = None
    calls: list[FunctionCall] = field(default_factory=list)
    outputs: list[FunctionCallOutput] = field(default_factory=list)

    def items(self) -> list[ChatMessage | FunctionCall | FunctionCallOutput]:
        """What it holds, in the order in which vendors want it."""
        return [*([self.message] if self.message is not None else []), *self.calls, *self.outputs]


def group_items(items: Sequence[ChatItem]) -> list[Group]:
    """Put every output right after the answer that called for it.

    A call without an output and an output without a call are left out and logged: vendors refuse a request that has
    them. What isn't said to a model (handoffs, changes of the agent) is left out too.
    """
    outputs = {item.call_id: item for item in items if isinstance(item, FunctionCallOutput)}
    groups: list[Group] = []
    by_answer: dict[str, Group] = {}
    called: set[str] = set()
    for item in items:
        if isinstance(item, ChatMessage):
            group = by_answer.get(item.id) if item.role == "assistant" else None
            if group is None or group.message is not None:
                group = Group()
                groups.append(group)
                if item.role == "assistant":
                    by_answer[item.id] = group
            group.message = item
        elif isinstance(item, FunctionCall):
            output = outputs.get(item.call_id)
            if output is None:
                logger.warning(
                    "the call %s of %s has no output, so the model isn't told of it", item.call_id, item.name
                )
                continue
            if item.call_id in called:
                logger.warning("the call %s of %s is there twice, the model is told of one", item.call_id, item.name)
                continue
            called.add(item.call_id)
            answer = item.group_id or item.id.split("/")[0]
            if answer not in by_answer:
                by_answer[answer] = Group()
                groups.append(by_answer[answer])
            by_answer[answer].calls.append(item)
            by_answer[answer].outputs.append(output)
    for call_id in outputs.keys() - called:
        logger.warning("the output of %s has no call, so the model isn't told of it", call_id)
    return groups


def with_one_preamble(
    items: Sequence[ChatItem],
    *,
    merge_dynamic: bool = True,
    role: ChatRole = "user",
    template: str = INLINE_INSTRUCTIONS,
) -> list[ChatItem]:
    """Keep only the first instructions, if nothing is said before them, for vendors that take one system text.

    What comes later (instructions of one reply, of another agent) is put in its place as a message of `role`, as
    `template` has it: its place matters, and these vendors want a user's message anyway. So is
    `Instructions.dynamic` without `merge_dynamic`, for a request that leaves the first instructions out.
    """
    result: list[ChatItem] = []
    preamble_allowed = True
    for item in merge_dynamic_instructions(items) if merge_dynamic else items:
        is_instructions = isinstance(item, ChatMessage) and item.role in ("system", "developer")
        if preamble_allowed or not is_instructions:
            result.append(item)
        elif isinstance(item, ChatMessage) and (text := item.text_content):
            said = template.format(content=text)
            result.append(ChatMessage(id=item.id, role=role, content=[said], created_at=item.created_at))
        if isinstance(item, ChatMessage | FunctionCall | FunctionCallOutput):
            preamble_allowed = False
    return result


def by_turns(
    items: Sequence[ChatItem],
    blocks_of: Callable[[ChatMessage | FunctionCall | FunctionCallOutput], list[dict[str, Any]]],
) -> tuple[list[dict[str, Any]], list[str]]:
    """Messages of users and assistants by turns, made of what `blocks_of` gives for an item, and the system texts.

    For vendors that take one system text, and outputs of tools from the user.
    """
    messages: list[dict[str, Any]] = []
    system: list[str] = []
    for group in group_items(with_one_preamble(items)):
        for item in group.items():
            if isinstance(item, ChatMessage) and item.role in ("system", "developer"):
                system += [item.text_content] if item.text_content else []
                continue
            from_model = isinstance(item, FunctionCall) or (isinstance(item, ChatMessage) and item.role == "assistant")
            blocks = blocks_of(item)
            if not blocks:
                continue
            role = "assistant" if from_model else "user"
            if not messages or messages[-1]["role"] != role:
                messages.append({"role": role, "content": []})
            messages[-1]["content"] += blocks
    return messages, system


def merge_dynamic_instructions(items: Sequence[ChatItem]) -> list[ChatItem]:
    """Put `Instructions.dynamic`, kept as a message of its own, back into the instructions before it."""
    result = list(items)
    for index in range(1, len(result)):
        item, before = result[index], result[index - 1]
        if item.id != DYNAMIC_INSTRUCTIONS_MESSAGE_ID:
            continue
        if isinstance(item, ChatMessage) and isinstance(before, ChatMessage) and before.role in ("system", "developer"):
            merged = before.model_copy(update={"content": [*before.content, *item.content]})
            result[index - 1 : index + 1] = [merged]
        break
    return result


def arguments_object(call: FunctionCall) -> dict[str, Any]:
    """A call's arguments as an object; empty, and logged, if the model wrote something else.

    The call is history: its output tells the model what came of it.
    """
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = None
    if isinstance(arguments, dict):
        return arguments
    logger.warning("the arguments of the call %s of %s are no JSON object, so none are sent", call.call_id, call.name)
    return {}
