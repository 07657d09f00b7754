"""The folder of a store: is it ours, is it new, and where its lock files stand."""

import json
import os
import tempfile
from pathlib import Path

from core.errors import StoreError
from core.files import write_text
from core.hashing import digest

MARKER = "velatura.json"
FORMAT = 1


def is_remote(uri: str) -> bool:
    """Whether the store is not a folder of this machine, such as ``s3://bucket/prefix``."""
    return "://" in uri


def absolute(uri: str | Path) -> str:
    """The same store, named so that every process finds it."""
    text = str(uri).removeprefix("file://")
    return text.rstrip("/") if is_remote(text) else str(Path(text).expanduser().resolve())


def is_there(uri: str) -> bool:
    """Whether this machine sees the store; of a remote one its own server says so when it is opened."""
    return is_remote(uri) or (Path(uri) / MARKER).exists()


def claim(uri: str) -> None:
    """Make the folder a store if it is new or empty; a `StoreError` if it holds anything else."""
    if is_remote(uri):
        return
    folder = Path(uri)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; a store is a folder")
    marker = folder / MARKER
    if not marker.exists():
        others = sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.exists() else []
        if others and MARKER not in others:
            raise StoreError(
                f"{folder} is not a store of Velatura: it holds {', '.join(others[:3])}"
                f"{', ...' if len(others) > 3 else ''} and no {MARKER}; name an empty or a new folder"
            )
        write_text(marker, json.dumps({"format": FORMAT}) + "\n")
    try:
        found = json.loads(marker.read_text())["format"]
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"{marker} is damaged; it should read {json.dumps({'format': FORMAT})}") from None
    if found != FORMAT:
        raise StoreError(
            f"{folder} has format {found}, this Velatura reads {FORMAT}; update Velatura or use a new folder"
        )


def followed(uri: str) -> str:
    """Where the store really is: a folder may hold nothing but the word that it is elsewhere."""
    marker = Path(uri) / MARKER
    if is_remote(uri) or not marker.exists():
        return uri
    try:
        return str(json.loads(marker.read_text()).get("at", uri))
    except (ValueError, AttributeError):
        return uri  # `claim` tells what is wrong with it


def point(folder: Path, uri: str) -> None:
    """Let ``folder`` say that its store is at ``uri``; a `StoreError` if it is a store itself, or points elsewhere."""
    there = followed(str(folder))
    if there == uri:
        return
    if (folder / MARKER).exists():
        raise StoreError(
            f"the dataset {folder.name} is kept at {there}, not at {uri}; take `store:` out of the recipe, or choose "
            "another name with `dataset:`"
        )
    write_text(folder / MARKER, json.dumps({"format": FORMAT, "at": uri}) + "\n")


def options(uri: str) -> dict[str, str]:
    """What Lance has to be told of a remote store: of S3 what its own tools take from the environment.

    A server of one's own (``AWS_ENDPOINT_URL``) has buckets in the path, and may speak HTTP without TLS.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    if not uri.startswith("s3://") or not endpoint:
        return {}
    return {
        "aws_endpoint": endpoint,
        "allow_http": str(endpoint.startswith("http://")).lower(),
        "aws_region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
        "aws_virtual_hosted_style_request": "false",
        "client_retry_timeout": "30",
    }


def lock_file(uri: str, name: str) -> Path:
    """Where the lock ``name`` stands: in the folder; of a remote store in this machine's temporary folder."""
    if is_remote(uri):
        return Path(tempfile.gettempdir()) / f"velatura-{digest(uri)}.{name}.lock"
    return Path(uri) / f".{name}.lock"
