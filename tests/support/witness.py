"""A process that does nothing but wake up: when it is late, the machine had no time for anybody.

python -m tests.support.witness
"""

from __future__ import annotations

import subprocess
import sys
import time
from types import TracebackType

NAP = 0.004
"""Seconds that it sleeps at a time: a block of the speaker's."""
LATE = 0.008
"""Seconds of lateness that are written down: with one more nap, what the speaker has on the way."""


class Witness:
    """Runs one as long as the `with` block; then `stalls` are known."""

    def __init__(self) -> None:
        self.stalls: list[tuple[float, float]] = []
        """(when it woke on the monotonic clock, how late it was), in seconds."""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Witness:
        command = [sys.executable, "-m", "tests.support.witness"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        assert self._process is not None
        written, _ = self._process.communicate("")
        self.stalls = [(float(when), float(late)) for when, late in map(str.split, written.splitlines())]

    def saw(self, begin: float, end: float) -> bool:
        """Whether it was late itself between two times on the monotonic clock."""
        return any(when > begin and when - late < end for when, late in self.stalls)


def main() -> None:
    """Nap until the input ends, and write down each time that was too long."""
    import threading

    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    before = time.monotonic()
    while not over.is_set():
        time.sleep(NAP)
        now = time.monotonic()
        if (late := now - before - NAP) > LATE:
            print(now, late)
        before = now


if __name__ == "__main__":
    main()
