"""What tasks have in common that ask for one thing: take it, read it back, have it confirmed, or be declined."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypedDict, TypeVar

from agent_runtime.llm import LLM, ChatContext, DuplexModel, Instructions, RealtimeModel
from agent_runtime.stt import STT
from agent_runtime.tts import TTS
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.vad import VAD
from agent_runtime.voice.agent_task import AgentTask
from agent_runtime.voice.run_context import RunContext
from agent_runtime.voice.turn import TurnDetectionMode
from agent_tools import FunctionTool, Tool, ToolError, ToolFlag, Toolset, function_tool

T = TypeVar("T")

_RULES: Final = """\
Use only what the user said; invent nothing. Note it with {update} as soon as you have a guess, before you ask or answer
anything else, and again whenever it changes. If it stays unclear, ask for it in parts. Stay with this one matter, don't
greet, and write no Markdown. If the user won't give it, call {decline}. Words alone do nothing: use the tools."""


class WorkflowInstructions(Instructions):
    """Parts of a task's instructions. What is unset is the task's own; an empty text leaves the part out."""

    persona: NotGivenOr[Instructions | str]
    """Who the agent is in the task."""
    extra: Instructions | str
    """Added at the end."""

    def __init__(
        self,
        audio: str = "",
        *,
        text: str | None = None,
        persona: NotGivenOr[Instructions | str] = NOT_GIVEN,
        extra: Instructions | str = "",
    ) -> None:
        super().__init__(audio=audio, text=text)
        object.__setattr__(self, "persona", persona)
        object.__setattr__(self, "extra", extra)


class TaskOptions(TypedDict, total=False):
    """What the task's agent differs in from the one that awaits it; see `Agent`."""

    chat_ctx: NotGivenOr[ChatContext]
    turn_detection: NotGivenOr[TurnDetectionMode | None]
    stt: NotGivenOr[STT[Any] | None]
    vad: NotGivenOr[VAD | None]
    llm: NotGivenOr[LLM[Any] | RealtimeModel | DuplexModel | None]
    tts: NotGivenOr[TTS[Any] | None]
    allow_interruptions: NotGivenOr[bool]


@dataclass(frozen=True)
class Subject:
    """What is asked for."""

    words: str
    """As it is spoken of: `email address`."""
    update: str
    confirm: str
    decline: str
    """The tools' names."""
    spoken: str
    """What the model should know of how it is said aloud."""
    typed: str = ""


class CollectTask(AgentTask[T]):
    """Asks for one thing; awaited, it gives that, and raises ToolError if the user won't tell.

    Args:
        subject: what is asked for.
        update: the tool by which the model notes it; see `tool`.
        instructions: in place of the task's own, or parts of them.
        extra: added to the task's own instructions.
        tools: more tools.
        confirm: whether the user is asked if it is right. Unset: only where they speak.
        options: of the agent.
    """

    def __init__(
        self,
        subject: Subject,
        update: FunctionTool[..., Any],
        *,
        instructions: NotGivenOr[WorkflowInstructions | Instructions | str] = NOT_GIVEN,
        extra: str = "",
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        confirm: NotGivenOr[bool] = NOT_GIVEN,
        options: TaskOptions | None = None,
    ) -> None:
        self._subject = subject
        self._confirm = confirm
        self._noted: T | None = None
        decline = function_tool(
            self._decline,
            name=subject.decline,
            description=f"The user won't give their {subject.words}.",
            flags=ToolFlag.IGNORE_ON_ENTER,
        )
        super().__init__(
            instructions=_instructions(subject, instructions, extra),
            tools=[*(tools if is_given(tools) else []), update, decline],
            **(options or {}),
        )

    async def on_enter(self) -> None:
        """Ask, unless it was said already."""
        subject = self._subject
        self.session.generate_reply(
            instructions=f"Ask for the {subject.words}. If the user has said it before, call {subject.update} instead."
        )

    async def take(self, ctx: RunContext[Any], value: T, read_back: str) -> str | None:
        """The model noted `value`, which is read back as `read_back` unless that needs no confirmation."""
        self._noted = value
        needed = self._confirm if is_given(self._confirm) else ctx.speech_handle.input_details.modality == "audio"
        if not needed:
            self._give(value)
            return None
        confirm = self._subject.confirm
        tool: Tool = function_tool(
            self._confirmed(value), name=confirm, description=f"The user says that the {self._subject.words} is right."
        )
        await self.update_tools([*(known for known in self.tools if known.id != confirm), tool])
        return f"Noted: {read_back}. Read it back and ask whether it is right; don't call {confirm} before they say so."

    def _confirmed(self, value: T) -> Callable[[], Awaitable[str | None]]:
        async def confirmed() -> str | None:
            if value != self._noted:
                return f"The {self._subject.words} has changed since: read the new one back and ask again."
            self._give(value)
            return None

        return confirmed

    def _give(self, value: T) -> None:
        if not self.done():
            self.complete(value)

    async def _decline(self, reason: str) -> None:
        if not self.done():
            self.complete(ToolError(f"the user didn't give their {self._subject.words}: {reason}"))


def flags_of(*, explicit: bool) -> ToolFlag:
    """Of a tool that notes: with `explicit`, it is asked for even if it was said before."""
    return ToolFlag.IGNORE_ON_ENTER if explicit else ToolFlag.NONE


def _instructions(
    subject: Subject, given: NotGivenOr[WorkflowInstructions | Instructions | str], extra: str
) -> Instructions | str:
    parts = given if isinstance(given, WorkflowInstructions) else None
    if given is not NOT_GIVEN and not isinstance(given, WorkflowInstructions):
        return given
    persona: Instructions | str = f"You are one step of a larger conversation: you only find out the {subject.words}."
    if parts is not None and parts.persona is not NOT_GIVEN:
        persona = parts.persona
    added = parts.extra if parts is not None else extra
    rules = _RULES.format(update=subject.update, decline=subject.decline)
    return Instructions(
        "\n\n".join(text for text in (str(persona), rules, str(added)) if text),
        audio=(parts and parts.audio) or f"The user speaks, and a recogniser may have misheard. {subject.spoken}",
        text=(parts and parts.text) or f"The user types. {subject.typed}".strip(),
    )
