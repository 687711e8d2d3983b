"""Files and functions stay small enough to be read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("runtime", "tools", "console")
FILE_LINES = 500
FUNCTION_LINES = 60


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Name and lines of each function, its decorators aside."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("package", PACKAGES)
def test_no_file_or_function_is_too_long(package: str) -> None:
    too_long, read = [], 0
    for path in sorted((ROOT / package).rglob("*.py")):
        source = path.read_text("utf-8")
        read += 1
        if (lines := source.count("\n")) > FILE_LINES:
            too_long.append(f"{path.relative_to(ROOT)} has {lines} lines, {FILE_LINES} at most")
        for name, lines in functions(source):
            if lines > FUNCTION_LINES:
                too_long.append(f"{name} in {path.relative_to(ROOT)} has {lines} lines, {FUNCTION_LINES} at most")
    assert read
    assert too_long == []
