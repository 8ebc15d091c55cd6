"""Serving: answers with reasons, the shadow log they go through, drift and monitoring.

A call is in the log before anyone sees it. Nothing here trains, promotes or draws.
"""

__all__: list[str] = []
