"""Cutting texts into words before tokens, and reading a model's file, without its weights."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.providers.embedded.tokenizer import Tokenizer, words_of


def gguf(file: Path, model: str, merges: list[str]) -> Path:
    """A file that holds nothing but a vocabulary."""

    def string(text: str) -> bytes:
        data = text.encode()
        return struct.pack("<Q", len(data)) + data

    def array(items: list[str]) -> bytes:
        return struct.pack("<IIQ", 9, 8, len(items)) + b"".join(map(string, items))

    pairs = string("tokenizer.ggml.model") + struct.pack("<I", 8) + string(model)
    pairs += string("tokenizer.ggml.merges") + array(merges)
    file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + pairs)
    return file


@given(st.text())
def test_no_character_is_lost_between_words(text: str) -> None:
    assert "".join(words_of(text)) == text


def test_digits_stand_alone_and_a_word_has_the_space_before_it() -> None:
    assert words_of("I'm 42 now,  ok") == ["I", "'m", " ", "4", "2", " now", ",", " ", " ok"]


def test_pairs_are_joined_the_earliest_merge_first(tmp_path: Path) -> None:
    tokenizer = Tokenizer(gguf(tmp_path / "m.gguf", "gpt2", ["l o", "e l", "el l", "ell o", "Ġ w"]))
    assert tokenizer.count("ello") == 2  # el and lo: "l o" comes before what would make it one
    assert tokenizer.count("ell") == 1
    assert tokenizer.count(" w") == 1
    assert tokenizer.count("é") == 2  # bytes that no merge joins
    assert tokenizer.count("") == 0
    assert tokenizer.frame("el") == 4 + 1


@pytest.mark.parametrize(("model", "merges"), [("llama", ["a b"]), ("gpt2", [])])
def test_a_vocabulary_of_another_kind_is_refused(tmp_path: Path, model: str, merges: list[str]) -> None:
    with pytest.raises(ValueError, match=r"m\.gguf has no byte-level vocabulary"):
        Tokenizer(gguf(tmp_path / "m.gguf", model, merges))
