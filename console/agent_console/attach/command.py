"""What the command `attach` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn


def attach(
    url: str | None, token: str | None, job: str | None, *, insecure: bool, config_file: Path | None
) -> NoReturn:
    """Open the console on a worker. Raises AgentConsoleError, with the terminal untouched."""
    from agent_console.attach.address import find_worker
    from agent_console.attach.backend import AttachBackend
    from agent_console.start import check_terminal, run_app, user_themes_folder, with_what_is_there
    from agent_runtime.settings_layers import load_settings

    resolved = with_what_is_there(load_settings(project_file=config_file, lenient=True))
    settings = resolved.settings
    known = settings.attach.token.get_secret_value() if settings.attach.token is not None else None
    address = find_worker(url, token or known, insecure=insecure)
    backend = AttachBackend(address, job)
    options: dict[str, Any] = {} if settings.theme is None else {"theme": settings.theme}
    check_terminal()

    def make() -> Any:
        from agent_console.attach.app import AttachApp

        folders = [user_themes_folder()]
        keys: dict[str, Any] = {"keymap": settings.keys, "places": resolved.origins}
        return AttachApp(backend, notices=[*map(str, resolved.problems)], theme_folders=folders, **keys, **options)

    run_app(make, backend.stop)
