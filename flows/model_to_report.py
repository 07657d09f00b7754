"""A registered model or any adapter file in, its report out: is it overfitted, what did it forget, where to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow

from flows.home import Home
from flows.recipe import Samples


@flow(name="model-to-report", persist_result=False)
def model_to_report(
    model: str,
    data: str,
    base: str = "pocket",
    held_out: str = "",
    measures: tuple[str, ...] = ("probe", "memorisation", "prior_drift"),
    trigger: str = "",
    samples: Samples | None = None,
    home: str = "",
) -> dict[str, Any]:
    """Measure a model and write the report into the data folder; what `velatura evaluate --json` prints.

    ``model``: NAME@champion, NAME@3, or a file; ``data``: what it was trained on, a dataset of ours or a folder.
    """
    from evaluation.metric import Metric  # with torch and MLflow: whoever deploys this needs neither
    from flows.evaluating import Asked, evaluate
    from flows.pulling import weights_of
    from flows.registry import Registry

    place = Home.of(home)
    registered = "@" in model and not Path(model).expanduser().exists()
    if registered:
        registry = Registry(place)
        version = registry.named(model)
        file, title = weights_of(registry, version, place), f"{version.name}-{version.number}"
    else:
        file = Path(model).expanduser()
        title = file.stem
    metrics = tuple(Metric.parse(kind) for kind in dict.fromkeys(("probe", *measures)))
    report = place.root / "reports" / f"{title}.html"
    asked = Asked(base, file, data, held_out, metrics, samples or Samples(), trigger, home=home)
    return evaluate(asked, report).as_json()


if __name__ == "__main__":
    import sys

    from flows.console import live_progress
    from flows.embedded import start_prefect

    if len(sys.argv) != 3:
        sys.exit(f"name a model and its data: python {sys.argv[0]} openmoji@champion openmoji")
    start_prefect(Home.of()).wait()
    with live_progress():
        print(model_to_report(sys.argv[1], sys.argv[2])["report"])
