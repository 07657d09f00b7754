"""Set before anything is imported: quiet, offline, one thread, and nothing outside the test's own folder."""

import os
import tempfile

import flows.quiet  # noqa: F401

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["PREFECT_HOME"] = tempfile.mkdtemp(prefix="velatura-prefect-")
os.environ.pop("MLFLOW_TRACKING_URI", None)
os.environ.pop("VELATURA_DATA", None)
