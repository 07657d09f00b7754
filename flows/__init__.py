"""Runs as a user sees them: a recipe in, a registered model and its report out. The home of Prefect and MLflow."""

import flows.quiet  # noqa: F401  # settings that must stand before Prefect and MLflow are imported
