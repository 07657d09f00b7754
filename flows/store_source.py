"""Where a dataset stands, in MLflow's words. Imports MLflow: only what tells it of a dataset comes here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlflow.data.dataset_source import DatasetSource


class StoreSource(DatasetSource):
    """Where a dataset stands: the store and the tag. MLflow keeps it as JSON."""

    def __init__(self, uri: str, tag: str) -> None:
        self.uri = uri
        self.tag = tag

    @staticmethod
    def _get_source_type() -> str:
        return "lancedb"

    def load(self, **_: Any) -> str:
        """The store's URI; `Store.open(uri).records(tag=...)` reads the records."""
        return self.uri

    @staticmethod
    def _can_resolve(_: object) -> bool:
        return False

    @classmethod
    def _resolve(cls, _: object) -> StoreSource:
        raise NotImplementedError  # MLflow asks only where `_can_resolve` said yes

    def to_dict(self) -> dict[str, str]:
        """What `from_dict` reads back."""
        return {"uri": self.uri, "tag": self.tag}

    @classmethod
    def from_dict(cls, source_dict: Mapping[str, str]) -> StoreSource:
        """The source of a logged dataset."""
        return cls(source_dict["uri"], source_dict["tag"])
