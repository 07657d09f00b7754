"""Make a Prefect server ready: pools with their limits, the watch over dead runs, and all deployments. Repeatable.

`python -m flows.bootstrap [RECIPE]`, in the environment of the server; `velatura deploy` is the same.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectAlreadyExists

from core.errors import ServerError
from flows.announcing import elsewhere
from flows.mortal import end_with_parent
from flows.recipe import Recipe, read_recipe
from flows.stations import HEARTBEAT, MISSED, POOLS, ROOT, ZOMBIES


def bootstrap(recipe: Recipe | None = None) -> None:
    """Everything of the above on the server that `PREFECT_API_URL` names.

    With a recipe all deployments get it in place of the demo's, and its source is watched from now on.
    """
    asyncio.run(prepare())
    deploy(recipe)


async def prepare() -> None:
    """The pools and the automation, each made only where it is not there: limits that were changed since stay so."""
    async with get_client() as client:
        for pool, most in POOLS.items():
            try:
                await client.create_work_pool(WorkPoolCreate(name=pool, type="process", concurrency_limit=most))
            except ObjectAlreadyExists:
                continue
        if not await client.read_automations_by_name(ZOMBIES):
            await client.create_automation(zombies())


def zombies() -> AutomationCore:
    """Mark runs as crashed that gave no sign of life `MISSED` times over, so that the place they hold is free again.

    Every deployment in prefect.yaml gives that sign each `HEARTBEAT` seconds, whatever its worker was started with.
    `flows.lost_runs` sees those that fell silent while the server was away, too, and those that never began.
    """
    ends = {f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")}
    trigger = EventTrigger(
        match={"prefect.resource.id": ["prefect.flow-run.*"]},
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat", *ends},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=MISSED * HEARTBEAT),
    )
    action = ChangeFlowRunState(state=StateType.CRASHED, message="no sign of life: its worker was killed or cut off")
    return AutomationCore(name=ZOMBIES, trigger=trigger, actions=[action])


def deploy(recipe: Recipe | None = None) -> None:
    """All deployments of prefect.yaml; `ServerError` with Prefect's words where it refuses."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(deployments_for(recipe), sort_keys=False))
        command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
        env = {name: value for name, value in os.environ.items() if name != "VELATURA_HOME"}  # of this machine
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=end_with_parent,  # or it would be left behind where this process is killed
        )
    if done.returncode:
        raise ServerError(f"Prefect does not take the deployments:\n{(done.stdout + done.stderr).strip()[-2000:]}")


def deployments_for(recipe: Recipe | None) -> dict[str, Any]:
    """What stands in prefect.yaml, for a recipe if one is given: then its source is watched."""
    value: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    if recipe is None:
        return value
    dumped = elsewhere(recipe).model_dump(mode="json")
    for one in value["deployments"]:
        parameters = one.get("parameters") or {}
        if "recipe" in parameters:
            parameters["recipe"] = dumped
        if one["name"] in ("model-to-report", "housekeeping"):
            parameters["home"] = dumped["home"]
        if one["name"] == "model-to-report":
            parameters |= {"model": f"{recipe.name}@champion", "data": recipe.dataset or recipe.name}
        for schedule in one.get("schedules") or []:
            schedule["active"] = True
    return value


if __name__ == "__main__":
    bootstrap(read_recipe(Path(sys.argv[1]), sys.argv[2:]) if len(sys.argv) > 1 else None)
