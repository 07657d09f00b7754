"""The pictures of MLflow's pages in docs/operate.md: `python -m scripts.pictures RECIPE --home DATA` makes them anew.

Needs a Chromium on the PATH and a data folder with at least two runs of the recipe of that name. MLflow is started on
it and stopped again.
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from flows import mlflow_pages
from flows.embedded import free_port
from flows.home import Home
from flows.stations import answers
from flows.tracking import Tracking

OUT = Path(__file__).parents[1] / "docs" / "pictures"
PATIENCE = 120.0
"""seconds until MLflow answers"""
SETTLED = 60_000
"""milliseconds of a page's own time until it has drawn its charts"""
ASSISTANT = 440
"""pixels at the right: MLflow's assistant, which is left out"""


def shot(browser: str, url: str, path: Path, height: int, width: int = 1700) -> None:
    """One page as it looks when it has settled."""
    with tempfile.TemporaryDirectory(prefix="velatura-pictures-") as profile:
        quiet = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
        subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", *quiet, f"--user-data-dir={profile}"),
                *(f"--window-size={width},{height}", f"--virtual-time-budget={SETTLED}", f"--screenshot={path}", url),
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    seen = Image.open(path)
    seen.crop((0, 0, width - ASSISTANT, height)).quantize(128).save(path, optimize=True)
    print(path)


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="the name in the recipe")
    parser.add_argument("--home", default="velatura-data", help="the data folder")
    asked = parser.parse_args()
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        parser.error("there is no chromium on the PATH")
    velatura = (sys.executable, "-m", "flows.command_line")
    port = free_port()
    server = subprocess.Popen([*velatura, "ui", "--home", asked.home, "--port", str(port)])
    try:
        here = f"http://127.0.0.1:{port}"
        until = time.monotonic() + PATIENCE
        while not answers(f"{here}/health"):
            if time.monotonic() > until:
                raise SystemExit(f"MLflow did not answer within {PATIENCE:g} s")
            time.sleep(0.5)
        command = [*velatura, "compare", "--recipe", asked.recipe, "--home", asked.home, "--json"]
        said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        experiment = Tracking(Home.of(asked.home)).experiment
        shot(browser, mlflow_pages.charts(here, experiment), OUT / "runs.png", 620)
        runs = [run["run"] for run in said["runs"]]
        shot(browser, mlflow_pages.compared(here, experiment, runs), OUT / "compare.png", 1100)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


if __name__ == "__main__":
    main()
