"""A real PostgreSQL for tests, as Debian packages it: a cluster of its own in a temporary folder, on loopback."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.flows.servers import free_port


def programs() -> Path | None:
    """The folder of the newest PostgreSQL's programs; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parents[1].name))
    on_path = shutil.which("initdb")
    if not found and on_path:
        found = [Path(on_path)]
    return found[-1].parent if found else None


@contextmanager
def postgres() -> Iterator[str]:
    """``velatura@127.0.0.1:PORT``: a server with the databases `mlflow` and `prefect`.

    It refuses to run as root, so that root lends it another user.
    """
    folder, bin_, port = Path(tempfile.mkdtemp(prefix="velatura-postgres-")), programs(), free_port()
    assert bin_ is not None
    who: dict[str, Any] = {}
    if os.getuid() == 0:
        user = next(name for name in ("postgres", "nobody") if name in {entry.pw_name for entry in pwd.getpwall()})
        who = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)

    def call(program: str, *arguments: str) -> None:
        log = (folder / "said").open("ab") if os.getuid() else subprocess.DEVNULL
        done = subprocess.run(
            [bin_ / program, *arguments], **who, cwd=folder, stdout=log, stderr=subprocess.PIPE, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr

    call("initdb", "--pgdata", str(folder / "data"), "--username", "velatura", "--auth", "trust", "--no-sync")
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    start = [bin_ / "pg_ctl", "-D", folder / "data", "-w", "-o", settings, "-l", folder / "log", "start"]
    subprocess.run(start, **who, cwd=folder, stdout=subprocess.DEVNULL, check=True, timeout=120)
    try:
        for name in ("mlflow", "prefect"):
            call("createdb", "--host", "127.0.0.1", "--port", str(port), "--username", "velatura", name)
        yield f"velatura@127.0.0.1:{port}"
    finally:
        call("pg_ctl", "-D", str(folder / "data"), "-m", "fast", "stop")
        shutil.rmtree(folder)
