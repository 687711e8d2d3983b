"""Streams of tokens over anything that cuts a text as it comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from agent_runtime.tokenize.sentences import has_open_markup
from agent_runtime.tokenize.tokenizer import SentenceStream, TokenData, TokenStream, WordStream
from agent_runtime.utils import shortuuid

TokenizeCallable: TypeAlias = Callable[[str], Sequence[str | tuple[str, int, int]]]
"""Gives a text's tokens, alone or with where they begin and end in it."""


class Cutter(Protocol):
    """Cuts one text after another."""

    def push(self, text: str) -> list[str]:
        """Take more text and give the tokens that are certain now."""
        ...

    def flush(self) -> list[str]:
        """Give what is left, and begin a new text."""
        ...


class CutterStream(TokenStream):
    """A stream of what a cutter gives."""

    def __init__(self, cutter: Cutter) -> None:
        super().__init__()
        self._cutter = cutter
        self._segment_id = shortuuid()

    def push_text(self, text: str) -> None:
        """Take more text. Raises RuntimeError once it is closed."""
        self._check_not_closed()
        if text:
            self._send(self._cutter.push(text))

    def flush(self) -> None:
        """End the segment: what is held back comes out as it is. Raises RuntimeError once it is closed."""
        self._check_not_closed()
        self._send(self._cutter.flush())
        self._segment_id = shortuuid()

    def end_input(self) -> None:
        """Flush, and end the iteration after the last token."""
        self.flush()
        self._do_close()

    async def aclose(self) -> None:
        """End the iteration. What is held back is lost."""
        self._do_close()

    def _send(self, tokens: list[str]) -> None:
        for token in tokens:
            self._event_ch.send_nowait(TokenData(self._segment_id, token))


class CutterSentenceStream(CutterStream, SentenceStream):
    """A stream of sentences."""


class CutterWordStream(CutterStream, WordStream):
    """A stream of words."""


class BufferedCutter:
    """Cuts with a function that only knows whole texts: every token but the last one is taken for certain."""

    def __init__(
        self, tokenize: TokenizeCallable, *, min_len: int, min_context: int, max_len: int | None, markup: bool
    ) -> None:
        self._tokenize = tokenize
        self._min_len = min_len
        self._min_context = min_context
        self._max_len = max_len
        self._markup = markup
        self._input = ""
        self._output = ""

    def push(self, text: str) -> list[str]:
        """Take more text and give the tokens that are certain now."""
        self._input += text
        out: list[str] = []
        while len(self._input) >= self._min_context:
            tokens = self._tokenize(self._input)
            if len(tokens) <= 1:
                break
            token, rest = _first(tokens[0], self._input)
            if self._markup and has_open_markup(token):
                break
            self._input = rest
            out += self._joined(token, self._min_len)
        return out

    def flush(self) -> list[str]:
        """Give what is left, and begin a new text."""
        out: list[str] = []
        for token in self._tokenize(self._input) if self._input else ():
            # All that is left goes out together, unless that is too long.
            out += self._joined(_first(token, self._input)[0], None)
        if self._output:
            out.append(self._output)
        self._input = self._output = ""
        return out

    def _joined(self, token: str, min_len: int | None) -> list[str]:
        out: list[str] = []
        if self._max_len and self._output and len(self._output) + 1 + len(token) > self._max_len:
            out.append(self._output)
            self._output = ""
        self._output = f"{self._output} {token}" if self._output else token
        if min_len is not None and len(self._output) >= min_len:
            out.append(self._output)
            self._output = ""
        return out


class BufferedTokenStream(CutterStream):
    """A stream over a function that cuts whole texts.

    Args:
        tokenize_fnc: gives a text's tokens.
        min_token_len: characters that a token has at least; shorter ones are joined.
        min_ctx_len: characters that are there before anything is cut.
        max_token_len: a token longer than this is not made by joining.
        retain_format: kept for LiveKit Agents' signature; the function decides.
        xml_aware: hold a token back that ends inside an XML element.
    """

    def __init__(
        self,
        *,
        tokenize_fnc: TokenizeCallable,
        min_token_len: int,
        min_ctx_len: int,
        max_token_len: int | None = None,
        retain_format: bool = False,
        xml_aware: bool = False,
    ) -> None:
        cutter = BufferedCutter(
            tokenize_fnc, min_len=min_token_len, min_context=min_ctx_len, max_len=max_token_len, markup=xml_aware
        )
        super().__init__(cutter)


class BufferedSentenceStream(BufferedTokenStream, SentenceStream):
    """A stream of sentences over a function that cuts whole texts."""

    def __init__(
        self,
        *,
        tokenizer: TokenizeCallable,
        min_token_len: int,
        min_ctx_len: int,
        max_token_len: int | None = None,
        xml_aware: bool = False,
    ) -> None:
        super().__init__(
            tokenize_fnc=tokenizer,
            min_token_len=min_token_len,
            min_ctx_len=min_ctx_len,
            max_token_len=max_token_len,
            xml_aware=xml_aware,
        )


class BufferedWordStream(BufferedTokenStream, WordStream):
    """A stream of words over a function that cuts whole texts."""

    def __init__(self, *, tokenizer: TokenizeCallable, min_token_len: int, min_ctx_len: int) -> None:
        super().__init__(tokenize_fnc=tokenizer, min_token_len=min_token_len, min_ctx_len=min_ctx_len)


def _first(token: str | tuple[str, int, int], text: str) -> tuple[str, str]:
    """A token's text, and what follows it."""
    if isinstance(token, tuple):
        return token[0], text[token[2] :]
    at = max(text.find(token), 0)
    return token, text[at + len(token) :].lstrip()
