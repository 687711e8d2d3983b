"""What a recogniser is told beside the sound: terms to listen for, and the conversation so far."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypedDict, cast

if TYPE_CHECKING:
    from agent_runtime.llm import LLM
    from agent_runtime.stt import STT
    from agent_runtime.voice.events import ConversationItemAddedEvent
    from agent_runtime.voice.keyterm_detection import KeytermDetector
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)


class KeytermDetectionOptions(TypedDict, total=False):
    """How terms are looked for."""

    enabled: bool
    """Unset: no."""
    llm: LLM[Any] | str | None
    """The model that looks. Unset: the session's."""
    turn_interval: int
    """Look after each so many turns of the user. Unset: 1."""
    max_keyterms: int | None
    """Keep so many of those found, the newest. Unset: all."""
    instructions: str | None
    """In place of our own."""
    timeout: float
    """Seconds that one look may take. Unset: 10."""


class KeytermsOptions(TypedDict, total=False):
    """The older `STTContextOptions`, as `AgentSession(keyterms_options=…)`."""

    keyterms: list[str]
    keyterm_detection: KeytermDetectionOptions


class STTContextOptions(TypedDict, total=False):
    """What a session tells its recogniser beside the sound."""

    keyterms: list[str]
    """Names and words that are hard to guess."""
    keyterm_detection: KeytermDetectionOptions
    """Have a model find more of them in the conversation. Unset: no."""
    forward_chat_context: bool
    """Tell a recogniser that can use it (`STTCapabilities.chat_context`) what was said. Unset: yes."""


class SttContext:
    """Tells the recogniser in use what a session knows; it outlives handoffs and exchanged recognisers.

    Args:
        session: whose.
        options: as given.
    """

    def __init__(self, session: AgentSession[Any], options: STTContextOptions) -> None:
        self._session = session
        self._static = list(dict.fromkeys(options.get("keyterms", ())))
        self._detection = options.get("keyterm_detection", {})
        self._forwards = options.get("forward_chat_context", True)
        self._stt: STT[Any] | None = None
        self._detector: KeytermDetector | None = None
        self._listens = False

    @property
    def keyterms(self) -> list[str]:
        """Those that were given, then those that were found."""
        found = self._detector.terms if self._detector is not None else ()
        return list(dict.fromkeys([*self._static, *found]))

    def set_keyterms(self, keyterms: list[str]) -> None:
        """Listen for these instead of those that were given; what was found stays."""
        self._static = list(dict.fromkeys(keyterms))
        self._tell()

    def use(self, stt: STT[Any] | None) -> None:
        """This recogniser hears from now on."""
        if stt is self._stt:
            return
        self._stt = stt
        if stt is None:
            return
        if self.keyterms:
            self._tell()
        if self._detection.get("enabled") and self._detector is None:
            self._detector = self._new_detector(stt)
        if not self._listens and (self._detector is not None or (self._forwards and stt.capabilities.chat_context)):
            self._listens = True
            self._session.on("conversation_item_added", self._item_added)

    async def aclose(self) -> None:
        """Look for no more terms."""
        if self._detector is not None:
            await self._detector.aclose()

    def _tell(self) -> None:
        if self._stt is not None:
            self._stt._update_session_keyterms(self.keyterms)

    def _new_detector(self, stt: STT[Any]) -> KeytermDetector | None:
        from agent_runtime.llm import LLM
        from agent_runtime.voice.keyterm_detection import KeytermDetector

        if not stt.capabilities.keyterms:
            logger.warning("%s doesn't take keyterms, so none are looked for", stt.label)
            return None
        model = self._detection.get("llm") or self._session.llm
        if not isinstance(model, LLM):
            logger.warning("keyterms are looked for by a language model: give one as keyterm_detection['llm']")
            return None
        return KeytermDetector(model, self._detection, known=lambda: self._static, on_change=self._tell)

    def _item_added(self, event: ConversationItemAddedEvent) -> None:
        if self._forwards and self._stt is not None and self._stt.capabilities.chat_context:
            self._stt._push_conversation_item(event)
        item = event.item
        if self._detector is not None and getattr(item, "role", "") == "user" and getattr(item, "text_content", ""):
            self._detector.user_spoke(self._session.history)


def given_context(context: STTContextOptions | None, keyterms: KeytermsOptions | None) -> STTContextOptions:
    """One from the present argument and the older one. Raises ValueError if both are given."""
    if context and keyterms:
        raise ValueError("give stt_context_options; keyterms_options is its older name")
    return context or cast("STTContextOptions", keyterms or {})
