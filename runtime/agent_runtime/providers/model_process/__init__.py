"""One process that has the embedded models, for several processes that use them.

`server` computes and `client` asks, by the messages of `wire` over a socket that only their user can reach. A worker
starts the process when the first of its jobs asks, and again when it died: `agent_runtime.worker.models`.
"""
