"""The image of `docs/deploy`: built, run against a real server, asked for its health, stopped.

python -m tests.benchmarks.bench_container podman        # or docker

Where no registry can be reached, a base image by the same name comes from Debian's mirror:

    debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates trixie base
    ln -sf ../../bin/python3 base/usr/local/bin/python
    tar -C base -c . | podman import - docker.io/library/python:3.12-slim
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.livekit_server import KEY, SECRET, livekit_server

CHECKOUT = Path(__file__).parents[2]
IMAGE = "agent-console-benchmark"
PORT = 8081
PATIENCE = 60.0
AGENT = 'from agent_runtime import Agent\n\nassistant = Agent(instructions="Be brief.")\n'
MEMORY = """
import glob, re
for file in glob.glob("/proc/[0-9]*/smaps_rollup"):
    command = open(file.replace("smaps_rollup", "cmdline")).read()
    if "glob" not in command:
        print(re.search(r"Pss: *([0-9]+)", open(file).read())[1])
"""


def main(tool: str) -> None:
    """Raises CalledProcessError, with the tool's own words above it, where the image can't be built or run."""
    with tempfile.TemporaryDirectory() as folder:
        build(tool, Path(folder))
    base, whole = (size(tool, image) for image in ("python:3.12-slim", IMAGE))
    print(f"image: {whole:.0f} MB, {whole - base:.0f} of them over python:3.12-slim")
    with livekit_server() as server:
        run(tool, server.url)


def build(tool: str, context: Path) -> None:
    """Build the image from the Dockerfile as it is, with a wheel of this checkout beside it."""
    shutil.copy(CHECKOUT / "docs" / "deploy" / "Dockerfile", context)
    (context / "my_agent.py").write_text(AGENT)
    subprocess.run(["uv", "build", "--quiet", "--wheel", "--out-dir", context], cwd=CHECKOUT, check=True)
    started = time.monotonic()
    form = ["--format", "docker"] if tool == "podman" else []  # the other format knows no health check
    subprocess.run([tool, "build", *form, "--no-cache", "--network", "host", "-t", IMAGE, context], check=True)
    print(f"built in {time.monotonic() - started:.0f} s")


def size(tool: str, image: str) -> float:
    """In MB, as the tool counts."""
    told = subprocess.check_output([tool, "image", "inspect", "--format", "{{.Size}}", image], text=True)
    return int(told) / 1e6


def run(tool: str, url: str) -> None:
    """Start a worker, and tell how soon it takes jobs, whether it is healthy, and what it weighs."""
    keys = {"LIVEKIT_URL": url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    variables = [word for name, value in keys.items() for word in ("-e", f"{name}={value}")]
    started = time.monotonic()
    command = [tool, "run", "--detach", "--rm", "--network", "host", *variables, "-e", "AGENT_CONSOLE_LLM=none", IMAGE]
    container = subprocess.check_output(command, text=True).strip()
    try:
        while not takes_jobs():
            assert time.monotonic() < started + PATIENCE, "the worker takes no jobs"
            time.sleep(0.02)
        print(f"takes jobs {time.monotonic() - started:.1f} s after `{tool} run`")
        if tool == "podman":  # docker asks by itself
            subprocess.run([tool, "healthcheck", "run", container], check=True)
            print("healthy by its own check")
        told = subprocess.check_output([tool, "exec", container, "python", "-c", MEMORY], text=True)
        shares = sorted((int(line) / 1024 for line in told.split()), reverse=True)
        print(
            f"memory: {sum(shares):.0f} MB (proportional), by process {', '.join(f'{share:.0f}' for share in shares)}"
        )
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/worker", timeout=5) as answer:
            print(f"ready processes: {json.load(answer)['ready_processes']}")
    finally:
        started = time.monotonic()
        subprocess.run([tool, "stop", container], check=True, stdout=subprocess.DEVNULL)
        print(f"stopped in {time.monotonic() - started:.1f} s")


def takes_jobs() -> bool:
    """Whether the worker says that it is ready."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{PORT}/ready", timeout=5).close()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1])
