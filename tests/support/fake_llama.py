"""Stands in for llama_process.py: the same protocol on stdin and stdout, without a model.

The prompt says what to do: `say a b c` answers with those words, `forever` answers until it is cancelled, `refuse`
gives llama.cpp's error, `fail` an exception, `die` ends the process. The word `cancelled` reports how many were.
"""

import json
import os
import sys
import threading
import time

cancelled: set[int] = set()


def send(message: dict) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def part(text: str) -> dict:
    return {"choices": [{"text": text}]}


def forever(number: int) -> None:
    while number not in cancelled:
        send({"id": number, "part": part("on ")})
        time.sleep(0.001)
    send({"id": number, "done": True, "error": None})


def answer(number: int, prompt: str) -> None:
    error = None
    if prompt.startswith("say "):
        for word in prompt.split()[1:]:
            send({"id": number, "part": part(word)})
    elif prompt == "forever":
        threading.Thread(target=forever, args=(number,), daemon=True).start()
        return
    elif prompt == "refuse":
        send({"id": number, "part": {"error": {"message": "the prompt is too long"}}})
    elif prompt == "fail":
        error = "RuntimeError: out of luck"
    elif prompt == "die":
        print("GGML_ASSERT: something is wrong", file=sys.stderr, flush=True)
        os._exit(134)
    elif prompt == "cancelled":
        send({"id": number, "part": part(str(len(cancelled)))})
    send({"id": number, "done": True, "error": error})


options = json.loads(sys.argv[1])
if "missing" in options["path"]:
    send({"failed": "ValueError: no such file"})
else:
    send({"ready": True})
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("cancel"):
            cancelled.add(message["id"])
        else:
            answer(message["id"], message["body"]["prompt"])
