"""The process that holds a llama.cpp model: reads requests from stdin and writes tokens to stdout, one JSON a line.

It is run by path, by `llama.py`, and imports nothing of ours. A process of its own because the binding holds the
interpreter's lock for as long as it loads, because a failed assertion in native code aborts the process that it is in,
and because native code prints to stderr, which belongs to the terminal interface.

Requests: `{"id": 1, "body": {...}}` is answered with any number of lines with that id, the last of which has
`"done": true`; `{"id": 1, "cancel": true}` ends it early. The end of stdin ends the process.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

NICENESS = 5
"""How far behind sound, speech recognition and the voice the model stands in line for a core, where all want one."""

_write_lock = threading.Lock()


def _stand_back() -> None:
    if os.name == "posix":
        os.nice(NICENESS)


def _send(message: dict[str, Any]) -> None:
    line = json.dumps(message, ensure_ascii=True, separators=(",", ":")) + "\n"
    with _write_lock:
        sys.stdout.write(line)
        sys.stdout.flush()


def _open_server(options: dict[str, Any]) -> Any:
    """Load the model.

    The binding can't be kept from listening for HTTP. So it listens on a socket in a folder that only this user may
    enter (where there are no such sockets: on loopback), behind a key that nobody is told.
    """
    llama: Any = importlib.import_module("xllamacpp")  # compiled, without types
    params = llama.CommonParams()
    params.model.path = options["path"]
    params.n_ctx = options["tokens"]
    params.n_parallel = options["slots"]
    params.n_batch = params.n_ubatch = options["batch"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    params.hostnames = [os.path.join(options["directory"], "http.sock") if os.name == "posix" else "127.0.0.1"]
    params.api_keys = [secrets.token_urlsafe(32)]
    params.n_threads_http = 1
    params.endpoint_slots = False
    params.ui = False
    params.verbosity = -1
    params.warmup = True
    params.fit_params = False
    params.kv_unified = True  # slots computed in one batch; apart, prompts of unequal length wait for each other
    params.cache_ram_mib = 0  # a slot keeps its own prefix; copies of old ones in memory would only cost
    return llama.Server(params)


class _Worker:
    def __init__(self, server: Any, threads: int) -> None:
        self._server = server
        self._active: set[int] = set()
        self._pool = ThreadPoolExecutor(max_workers=threads)

    def handle(self, message: dict[str, Any]) -> None:
        if message.get("cancel"):
            self._active.discard(message["id"])
        else:
            self._active.add(message["id"])
            self._pool.submit(self._complete, message["id"], message["body"])

    def _complete(self, request: int, body: dict[str, Any]) -> None:
        def on_part(part: dict[str, Any]) -> bool:
            # Called for each token and, with return_progress, for each batch of the prompt. True stops the request.
            if request not in self._active:
                return True
            _send({"id": request, "part": part})
            return False

        error = None
        try:
            if request in self._active:
                self._server.handle_completions(body, on_part)
        except Exception as e:  # a fault of one request must not end the others'; the parent raises it
            error = f"{type(e).__name__}: {e}"
        self._active.discard(request)
        _send({"id": request, "done": True, "error": error})


def main() -> None:
    """Load what the one argument says, then serve until stdin ends."""
    options = json.loads(sys.argv[1])
    _stand_back()
    try:
        try:
            server = _open_server(options)
        except Exception as e:  # told to the parent, which raises it
            _send({"failed": f"{type(e).__name__}: {e}"})
            return
        _send({"ready": True})
        worker = _Worker(server, 2 * options["slots"])  # a cancelled request lets go of its thread a token later
        for line in sys.stdin:
            worker.handle(json.loads(line))
        # Nothing is left to save, and waiting for requests in native code would keep the process alive.
        shutil.rmtree(options["directory"], ignore_errors=True)
        os._exit(0)
    finally:
        shutil.rmtree(options["directory"], ignore_errors=True)


if __name__ == "__main__":
    main()
