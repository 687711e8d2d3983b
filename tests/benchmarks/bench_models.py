"""What the embedded models cost a worker: `python -m tests.benchmarks.bench_models [--jobs 1 4] [--turns 5] [--own]`.

A headless worker with an example on the embedded models: memory of each of its processes with some ready, then callers
in rooms of their own who all ask at once, and how long each waited for the agent's first sound, as the worker's metrics
tell. With `--own` every process loads the models for itself, as where they can't be shared. `--asked 40` compares what
is computed here with what another process is asked for instead, so many times.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import statistics
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

from agent_runtime.clock import LoopClock
from agent_runtime.providers.embedded.completions import Completions, SharedLlama
from agent_runtime.providers.embedded.llama import LlamaModel, find_weights
from agent_runtime.providers.embedded.reader import OwnReader, Reader, SharedReader
from agent_runtime.providers.embedded.speaker import OwnSpeaker, SharedSpeaker, Speaker
from agent_runtime.providers.model_process.client import SharedModels
from agent_runtime.worker.models import ModelProcess, start_model_process
from tests.benchmarks.compared.run import load
from tests.integration.test_worker import ask_for
from tests.support.livekit_server import LiveKitServer, livekit_server
from tests.support.room import Caller, caller, until
from tests.support.speech import QUESTION, recorded
from tests.support.worker_process import WorkerProcess, worker

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal_assistant.py"
PORT = 18081
START = """
from agent_console.cli import main
from agent_runtime.worker import load, pool
load.CpuLoad.average = property(lambda self: 0.0)
if {own}:
    pool.can_be_shared = lambda: False
main()
"""
"""Takes jobs on a busy machine too: a server offers none to a worker whose load is 1."""
_SAMPLE = re.compile(r"^(agent_\w+)(?:\{([^}]*)\})? (\S+)", re.MULTILINE)


def memory(process: WorkerProcess, *, own: bool) -> dict[str, list[float]]:
    """Proportional set size of each process by its role, in MB."""
    found: dict[str, list[float]] = defaultdict(list)
    commands, parents = {}, {}
    for pid in process.family():
        with contextlib.suppress(OSError):
            commands[pid] = Path(f"/proc/{pid}/cmdline").read_text()
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    llamas = {pid for pid, command in commands.items() if "llama_process" in command}
    keepers = {parents[pid] for pid in llamas}
    for pid, command in commands.items():
        share = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        assert share is not None
        if pid == process.process.pid:
            role = "worker"
        elif pid in llamas:
            role = "language model"
        elif pid in keepers and not own:
            role = "models"
        elif "resource_tracker" in command:
            continue
        else:
            role = "fork server" if parents[pid] == process.process.pid else "job"
        found[role].append(int(share[1]) / 1024)
    return found


def cpu_seconds(process: WorkerProcess) -> float:
    """What its processes have computed."""
    ticks = 0
    for pid in process.family():
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def metrics() -> dict[str, float]:
    """What the worker tells, by name and labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {f"{name}{labels}": float(value) for name, labels, value in _SAMPLE.findall(text)}


@contextlib.contextmanager
def serving(server: LiveKitServer, idle: int, *, own: bool) -> Iterator[WorkerProcess]:
    """A worker with so many processes ready."""
    flags = ["--headless", str(EXAMPLE), "--agent-name", "helper", "--port", str(PORT)]
    flags += ["--idle-processes", str(idle), "--load-threshold", "9"]
    began = time.perf_counter()
    with worker(server, command=["-c", START.format(own=own), *flags]) as process:
        process.wait_for("registered")
        while metrics().get("agent_processes_ready", 0) < idle:
            time.sleep(0.1)
        print(f"{idle} processes ready after {time.perf_counter() - began:.1f} s")
        yield process
        process.send(signal.SIGTERM)
        process.wait()


def show(title: str, found: dict[str, list[float]]) -> None:
    """One line for each role."""
    print(f"\n{title}, MB of proportional set size: {sum(map(sum, found.values())):.0f} in all")
    for role, sizes in sorted(found.items()):
        print(f"| {role} | {len(sizes)} | {statistics.median(sizes):.0f} (to {max(sizes):.0f}) |")


async def talk(server: LiveKitServer, process: WorkerProcess, jobs: int, turns: int, *, own: bool) -> None:
    """So many callers who ask the same at once, again and again."""
    async with contextlib.AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(caller(server, room=f"room-{jobs}-{number}")) for number in range(jobs)
        ]
        for number in range(jobs):
            await ask_for(server, f"room-{jobs}-{number}", "helper")
        for person in people:
            await until(lambda person=person: "speaking" in person.states, "the greeting")
            await until(lambda person=person: person.states[-1:] == ["listening"], "the greeting's end")
        before, computed, waited = metrics(), cpu_seconds(process), []
        for _ in range(turns):
            waited += await asyncio.gather(*(ask(person) for person in people))
        await asyncio.sleep(1.5)  # jobs count once a second
        after, computed = metrics(), cpu_seconds(process) - computed
        show(f"{jobs} jobs that talk", memory(process, own=own))
    print(f"\n{jobs} at once: from the question's end to the agent that speaks, s: ", end="")
    print(f"median {statistics.median(waited):.2f}, slowest {max(waited):.2f} of {len(waited)}; ", end="")
    print(f"{computed / len(waited):.1f} s of computing for each")
    for name, value in sorted(after.items()):
        if name.startswith("agent_llm_tokens"):
            print(f"| {name} | {value - before.get(name, 0.0):.0f} |")
        if re.match(r"agent_turn(_part)?_seconds_sum", name):
            count = name.replace("_sum", "_count")
            new = after[count] - before.get(count, 0.0)
            if new:
                mean = (value - before.get(name, 0.0)) / new * 1000
                print(f"| {name.replace('_seconds_sum', ' ')} | {mean:.0f} ms | {new:.0f} |")


async def ask(person: Caller) -> float:
    """Seconds from the end of the question until the agent speaks."""
    told = len(person.states)
    await person.speak(recorded(QUESTION))
    ended = time.perf_counter()
    silence = asyncio.create_task(person.speak(recorded(QUESTION)[:0], then=6.0))
    await until(lambda: "speaking" in person.states[told:], "an answer")
    took = time.perf_counter() - ended
    await silence
    await until(lambda: person.states[-1:] == ["listening"], "the answer's end")
    return took


async def asked(times: int) -> None:
    """What it adds to ask another process: the same by turns, from models here and from those there."""
    process = ModelProcess(LoopClock(), lambda pid, why: print(pid, why), start_model_process("forkserver", None))
    there, samples, path = SharedModels(process.open()), recorded(QUESTION), find_weights()
    readers: dict[str, Reader] = {"here": OwnReader(), "there": SharedReader(there)}
    speakers: dict[str, Speaker] = {"here": OwnSpeaker(), "there": SharedSpeaker(there)}
    llamas: dict[str, Completions] = {"here": LlamaModel(path), "there": SharedLlama(there, path)}
    took: dict[tuple[str, str], list[float]] = defaultdict(list)

    async def judge(llama: Completions, number: int) -> None:
        body = {"prompt": f"A: How can I help?\nB: I want {number}", "max_tokens": 1, "temperature": 0, "logprobs": 300}
        async with aclosing(llama.complete(body, "turn")) as parts:
            async for _ in parts:
                pass

    for number in range(-1, times):
        for side in readers:
            doings = {
                "read 1.9 s of speech": readers[side].read(samples, urgent=True),
                "speak four words": speakers[side].speak("I am right here.", speed=1.0, pause=0.0, urgent=True),
                "judge a turn": judge(llamas[side], number),
            }
            for name, doing in doings.items():
                began = time.perf_counter()
                await doing
                if number >= 0:  # the first time it is loaded
                    took[name, side].append((time.perf_counter() - began) * 1000)
    for name in dict.fromkeys(name for name, _ in took):
        here, over = statistics.median(took[name, "here"]), statistics.median(took[name, "there"])
        print(f"| {name} | {here:.1f} ms | {over:.1f} ms |")
    await process.aclose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--own", action="store_true", help="every process has models of its own")
    parser.add_argument("--asked", type=int, default=0, help="only compare what is asked here and there, so many times")
    options = parser.parse_args()
    if options.asked:
        asyncio.run(asked(options.asked))
        return
    with livekit_server() as server, serving(server, max(options.jobs, default=4), own=options.own) as process:
        time.sleep(2)
        show("ready", memory(process, own=options.own))
        for jobs in options.jobs:
            asyncio.run(talk(server, process, jobs, options.turns, own=options.own))
    print(load(), file=sys.stderr)


if __name__ == "__main__":
    main()
