"""What happens over time: pull bars, tick, settle, retrain, and the jobs that do it.

This room strings the lower ones together; it knows when, never how.
"""

__all__: list[str] = []
