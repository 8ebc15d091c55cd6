"""What went wrong unforeseen, as an entry that a page or a command can show."""

from __future__ import annotations

import re
import sys
import traceback
from typing import Any

__all__ = ["unforeseen"]

_PATH = re.compile(
    r"""(?<=')(?:[A-Za-z]:)?[\\/][^']+(?=')|(?<=")(?:[A-Za-z]:)?[\\/][^"]+(?=")"""
    r"""|(?<!\w)(?:[A-Za-z]:)?(?:[\\/][^\s'"\\/:,;]+)+"""
)
MOST = 200


def unforeseen(error: Exception, *, rule: str, where: str) -> dict[str, Any]:
    """An error that is none of ours in the JSON shape of those that are; its trace to stderr.

    Parameters
    ----------
    rule, where
        What should have been, and what stopped: a slot, or a part of the watch. Text is free of
        paths, so that it may be shown.
    """
    print(f"{where} stopped:", file=sys.stderr)
    traceback.print_exception(error, file=sys.stderr)
    kind, text = type(error).__name__, _without_paths(str(error))
    said = f"{kind}: {text}" if text else kind
    return {
        "code": "E_UNFORESEEN",
        "message": f"{rule} – {where} stopped with {said} – everything else went on; the log has "
        "the trace.",
        "details": {"where": where, "type": kind},
    }


def _without_paths(text: str) -> str:
    """The text on one line with only the last part of every path, at most 200 characters."""
    bare = _PATH.sub(lambda found: re.split(r"[\\/]+", found[0].rstrip("\\/"))[-1], text)
    return " ".join(bare.split())[:MOST]
