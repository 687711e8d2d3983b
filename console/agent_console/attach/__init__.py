"""The console over a job of a running worker, here or elsewhere."""
