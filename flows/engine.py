"""The contract of engines: where a recipe's heavy work is done. Another one changes no result and no model's key."""

from abc import abstractmethod
from contextlib import AbstractContextManager

from core.block import Block
from core.engine import Engine as Started


class Engine(Block, family="flows.engines"):
    """Cheap to read from a recipe; what it needs is started for as long as a dataset is being prepared."""

    @abstractmethod
    def started(self) -> AbstractContextManager[Started]:
        """Start it, or reach it; an `EngineError` in words where that cannot be."""
