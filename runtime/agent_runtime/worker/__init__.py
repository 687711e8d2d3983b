"""A worker: registers with a LiveKit server, takes its jobs and runs each in a process of its own."""
