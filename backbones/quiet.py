"""Call `offline_and_quiet` before diffusers, transformers or open_clip are imported: no hub, no bars, no chatter."""

import importlib
import logging
import os
import sys
import warnings
from typing import Literal

OURS = "VELATURA_HUB_OFFLINE"
"""set where it is we who keep the libraries off the hub, not the user: a base that a recipe names may be fetched"""


def keep_off_the_hub() -> None:
    """Nothing is looked up on a hub that the recipe did not name."""
    if not forbidden():
        os.environ[OURS] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"


def forbidden() -> bool:
    """Whether libraries are kept off the hub, be it by us or by the user."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def offline_and_quiet(*libraries: Literal["diffusers", "transformers"]) -> None:
    """Nothing is looked up on a hub that the recipe did not name, and the libraries speak only of errors.

    ``libraries``: those that the caller is about to use, both if none is named; to silence one is to import it, and
    diffusers takes a second or two of that.
    """
    keep_off_the_hub()
    os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if (loaded := sys.modules.get("huggingface_hub.constants")) is not None:
        vars(loaded)["HF_HUB_OFFLINE"] = True  # it has read the environment already, and would try ten times
    for name in ("open_clip", "bitsandbytes", "kernels"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for library in libraries or ("diffusers", "transformers"):
        spoken = importlib.import_module(f"{library}.utils.logging")
        spoken.set_verbosity_error()
        spoken.disable_progress_bar()
    warnings.filterwarnings("ignore", module=r"(diffusers|transformers|open_clip|peft|timm)\b.*")
