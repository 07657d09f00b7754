"""Bases by their name on the model hub: from its local cache, or fetched once, and only what is needed of them."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit
from urllib.request import getproxies

from backbones.quiet import OURS, forbidden
from core.errors import MissingBase
from core.progress import say

SMALL = {".json", ".txt", ".model"}
"""configurations and vocabularies: always fetched"""
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "transformer", "text_encoder_3")
SECONDS = 5.0
"""that the hub may take to answer at all, before it counts as out of reach"""


def is_name(base: str) -> bool:
    """Whether it is written like a model on the hub: ``owner/name``."""
    return re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", base) is not None and PurePosixPath(base).suffix != ".safetensors"


def cached(name: str) -> Path | None:
    """The model's newest snapshot in the hub's local cache; it may hold only some of the files."""
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    try:
        snapshot = folder / "snapshots" / (folder / "refs" / "main").read_text().strip()
    except OSError:
        return None
    return snapshot if snapshot.is_dir() else None


def fetched(name: str, *, lacking: str) -> Path:
    """Fetch what is needed of a model; `MissingBase` at once where there is no network, with what is missing."""
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    # of the HTTP library that the hub's version uses: where no answer comes
    transport: type[Exception] = HfHubHTTPError.__mro__[1]
    told = f"base: {name} is not whole in the hub's cache {constants.HF_HUB_CACHE} (it lacks: {lacking})"
    if switched_off():
        raise MissingBase(f"{told}, and HF_HUB_OFFLINE forbids fetching it; unset that, or name a folder or file")
    if not reachable(constants.ENDPOINT):
        raise MissingBase(
            f"{told}, and {constants.ENDPOINT} cannot be reached. Fetch it where there is a network "
            f"(`hf download {name}`) and copy the cache, or name a folder or file instead"
        )
    with online():
        try:
            there = HfApi().list_repo_files(name)
            wanted = needed(there)
            if "model_index.json" not in wanted:
                raise MissingBase(
                    f"base: {name} is no diffusers model (it has no model_index.json); fetch its .safetensors file "
                    "and name that as base"
                )
            say(f"fetching {name} from {constants.ENDPOINT}: {len(wanted)} of {len(there)} files")
            return Path(snapshot_download(name, allow_patterns=wanted))
        except RepositoryNotFoundError:
            raise MissingBase(
                f"base: the hub has no model {name}, or it wants a login (`hf auth login`) that is not given"
            ) from None
        except (transport, OSError) as error:
            first = str(error).partition("\n")[0]
            raise MissingBase(f"{told}; fetching it failed: {first}. Run again: what has come is kept") from error


def needed(files: Collection[str]) -> list[str]:
    """Of a model's files those that a diffusers folder is made of: of each part's weights one set, as safetensors.

    Plain ones before those in half precision; no pickles, no single files, nothing of a safety checker.
    """
    kept = {"model_index.json"} & set(files)
    for file in files:
        part, _, name = file.rpartition("/")
        if PurePosixPath(name).suffix in SMALL and "/" not in part and (part in PARTS or part.startswith(OTHERS)):
            kept.add(file)
    for part in PARTS:
        weights = [file for file in files if file.startswith(f"{part}/") and file.endswith(".safetensors")]
        plain = [file for file in weights if variant_of(file) == ""]
        kept.update(plain or [file for file in weights if variant_of(file) == "fp16"])
    return sorted(kept)


OTHERS = ("tokenizer", "scheduler")


def variant_of(file: str) -> str:
    """``fp16`` of ``model.fp16.safetensors`` and of its shards, empty of a plain one."""
    stem = re.sub(r"-\d{5}-of-\d{5}", "", PurePosixPath(file).name).removesuffix(".safetensors")
    return stem.partition(".")[2]


def reachable(endpoint: str) -> bool:
    """Whether somebody answers there within seconds, or the proxy that is set does."""
    place = urlsplit(endpoint)
    if proxy := getproxies().get(place.scheme):
        place = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = place.port or {"https": 443}.get(place.scheme, 80)
    try:
        with socket.create_connection((place.hostname or "", port), timeout=SECONDS):
            return True
    except OSError:
        return False


def switched_off() -> bool:
    """Whether the user has forbidden the network, not we: `offline_and_quiet` says so too, for what nobody named."""
    return forbidden() and not os.environ.get(OURS)


@contextmanager
def online() -> Iterator[None]:
    """Within it the hub may be asked: the recipe has named the model."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    vars(constants)["HF_HUB_OFFLINE"] = False
    try:
        yield
    finally:
        vars(constants)["HF_HUB_OFFLINE"] = before
