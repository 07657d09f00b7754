"""A real S3 server on loopback, for tests."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Its address."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with tempfile.NamedTemporaryFile() as said:  # not a pipe: it tells every request, and would wait when that is full
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        try:
            until = time.monotonic() + 120
            while not (found := re.search(r"Running on (\S+)", Path(said.name).read_text())):
                assert process.poll() is None and time.monotonic() < until, Path(said.name).read_text()
                time.sleep(0.1)
            yield found.group(1)
        finally:
            process.terminate()
            process.wait()


def environment(server: str) -> dict[str, str]:
    """What leads every tool to the server."""
    return {**KEYS, "AWS_ENDPOINT_URL": server, "AWS_EC2_METADATA_DISABLED": "true"}


def make_bucket(name: str, server: str) -> str:
    """A bucket's URL, made with the server's own words: ``PUT /name``."""
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{server}/{name}", method="PUT"), timeout=60).close()
    return f"s3://{name}"


if __name__ == "__main__":  # python -m tests.s3 COMMAND...: with a server, and a bucket that the store's tests then use
    with s3_server() as address:
        bucket = {"VELATURA_TEST_BUCKET": make_bucket("tests", address)}
        sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, **environment(address), **bucket}).returncode)
