"""Where the files that come with the console are."""

from __future__ import annotations

from pathlib import Path


def data_folder(name: str) -> Path:
    """The folder of bundled files called `name`: `themes`, `examples`.

    In an installed wheel they lie inside the package, in a checkout at its root.
    """
    package = Path(__file__).resolve().parent
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parents[1] / name
