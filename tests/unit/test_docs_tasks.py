"""What `docs/tasks.md` shows is true: its tests pass."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")


def test_its_tests_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code: dict[str, str] = {}
    for name, piece in re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, flags=re.DOTALL):
        code[name] = f"{code.get(name, '')}\n\n{piece}"
    assert set(code) == {"desk.py", "test_desk.py"}
    assert PAGE.count("```python") == PAGE.count("```python\n# ")
    for name, text in code.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        module = importlib.import_module("test_desk")
        tests = [function for name, function in inspect.getmembers(module) if name.startswith("test_")]
        assert len(tests) == 3
        for test in tests:
            test()
    finally:
        for name in ("desk", "test_desk"):
            sys.modules.pop(name, None)
