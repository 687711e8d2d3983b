"""Copies of the code that ran, for a bundle."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from agent_runtime.bundle.layout import CODE
from agent_runtime.bundle.scrubbing import Scrubber
from agent_runtime.records import record

LARGEST: Final = 1_000_000
"""Bytes. A larger file is data that the agent reads, not its code or prompt, and stays where it is."""
_SECRET_FILES: Final = (".env", "id_rsa", "id_ed25519", ".netrc", "credentials")
_SECRET_ENDINGS: Final = (".pem", ".key", ".p12", ".pfx", ".env")


@record(frozen=True, slots=True)
class SourceTree:
    """Files of the agent as they were when they were loaded, and which of them is its own."""

    entry: Path
    files: tuple[tuple[Path, bytes], ...]

    @classmethod
    def read(cls, entry: Path, files: Iterable[Path]) -> SourceTree:
        """Read the files now; those that aren't there, hold keys, or are too large are left out. Blocks."""
        wanted = sorted({entry, *(path for path in files if not is_secret(path))})
        return cls(entry, tuple((path, data) for path in wanted if (data := _content(path)) is not None))


def is_secret(path: Path) -> bool:
    """Whether a file holds keys, by its name."""
    name = path.name.lower()
    return name.startswith((".env.", *_SECRET_FILES)) or name.endswith(_SECRET_ENDINGS)


def copy_code(tree: SourceTree, bundle: Path, number: int, scrubber: Scrubber) -> PurePosixPath:
    """Write the files to `agent/<number>` of the bundle; gives the place of the agent's own. Raises OSError."""
    top = Path(os.path.commonpath([path.parent for path, _ in tree.files] or [tree.entry.parent]))
    folder = PurePosixPath(CODE) / str(number)
    for path, data in tree.files:
        place = bundle / folder / path.relative_to(top)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(_without_secrets(data, scrubber))
    return folder / PurePosixPath(*tree.entry.relative_to(top).parts)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= LARGEST else None
    except OSError:
        return None  # deleted meanwhile, or declared before it exists


def _without_secrets(data: bytes, scrubber: Scrubber) -> bytes:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return scrubber.source(text).encode()
