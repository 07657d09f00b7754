"""Offline and quiet unless the user says otherwise: no telemetry, no update checks, no banners. Import it first."""

import os

from backbones.quiet import keep_off_the_hub

DEFAULTS = {
    "DO_NOT_TRACK": "true",  # MLflow takes only the word "true"
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # the default of 20 is too short on a busy machine
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # where `--json` prints one value; it asks for the run, too
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # four processes more, for judging chats
    "GIT_PYTHON_REFRESH": "quiet",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

keep_off_the_hub()
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)
