"""Cutting text into sentences, words and paragraphs, whole or while a model writes it."""

from agent_runtime.tokenize import basic, blingfire, utils
from agent_runtime.tokenize.streams import BufferedSentenceStream, BufferedWordStream
from agent_runtime.tokenize.tokenizer import (
    SentenceStream,
    SentenceTokenizer,
    TokenData,
    WordStream,
    WordTokenizer,
)

__all__ = [
    "BufferedSentenceStream",
    "BufferedWordStream",
    "SentenceStream",
    "SentenceTokenizer",
    "TokenData",
    "WordStream",
    "WordTokenizer",
    "basic",
    "blingfire",
    "utils",
]
