"""Writes docs/settings.md from the settings themselves.

python -m tests.support.settings_page
"""

from __future__ import annotations

from pathlib import Path

from agent_runtime.settings import PROFILES, Settings
from agent_runtime.settings_layers import setting_descriptions
from agent_runtime.settings_places import CONVENTIONAL_VARIABLES, ENV_PREFIX

PAGE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"

_CONVENTIONAL = ", ".join(f"`{variable}`" for variable in CONVENTIONAL_VARIABLES)

HEAD = f"""\
# Settings

A value comes from the first of these that has it:

1. a flag, `--log-level debug`
2. the environment, `{ENV_PREFIX}LOG_LEVEL=debug`; also the conventional
   {_CONVENTIONAL}
3. a `.env` file beside the agent, with the same variables
4. the project's `agent-console.toml`, beside the agent or in the nearest folder above it
5. your own `config.toml` in `~/.config/agent-console` (on macOS and Windows, where such files are kept there)
6. the profile
7. the default

`agent-console config` shows each value and where it came from. A wrong flag or variable is refused in one line that
says what would be right. What is wrong in a file is left out: the console opens with the rest and names file, line and
setting; `agent-console config` and `doctor` do too. Where nobody looks at a screen (`--headless`, `test`,
`replay --run`), a wrong file is refused.

```toml
# agent-console.toml
agent = "my_agent.py"
llm = "openai:gpt-4.1-mini"

[endpointing]
min_delay = 0.4
```

| setting | default | |
|---|---|---|
"""


def page() -> str:
    """The page as it should be."""
    defaults = Settings.from_sources(())
    rows = []
    for name, description in setting_descriptions().items():
        value: object = defaults
        for part in name.split("."):
            value = getattr(value, part)
        shown = "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"
        rows.append(f"| `{name}` | {shown} | {description} |")
    profiles = []
    for name, values in PROFILES.items():
        shown = ", ".join(f"`{key} = {str(value).lower()}`" for key, value in values.items())
        profiles.append(f"| `{name}` | {shown or 'the defaults'} |")
    return HEAD + "\n".join(rows) + "\n\n| profile | sets |\n|---|---|\n" + "\n".join(profiles) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
