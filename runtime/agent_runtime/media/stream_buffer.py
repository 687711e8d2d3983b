"""Bytes on their way from one thread to another, read like a file."""

from __future__ import annotations

import threading

__all__ = ["StreamBuffer"]


class StreamBuffer:
    """A file that another thread still writes: reading waits for the next bytes or the end."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._is_over = False
        self._changed = threading.Condition()

    def write(self, data: bytes) -> None:
        """Add bytes for the reader; dropped after the end."""
        with self._changed:
            if not self._is_over:
                self._data += data
                self._changed.notify_all()

    def read(self, size: int = -1) -> bytes:
        """What is there, at most `size` bytes; waits while there is nothing. Empty at the end, and for 0 bytes."""
        if size == 0:
            return b""
        with self._changed:
            self._changed.wait_for(lambda: self._data or self._is_over)
            count = len(self._data) if size < 0 else size
            out = bytes(self._data[:count])
            del self._data[:count]
            return out

    def end_input(self) -> None:
        """Nothing more is written; the reader gets what is left."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def close(self) -> None:
        """End it here, whatever is still to be read."""
        with self._changed:
            self._data.clear()
            self._is_over = True
            self._changed.notify_all()
