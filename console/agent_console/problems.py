"""What is wrong in the files that only the console reads: keys, themes and prices."""

from __future__ import annotations

from collections.abc import Iterator

from agent_runtime.settings_layers import ResolvedSettings
from agent_runtime.settings_places import user_config_file


def console_problems(resolved: ResolvedSettings) -> Iterator[str]:
    """A line each with file, line and field: what the console would say when it opens, beyond the settings."""
    from agent_console.base_app import known_actions
    from agent_console.keymap import read_keymap
    from agent_console.prices import FILE, load_prices
    from agent_console.themes import load_themes

    folder = user_config_file().parent
    yield from read_keymap(resolved.settings.keys, known_actions(), resolved.origins)[1]
    yield from (f"theme {problem}" for problem in load_themes([folder / "themes"]).problems)
    yield from load_prices(folder / FILE)[1]
