"""What could be wrong with an installation, looked at one by one; each finding says what would be right."""

import getpass
import importlib.metadata
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement

from core.errors import VelaturaError
from flows.home import Home

PORTS = {"MLflow": 5000, "Prefect": 4200}
ROOM = 64 << 20
"""bytes without which no run begins"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: Literal["well", "note", "wrong"]
    words: str

    def as_json(self) -> dict[str, str]:
        """The three fields by name."""
        return {"what": self.what, "state": self.state, "words": self.words}


def examine(home: Home) -> list[Finding]:
    """All findings, in the order in which a newcomer would mend them."""
    looks: list[Callable[[], list[Finding]]] = [pins, builds, device, base, lambda: room(home), ports]
    return [finding for look in looks for finding in look()]


def pins() -> list[Finding]:
    """Whether the installed packages are what Velatura's own metadata asks for."""
    wrong = []
    wanted = [Requirement(text) for text in importlib.metadata.requires("velatura") or []]
    needed = [r for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in needed:
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(Finding(requirement.name, "wrong", f"not installed; {requirement} is needed"))
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(Finding(requirement.name, "wrong", f"{found} is installed; {requirement} is needed"))
    return wrong or [Finding("packages", "well", f"all {len(needed)} are there in versions that were asked for")]


def builds() -> list[Finding]:
    """Torch and torchvision must be of one build, or their import fails."""
    torch, vision = importlib.metadata.version("torch"), importlib.metadata.version("torchvision")
    try:
        import torchvision  # noqa: F401
    except (RuntimeError, ImportError) as error:
        words = f"torch {torch} and torchvision {vision} are not of one build ({error}); install both from one index"
        return [Finding("torch", "wrong", words)]
    return [Finding("torch", "well", f"torch {torch} and torchvision {vision} are of one build")]


def device() -> list[Finding]:
    """The GPU that training would use."""
    import torch

    if not torch.cuda.is_available():
        if Path("/proc/driver/nvidia/version").exists():
            build = f"torch {torch.__version__} ({f'CUDA {torch.version.cuda}' if torch.version.cuda else 'CPU'} build)"
            words = f"there is an NVIDIA driver, but {build} does not use it: install the build for this driver's CUDA"
            return [Finding("GPU", "wrong", words)]
        words = "none: training runs on the CPU, which is right for the pocket base and slow for a real one"
        return [Finding("GPU", "note", words)]
    found = torch.cuda.get_device_properties(0)
    return [Finding("GPU", "well", f"{found.name}, {found.total_memory / 2**30:.0f} GiB")]


def base() -> list[Finding]:
    """The base model that is packaged."""
    from backbones.family import family_of

    try:
        return [Finding("pocket base", "well", f"at {family_of('pocket').path}")]
    except VelaturaError as error:
        return [Finding("pocket base", "wrong", str(error))]


def room(home: Home) -> list[Finding]:
    """Whether the data folder can be written and has room."""
    try:
        home.root.mkdir(parents=True, exist_ok=True)
        probe = home.root / ".doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return [Finding("data folder", "wrong", f"{home.root} cannot be written: {error.strerror}; set VELATURA_DATA")]
    return [*locked(home), *space(home)]


def locked(home: Home) -> list[Finding]:
    """What in the data folder belongs to somebody else, so that a run would fail when it comes there."""
    parts = ("datasets", "runs", "artifacts", "logs", "prefect", "mlflow.db", "datasets/*", "runs/*", "logs/*")
    closed = [path for part in parts for path in sorted(home.root.glob(part)) if not os.access(path, os.W_OK)]
    if not closed:
        return []
    names = ", ".join(str(path) for path in closed[:3]) + (", ..." if len(closed) > 3 else "")
    words = f"{len(closed)} of its files and folders cannot be written by {user()}: {names}; chown them"
    return [Finding("permissions", "wrong", words)]


def user() -> str:
    """Who runs this; a container's number without a name is told as it is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def space(home: Home) -> list[Finding]:
    """Whether the disk has room."""
    free = shutil.disk_usage(home.root).free
    state: Literal["well", "note", "wrong"] = "well" if free > 5 << 30 else "note" if free > ROOM else "wrong"
    hint = {"well": "", "note": ": little for a base of gigabytes", "wrong": f": a run needs {ROOM >> 20} MB to begin"}
    return [Finding("data folder", state, f"{home.root}, {free / 2**30:.1f} GiB free{hint[state]}")]


def ports() -> list[Finding]:
    """Whether the usual ports of the servers are free."""
    findings = []
    for name, port in PORTS.items():
        with socket.socket() as trial:
            trial.settimeout(0.5)
            taken = trial.connect_ex(("127.0.0.1", port)) == 0
        words = (
            f"port {port} is taken, by a server that runs already or by something else"
            if taken
            else f"port {port} is free"
        )
        findings.append(Finding(f"{name} port", "note" if taken else "well", words))
    return findings
