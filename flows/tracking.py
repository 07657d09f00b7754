"""What MLflow is told of a run: parameters, the dataset it saw, figures, pictures, weights, the report, the version."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from core.pixels import Pixels
from core.snapshot import Snapshot
from flows import mlflow_pages
from flows.home import Home
from flows.reaching import is_reachable
from flows.spool import Figure, Outbox

if TYPE_CHECKING:  # takes seconds, and a run that changes nothing asks MLflow nothing
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)
EXPERIMENT = "velatura"
KIND, TRAINING = "mlflow.experimentKind", "custom_model_development"
"""tag of the experiment"""
SPEC, ASKED = "velatura.spec", "velatura.asked"
"""tag of a run: what its model follows from, but for the data"""
RUNS = "tags.`velatura.recipe` LIKE '%'"
"""filter: what trained by a recipe; stages and remedies have none of their own"""
ALONE = "tags.`mlflow.parentRunId` IS NULL"
"""filter: not below another run, as rungs of a ladder and runs without a part are"""
NEWEST = 10
"""runs that are compared where none is named"""


class Tracking:
    """One project's MLflow. Nothing here is needed for training: a server that is down costs no run."""

    def __init__(self, home: Home) -> None:
        self.home = home
        home.root.mkdir(parents=True, exist_ok=True)

    @cached_property
    def client(self) -> MlflowClient:
        """A client of the local database or the server."""
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.home.tracking)

    @cached_property
    def experiment(self) -> str:
        """The id of the experiment that all runs of this home are in; made on first use.

        It says that it is of models in training: MLflow shows pages for chats where nothing says so.
        """
        from mlflow.exceptions import MlflowException

        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            if KIND not in found.tags:  # a user may have chosen another in MLflow
                self.client.set_experiment_tag(found.experiment_id, KIND, TRAINING)
            return str(found.experiment_id)
        location = self.home.artifacts.as_uri() if self.home.tracking.startswith("sqlite:") else None
        try:
            made = self.client.create_experiment(EXPERIMENT, artifact_location=location, tags={KIND: TRAINING})
            return str(made)
        except MlflowException:  # another process was first
            return str(self.client.get_experiment_by_name(EXPERIMENT).experiment_id)

    def find(self, key: str) -> Run | None:
        """The run of a model key, whatever became of it."""
        runs = self.client.search_runs([self.experiment], f"tags.`velatura.key` = '{key}'", max_results=1)
        return runs[0] if runs else None

    def begin(self, key: str, name: str, tags: Mapping[str, str], parameters: Mapping[str, str]) -> str:
        """The id of the run of ``key``, going on with the one that was interrupted if there is one."""
        from mlflow.entities import Param

        run = self.find(key)
        if run is None:
            run = self.client.create_run(self.experiment, run_name=name, tags={"velatura.key": key, **tags})
            known = [Param(path, value[:6000]) for path, value in sorted(parameters.items())]
            for start in range(0, len(known), 100):  # MLflow takes 100 at a time
                self.client.log_batch(run.info.run_id, params=known[start : start + 100])
        else:
            self.client.update_run(run.info.run_id, status="RUNNING")
        return str(run.info.run_id)

    def log_snapshot(self, run: str, snapshot: Snapshot, context: str = "training") -> None:
        """The dataset as an input of the run: source, version and manifest."""
        from mlflow.data.meta_dataset import MetaDataset
        from mlflow.entities import DatasetInput, InputTag

        from flows.store_source import StoreSource

        source = StoreSource(snapshot.store, snapshot.tag)
        dataset = MetaDataset(source=source, name=snapshot.tag, digest=snapshot.manifest[:32])
        entity = dataset._to_mlflow_entity()
        tags = [InputTag("mlflow.data.context", context), InputTag("velatura.manifest", snapshot.manifest)]
        self.client.log_inputs(run, datasets=[DatasetInput(dataset=entity, tags=tags)])

    def log_figures(self, run: str, figures: Iterable[Figure]) -> None:
        """Many figures in few calls; sending the same again changes nothing."""
        from mlflow.entities import Metric

        metrics = [Metric(f.key, f.value, f.time_ms, f.step) for f in figures]
        for start in range(0, len(metrics), 1000):
            self.client.log_batch(run, metrics=metrics[start : start + 1000])

    def drain(self, run: str, outbox: Outbox) -> int:
        """Send what the trainer has written and MLflow has not; how many that were. A server that is down: later."""
        figures = outbox.look()
        if not figures or not is_reachable(self.home.tracking):
            return 0
        from mlflow.exceptions import MlflowException

        try:
            return self.deliver(run, outbox)
        except MlflowException as error:
            log.warning("MLflow did not take %d figures, they stay in %s: %s", len(figures), outbox.spool, error)
            return 0

    def deliver(self, run: str, outbox: Outbox) -> int:
        """The same, but a server that is down is an `MlflowException`: for the end, when there is no later."""
        figures = outbox.look()
        self.log_figures(run, figures)
        outbox.mark_sent(figures)
        return len(figures)

    def log_picture(self, run: str, key: str, step: int, pixels: Pixels) -> None:
        """A picture of an image series, shown with a slider over the steps."""
        self.client.log_image(run, np.ascontiguousarray(pixels), key=key, step=step, synchronous=True)

    def log_file(self, run: str, path: Path, folder: str = "") -> None:
        """A file as an artifact of the run."""
        self.client.log_artifact(run, str(path), folder or None)

    def log_value(self, run: str, name: str, value: object) -> None:
        """A JSON value as an artifact of the run."""
        self.client.log_text(run, json.dumps(value, indent=1, sort_keys=True), name)

    def log_checkpoint(
        self, run: str, name: str, weights: Path, figures: Iterable[Figure], tags: Mapping[str, str]
    ) -> str:
        """A logged model of the run with its own figures and its file; the same name is logged once. Its id.

        A folder of weights (a whole model) stays where it is, and is named in the tags. ``figures`` keep their times,
        so that those which the run has already are not there twice.
        """
        from mlflow.entities import LoggedModelStatus, Metric

        known = self.client.search_logged_models([self.experiment], filter_string=f"source_run_id = '{run}'")
        for model in known:
            if model.name == name and model.status == LoggedModelStatus.READY:
                return str(model.model_id)
            if model.name == name:  # the server went away before it was whole
                self.client.delete_logged_model(model.model_id)
        where = {**tags, "velatura.weights": str(weights)}
        made = self.client.create_logged_model(self.experiment, name, run, tags=where, model_type="adapter")
        if weights.is_file():
            with TemporaryDirectory() as folder:
                (Path(folder) / weights.name).symlink_to(weights.absolute())
                self.client.log_model_artifacts(made.model_id, folder)
        own = [Metric(f.key, f.value, f.time_ms, f.step, model_id=made.model_id, run_id=run) for f in figures]
        self.client.log_batch(run, metrics=own)
        self.client.finalize_logged_model(made.model_id, "READY")
        return str(made.model_id)

    def begin_child(self, parent: str, key: str, name: str, tags: Mapping[str, str]) -> str:
        """The id of a run below another one: begun, or gone on with."""
        return self.begin(key, name, {"mlflow.parentRunId": parent, **tags}, {})

    def past_child(self, parent: str, key: str, name: str, tags: Mapping[str, str], began: int) -> str:
        """The id of a new run below another one, of what began before, in milliseconds since 1970."""
        said = {"velatura.key": key, "mlflow.parentRunId": parent, **tags}
        return str(self.client.create_run(self.experiment, began, said, name).info.run_id)

    def below(self, parent: str) -> dict[str, Run]:
        """The runs below another one, by their keys."""
        found = self.client.search_runs([self.experiment], f"tags.`mlflow.parentRunId` = '{parent}'")
        return {run.data.tags["velatura.key"]: run for run in found if "velatura.key" in run.data.tags}

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Tags of the run, which the runs table can sort by."""
        from mlflow.entities import RunTag

        self.client.log_batch(run, tags=[RunTag(key, str(value)) for key, value in tags.items()])

    def end(self, run: str, status: str = "FINISHED", at: int | None = None) -> None:
        """Close the run: FINISHED, FAILED or KILLED. ``at``: milliseconds since 1970, where it was not now."""
        self.client.set_terminated(run, status, at)

    def fail(self, run: str) -> None:
        """Close the run as FAILED, if MLflow can be told; what it failed of is told by whoever calls this."""
        from mlflow.exceptions import MlflowException

        if is_reachable(self.home.tracking):
            with suppress(MlflowException):
                self.end(run, "FAILED")

    def register(self, name: str, run: str, folder: str, tags: Mapping[str, str]) -> str:
        """A version of the registered model ``name`` from the run's artifacts; the same run is registered once."""
        from mlflow.exceptions import MlflowException

        try:
            self.client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        for version in self.client.search_model_versions(f"name = '{name}'"):
            if version.run_id == run:
                return str(version.version)
        made = self.client.create_model_version(name, source=f"runs:/{run}/{folder}", run_id=run, tags=dict(tags))
        return str(made.version)

    def link(self, run: str, address: str) -> str:
        """The address of the run's page below an MLflow server's ``address``."""
        return mlflow_pages.run(address, self.experiment, run)
