"""LiveKit's `tool_execution_updated`: the steps in the life of tool calls, told to who listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from agent_runtime.llm import FunctionCall

if TYPE_CHECKING:
    from agent_runtime.voice.reporter import Reporter


class ToolReports:
    """See the module. One per session."""

    def __init__(self, report: Reporter) -> None:
        self._report = report

    def started(self, call: FunctionCall) -> None:
        """A call begins."""
        self._tell("ToolCallStarted", function_call=call)

    def updated(self, update_id: str, call_id: str, message: str, *, silent: bool) -> None:
        """A call tells how far it is."""
        self._tell("ToolCallUpdated", id=update_id, call_id=call_id, message=message, silent=silent)

    def ended(
        self, final_id: str, call_id: str, message: str | None, status: Literal["done", "error", "cancelled"]
    ) -> None:
        """A call is over."""
        self._tell("ToolCallEnded", id=final_id, call_id=call_id, message=message, status=status)

    def reply(
        self,
        update_ids: list[str],
        status: Literal["scheduled", "completed", "interrupted", "skipped"],
        speech_id: str,
    ) -> None:
        """A reply to what came of calls in the background is scheduled, or over."""
        self._tell("ToolReplyUpdated", update_ids=update_ids, status=status, speech_id=speech_id)

    def _tell(self, kind: str, **fields: Any) -> None:
        def payload() -> Any:
            from agent_runtime.voice import events

            update = getattr(events, kind)(**fields)
            return events.ToolExecutionUpdatedEvent(update=update, created_at=self._report.wall())

        self._report.call("tool_execution_updated", payload)
