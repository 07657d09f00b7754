"""The machines of a Ray cluster: processes there that hold the model, and see the same store."""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import Field

from core.engine import Engine as Started
from flows.engine import Engine


class Ray(Engine):
    """``{kind: ray, address: head:6379}``; needs the extra `velatura[ray]`, and Velatura under the same path on every
    machine. Source and store must be seen by all: a shared folder, or S3. See docs/scale.md.
    """

    address: str = ""
    """`HOST:PORT` of the cluster's head, or `auto` on a machine that is part of it; empty: Ray on this machine only"""
    workers: int = Field(0, ge=0)
    """processes at once; 0: one for each core of the cluster, or for each GPU if ``gpus`` is given"""
    gpus: float = Field(0, ge=0)
    """GPUs that each process has to itself, such as 1 or 0.5"""

    @contextmanager
    def started(self) -> Iterator[Started]:
        from flows.ray_pool import Pool, cluster

        with cluster(self.address, self.workers):
            yield Pool(self.workers, self.gpus)
