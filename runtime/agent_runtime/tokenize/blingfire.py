"""LiveKit Agents' name for its default sentence tokenizer. Here it is the one by rules, without the native library."""

from __future__ import annotations

from agent_runtime.tokenize import tokenizer
from agent_runtime.tokenize.sentences import SentenceCutter
from agent_runtime.tokenize.streams import CutterSentenceStream

__all__ = ["SentenceTokenizer"]


class SentenceTokenizer(tokenizer.SentenceTokenizer):
    """Cuts text into sentences.

    Args:
        min_sentence_len: characters; shorter sentences are joined with the next one.
        stream_context_len: characters that are there before a stream cuts anything.
        retain_format: keep line breaks and the white space between sentences.
        max_token_len: sentences are not joined to more than this; one that is longer by itself stays whole.
        min_token_len: the same as `min_sentence_len`, for streams; the larger one counts.
        xml_aware: don't cut inside an XML element.
    """

    def __init__(
        self,
        *,
        min_sentence_len: int = 20,
        stream_context_len: int = 10,
        retain_format: bool = False,
        max_token_len: int | None = None,
        min_token_len: int | None = None,
        xml_aware: bool = False,
    ) -> None:
        if max_token_len is not None and min_token_len is not None and min_token_len > max_token_len:
            raise ValueError(f"min_token_len is {min_token_len}; it must be at most max_token_len, {max_token_len}")
        self._min_sentence_len = min_sentence_len
        self._min_token_len = max(min_sentence_len, min_token_len or 0)
        self._stream_context_len = stream_context_len
        self._retain_format = retain_format
        self._max_token_len = max_token_len
        self._xml_aware = xml_aware

    def tokenize(self, text: str, *, language: str | None = None) -> list[str]:
        """Give the sentences of a whole text."""
        cutter = self._cutter(self._min_sentence_len, None)
        return [*cutter.push(text), *cutter.flush()]

    def stream(self, *, language: str | None = None) -> tokenizer.SentenceStream:
        """Start a stream."""
        return CutterSentenceStream(self._cutter(self._min_token_len, self._max_token_len))

    def _cutter(self, min_len: int, max_len: int | None) -> SentenceCutter:
        return SentenceCutter(
            min_len=min_len,
            min_context=self._stream_context_len,
            retain_format=self._retain_format,
            max_len=max_len,
            markup=self._xml_aware,
        )
