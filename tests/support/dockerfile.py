"""What a Dockerfile says, done in a folder instead of a container: its stages are folders, its commands run as written.

No image is pulled: this machine's Python stands for the base image's. `pip` is played by uv, which has the packages of
this checkout in its cache, `apt-get` and `useradd` by a note of what and who was added. The rest is as a builder does
it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

_PIP = """#!/bin/sh
set -- $(printf '%s\\n' "$@" | grep -vx -e install -e --no-cache-dir)
exec {uv} pip install --quiet "$@"
"""

_APT = r"apt-get update && apt-get install -y --no-install-recommends ([\w -]+) && rm -rf /var/lib/apt/lists/\*"


@dataclass
class Stage:
    """A stage of the build, and what it would leave in an image."""

    root: Path
    name: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    def outside(self, text: str) -> str:
        """The same text with the image's absolute paths as paths of this machine."""
        return re.sub(r"(?<![\w./])/(?=(?:venv|wheels|app)\b)", f"{self.root}/", text)

    def words(self, words: list[str]) -> list[str]:
        """A command of the image as a command of this machine, found on the image's PATH."""
        program = shutil.which(words[0], path=self.environment["PATH"])
        assert program is not None, f"the image has no {words[0]}"
        return [program, *words[1:]]

    @property
    def workdir(self) -> Path:
        """Where its command is run."""
        return self.root / self.folder.lstrip("/")


class Build:
    """One build of the Dockerfile in `context`, its stages in folders of `work`."""

    def __init__(self, context: Path, work: Path) -> None:
        self._context, self._work = context, work
        self._stages: list[Stage] = []
        self._arguments: dict[str, str] = {}
        self._programs = self._base_image()

    def run(self) -> Stage:
        """Do every instruction and return the last stage; raises AssertionError for one that fails or isn't known."""
        text = re.sub(r"\\\n\s*", "", (self._context / "Dockerfile").read_text())
        for line in text.splitlines():
            if line and not line.startswith("#"):
                instruction, _, rest = line.partition(" ")
                getattr(self, f"_{instruction.lower()}")(rest)
        return self._stages[-1]

    def _base_image(self) -> Path:
        programs = self._work / "base"
        programs.mkdir()
        for name in ("python", "python3"):
            (programs / name).symlink_to(sys.executable)
        uv = shutil.which("uv")
        assert uv is not None, "uv isn't on the PATH"
        (programs / "pip").write_text(_PIP.format(uv=shlex.quote(uv)))
        (programs / "pip").chmod(0o755)
        return programs

    @property
    def _stage(self) -> Stage:
        return self._stages[-1]

    def _from(self, rest: str) -> None:
        matched = re.fullmatch(r"python:3\.(\d+)-slim(?: AS (\w+))?", rest)
        assert matched, rest
        stage = Stage(self._work / f"stage{len(self._stages)}", matched[2] or "")
        stage.root.mkdir()
        stage.environment["PATH"] = f"{self._programs}:{os.defpath}"
        self._stages.append(stage)

    def _arg(self, rest: str) -> None:
        name, _, value = rest.partition("=")
        self._arguments[name] = value

    def _env(self, rest: str) -> None:
        for word in shlex.split(rest):
            name, _, value = word.partition("=")
            value = self._stage.outside(value).replace("$PATH", self._stage.environment["PATH"])
            self._stage.environment[name] = value

    def _run(self, rest: str) -> None:
        if rest.startswith("useradd "):
            parser = argparse.ArgumentParser(exit_on_error=False)
            parser.add_argument("--uid", required=True)
            parser.add_argument("--create-home", action="store_true")
            parser.add_argument("name")
            added = parser.parse_args(shlex.split(rest)[1:])
            self._stage.users[added.name] = added.uid
            return
        if matched := re.fullmatch(_APT, rest):
            self._stage.packages += matched[1].split()
            return
        environment = dict(os.environ) | self._arguments | self._stage.environment
        done = subprocess.run(
            ["/bin/sh", "-c", self._stage.outside(rest)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"

    def _copy(self, rest: str) -> None:
        *words, target = rest.split()
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        sources = [word for word in words if not word.startswith("--")]
        if "chown" in options:
            assert options["chown"] in self._stage.users
        if "from" in options:
            (origin,) = [stage for stage in self._stages if stage.name == options["from"]]
            for source in sources:
                # A virtual environment knows where it lies: it is seen at its place instead of copied.
                (self._stage.root / target.lstrip("/")).symlink_to(origin.root / source.lstrip("/"))
            return
        folder = self._stage.workdir / target if target.startswith(".") else self._stage.root / target.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        found = [file for source in sources for file in self._context.glob(source)]
        assert found, f"COPY {rest} finds nothing"
        for file in found:
            shutil.copy(file, folder)

    def _workdir(self, rest: str) -> None:
        self._stage.folder = rest
        self._stage.workdir.mkdir(parents=True, exist_ok=True)

    def _user(self, rest: str) -> None:
        assert rest in self._stage.users.values(), f"nobody has the number {rest}"
        self._stage.user = rest

    def _expose(self, rest: str) -> None:
        assert rest.isdigit()

    def _stopsignal(self, rest: str) -> None:
        assert rest == "SIGTERM"

    def _healthcheck(self, rest: str) -> None:
        options, _, words = rest.partition("CMD ")
        assert re.fullmatch(r"(--(interval|timeout|start-period|retries)=\d+s? +)+", options), options
        self._stage.healthcheck = json.loads(words)

    def _entrypoint(self, rest: str) -> None:
        self._stage.entrypoint = json.loads(rest)

    def _cmd(self, rest: str) -> None:
        self._stage.command = json.loads(rest)
