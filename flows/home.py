"""Where Velatura keeps what it makes: one folder with the store, the runs and the tracking database."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """The data folder: `velatura-data` where the command is run, or what `VELATURA_DATA` or the recipe says."""

    root: Path

    @classmethod
    def of(cls, folder: str = "") -> "Home":
        """The home that a recipe's ``home:`` names; empty means the default."""
        return cls(Path(folder or os.environ.get("VELATURA_DATA") or "velatura-data").expanduser().absolute())

    def store(self, dataset: str) -> Path:
        """The LanceDB folder of a dataset: pictures, records, captions, caches."""
        return self.root / "datasets" / dataset

    @property
    def tracking(self) -> str:
        """URI of MLflow's database, or of the server that `MLFLOW_TRACKING_URI` names."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        """Where MLflow keeps files when its database is the local one."""
        return self.root / "artifacts"

    def run(self, name: str) -> Path:
        """The folder of one run: its checkpoints, figures, samples, weights and report."""
        return self.root / "runs" / name

    def use_prefect(self) -> None:
        """Keep Prefect's embedded database here unless the user has a server or a Prefect home."""
        if "PREFECT_API_URL" not in os.environ:
            place = os.environ.setdefault("PREFECT_HOME", str(self.root / "prefect"))
            Path(place).mkdir(parents=True, exist_ok=True)  # or its server waits for a database that it cannot open
