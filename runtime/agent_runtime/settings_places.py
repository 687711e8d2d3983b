"""Where settings can stand, for whoever needs to know that before there is time to read them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

PROJECT_FILE: Final = "agent-console.toml"
ENV_PREFIX: Final = "AGENT_CONSOLE_"
CONVENTIONAL_VARIABLES: Final[dict[str, str]] = {
    "OPENAI_API_KEY": "openai.api_key",
    "OPENAI_BASE_URL": "openai.base_url",
    "LIVEKIT_URL": "livekit.url",
    "LIVEKIT_API_KEY": "livekit.api_key",
    "LIVEKIT_API_SECRET": "livekit.api_secret",
}
"""Variables that other tools use too, and the settings that they fill."""


def find_project_file(folder: Path) -> Path | None:
    """The nearest `agent-console.toml` in `folder` or above, not past a repository's or the user's own top."""
    for candidate in (folder, *folder.parents):
        if (candidate / PROJECT_FILE).is_file():
            return candidate / PROJECT_FILE
        if (candidate / ".git").exists() or candidate == Path.home():
            return None
    return None


def user_config_file() -> Path:
    """The user's own file, whether it exists or not."""
    from platformdirs import user_config_path

    return user_config_path("agent-console") / "config.toml"


def recordings_folder() -> Path:
    """Where session bundles go if nothing else is said, whether it exists or not."""
    from platformdirs import user_data_path

    return user_data_path("agent-console") / "recordings"


def anything_is_set(folder: Path, environ: Mapping[str, str]) -> bool:
    """Whether any setting may differ from its default: there is a file that can say so, or a variable."""
    if any(name.startswith(ENV_PREFIX) or name in CONVENTIONAL_VARIABLES for name in environ):
        return True
    return (folder / ".env").exists() or find_project_file(folder) is not None or user_config_file().exists()
