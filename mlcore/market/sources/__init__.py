"""Files of vendors into bars: what format, which columns, which clock, and what to ask.

Nothing is guessed that would move a bar in time: a naive stamp without a zone, a date whose day and
month could be swapped and an hour that a clock change repeats without order to tell are questions.
An import is all or nothing. This room knows text and tables; it does not know the store.
"""

from __future__ import annotations

from mlcore.market.sources.files import expand, symbol_of
from mlcore.market.sources.loading import Preview, load, preview
from mlcore.market.sources.unpacking import contracts_in

__all__ = ["Preview", "contracts_in", "expand", "load", "preview", "symbol_of"]
