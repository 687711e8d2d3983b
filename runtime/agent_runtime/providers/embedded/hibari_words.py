"""Loading the dictionaries of the bundled voice without holding up everybody else.

`json` parses a text in one go, during which no other thread of the interpreter can run: 0.1 s for each of these
dictionaries, and up to half a second while the machine is busy loading the rest. Here they are parsed entry by entry.
"""

from __future__ import annotations

import gzip
import json
from importlib.resources import files
from json.decoder import WHITESPACE, scanstring  # type: ignore[attr-defined]  # typeshed leaves them out
from typing import Any

from agent_runtime.providers.loading import Progress, require

_decode = json.JSONDecoder().raw_decode


def load_words(report: Progress) -> Any:
    """The `hibari.g2p.G2P` for American English; what its own constructor makes."""
    module: Any = require("hibari.g2p", "the bundled voice (hibari-tts)")

    class GradualG2P(module.G2P):  # type: ignore[misc]  # the base is only known when it runs
        """Sets what the constructor of its base would, from the same files."""

        def __init__(self) -> None:
            self.british = False
            self.unk = ""
            self._oov = None
            lexicons = [_asset(f"lexicon_us_{grade}.json.gz") for grade in ("gold", "silver")]
            report(0.4)
            self.lexicon = module.Lexicon(*lexicons, self.british)
            self.tokenizer = module.Tokenizer(_asset("tokenizer_exceptions.json"))
            self.tagger = module.Tagger(_asset("tagger.json.gz"))
            report(0.8)
            self.oov("words")  # its network is loaded now and not when the first unknown word is to be said

    return GradualG2P()


def _asset(name: str) -> Any:
    data = (files("hibari") / "assets" / name).read_bytes()
    return parse_gradually((gzip.decompress(data) if name.endswith(".gz") else data).decode())


def parse_gradually(text: str) -> Any:
    """What `json.loads` gives; objects down to the second level are built entry by entry."""
    value, end = _parse(text, _skip(text, 0), depth=2)
    if _skip(text, end) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _parse(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth == 0 or text[at : at + 1] != "{":
        return _decode(text, at)
    result: dict[str, Any] = {}
    at = _skip(text, at + 1)
    if text[at : at + 1] == "}":
        return result, at + 1
    while True:
        key, at = scanstring(text, _expect(text, at, '"'), True)
        result[key], at = _parse(text, _skip(text, _expect(text, at, ":")), depth - 1)
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return result, at + 1
        at = _skip(text, _expect(text, at, ","))


def _expect(text: str, at: int, sign: str) -> int:
    """The place after a sign that has to come next."""
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"Expecting {sign!r}", text, at)
    return at + 1


def _skip(text: str, at: int) -> int:
    return int(WHITESPACE.match(text, at).end())
