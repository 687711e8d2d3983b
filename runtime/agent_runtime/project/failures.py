"""What is wrong with the user's code: the line of it that failed, and the traceback from there on."""

from __future__ import annotations

import traceback
from pathlib import Path
from types import TracebackType
from typing import Final

from agent_runtime.errors import AgentLoadError

_MACHINERY: Final = ("<frozen importlib", str(Path(__file__).parents[1]))
"""Where frames are that say nothing about the user's code: Python's importing, and ours."""


def explain_failure(exc: BaseException, path: Path, what: str) -> AgentLoadError:
    """An error that names the line of the user's code where `exc` came from, with the traceback from there on."""
    tb = _from_file(exc.__traceback__, path)
    shown = traceback.TracebackException(type(exc), exc, tb)
    shown.stack[:] = [frame for frame in shown.stack if not frame.filename.startswith(_MACHINERY)]
    details = "".join(shown.format()).rstrip()
    file, line = _last_place(tb, path)
    if isinstance(exc, SyntaxError) and exc.filename:
        file, line = Path(exc.filename), exc.lineno
    where = f"{short_path(file)}:{line}" if line else short_path(file)
    message = f"{where}: {what}: {_reason(exc)}"
    return AgentLoadError(message, path=str(file), line=line, details=details)


def without_place(exc: AgentLoadError) -> str:
    """What the error says after `file:line: `, for whoever shows the place by itself."""
    place = f"{short_path(Path(exc.path))}:{exc.line}: " if exc.line else f"{short_path(Path(exc.path))}: "
    return str(exc).removeprefix(place)


def short_path(path: Path) -> str:
    """The path as a person in the current folder would write it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _reason(exc: BaseException) -> str:
    if isinstance(exc, SystemExit):
        return 'it ends the program when it is imported: put that under `if __name__ == "__main__":`'
    if isinstance(exc, ModuleNotFoundError) and exc.name:
        return f"there is no module {exc.name}: install it in this Python, or fix the import"
    if isinstance(exc, FileNotFoundError) and isinstance(exc.filename, str):
        return f"there is no file {short_path(Path(exc.filename))}"
    if isinstance(exc, SyntaxError):
        return f"{type(exc).__name__}: {exc.msg}"
    first_line = (str(exc).splitlines() or [""])[0]
    return f"{type(exc).__name__}: {first_line}" if first_line else type(exc).__name__


def _from_file(tb: TracebackType | None, path: Path) -> TracebackType | None:
    """The traceback without our own frames at its top, if the user's file is in it at all."""
    start = tb
    while start is not None and start.tb_frame.f_code.co_filename != str(path):
        start = start.tb_next
    return start


def _last_place(tb: TracebackType | None, path: Path) -> tuple[Path, int | None]:
    """The innermost line of the user's own code: in `path`, or in a file of the same project that it imports."""
    place: tuple[Path, int | None] = (path, None)
    while tb is not None:
        file = Path(tb.tb_frame.f_code.co_filename)
        if file == path or (file.is_relative_to(path.parent) and "site-packages" not in file.parts):
            place = (file, tb.tb_lineno)
        tb = tb.tb_next
    return place
