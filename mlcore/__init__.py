"""Openrange: bars in, honest calls out. The façade is `mlcore.hub.Hub`."""

__all__ = ["__version__"]

__version__ = "0.1.0"
