"""`velatura up` without the servers: processes that are kept running, restarted, and all gone at the end."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import yaml

from core.errors import ServerError
from flows.bootstrap import deployments_for
from flows.commands.up import Stopped, state, stop
from flows.home import Home
from flows.keeping_up import RESTARTS, STEADY, Crew, check_free, note, write_note
from flows.recipe import Recipe, check, read_recipe
from flows.stations import HEARTBEAT, ROOT, Ports, Station, environment
from tests.flows.pictures import SMALL
from tests.flows.servers import free_port, until

SLEEPER = "import time; time.sleep(600)"
STUBBORN = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", deaf])
{SLEEPER}
"""


def python(name: str, code: str) -> Station:
    return Station(name, (sys.executable, "-c", code))


def test_all_end_even_those_that_will_not_and_their_children(tmp_path: Path) -> None:
    crew = Crew(tmp_path / "logs", os.environ)
    crew.start(python("plain", SLEEPER))
    crew.start(python("stubborn", STUBBORN))
    process = psutil.Process(crew.running["stubborn"][1].pid)
    until("the child", process.children, seconds=30)
    (child,) = process.children()
    time.sleep(1)  # it must have come to ignoring the signal
    began = time.monotonic()
    assert crew.stop()
    assert time.monotonic() - began < 10
    for one in (process, child):
        assert not one.is_running() or one.status() == psutil.STATUS_ZOMBIE
    assert crew.running["plain"][1].poll() is not None


def test_what_ends_is_started_again_but_not_for_ever(tmp_path: Path) -> None:
    crew = Crew(tmp_path, os.environ, pause=0)
    crew.start(python("ends", "print('no such thing')"))
    said: list[str] = []

    def dies() -> bool:
        crew.running["ends"][1].wait(30)
        crew.watch(said.append)
        return False

    with pytest.raises(ServerError, match="ends again and again:\n.*no such thing"):
        until("too many deaths", dies, seconds=60)
    assert len(said) == RESTARTS
    crew.stop()


def test_what_was_well_once_is_started_again_for_ever_but_less_and_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(tmp_path, os.environ, pause=4)
    now = [0.0]
    monkeypatch.setattr("flows.keeping_up.time.monotonic", lambda: now[0])
    crew.start(python("ends", "pass"))
    now[0] += STEADY
    said: list[str] = []
    for _ in range(RESTARTS + 3):
        crew.running["ends"][1].wait(30)
        crew.watch(said.append)
        due = crew.lives["ends"].due
        if due is not None:
            now[0] = due
            crew.watch(said.append)
    whens = [line.partition("again ")[2].partition(".")[0] for line in said]
    assert whens == ["now", *(f"in {wait} s" for wait in (4, 8, 16, 32, 60, 60, 60))]
    crew.stop()


def test_children_go_when_the_parent_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from flows.keeping_up import Crew; from flows.stations import Station\n"
        f"crew = Crew(Path({str(tmp_path)!r}), os.environ)\n"
        f"crew.start(Station('sleeper', (sys.executable, '-c', {SLEEPER!r})))\n"
        "print(crew.running['sleeper'][1].pid, flush=True); crew.running['sleeper'][1].wait()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until("the child's end", lambda: not psutil.pid_exists(child), seconds=30)


def test_what_is_deployed_with_goes_with_all_it_started_when_the_command_is_told_to_stop(tmp_path: Path) -> None:
    note, crew = tmp_path / "child", Crew(tmp_path / "logs", os.environ)
    child = "import subprocess, sys; one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    deploying = f"{child}open({str(note)!r}, 'w').write(f'{{one.pid}}\\n'); one.wait()"

    def tell() -> None:
        until("the child", lambda: note.exists() and note.read_text().endswith("\n"), seconds=60)
        os.kill(os.getpid(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        threading.Thread(target=tell).start()
        with pytest.raises(Stopped):
            crew.through([sys.executable, "-c", deploying])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not psutil.pid_exists(int(note.read_text())) or ended(int(note.read_text()))
    assert crew.through([sys.executable, "-c", "print('done'); raise SystemExit(3)"]) == (3, "done\n")


def ended(process: int) -> bool:
    """A child whose parent is gone may wait for somebody to notice its end."""
    try:
        return bool(psutil.Process(process).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_prefect_deploy_ends_with_the_process_that_deploys_even_if_that_is_killed(tmp_path: Path) -> None:
    prefect, note = tmp_path / "python", tmp_path / "pid"
    prefect.write_text(f"#!/bin/sh\necho $$ > {note}\nexec sleep 600\n")
    prefect.chmod(0o755)
    code = f"import sys; from flows import bootstrap; sys.executable = {str(prefect)!r}; bootstrap.deploy()"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    until("prefect deploy", lambda: note.exists() and note.read_text().endswith("\n"), seconds=120)
    process.kill()
    process.wait()
    until("its end", lambda: ended(int(note.read_text())), seconds=30)


def test_a_run_that_is_ended_by_force_is_not_said_to_have_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[list[str], str]] = []
    monkeypatch.setattr("flows.keeping_up.end_those", lambda _api, runs, words: told.append((list(runs), words)))
    crew = Crew(tmp_path / "logs", {**os.environ, "PREFECT__FLOW_RUN_ID": "run-1"})
    crew.start(python("worker", SLEEPER))
    crew.stop()
    ((runs, words),) = told
    assert runs == ["run-1"]
    assert "goes on from its last checkpoint, if" in words and "has a checkpoint" not in words


def test_a_server_that_ends_at_once_is_told_with_its_words(tmp_path: Path) -> None:
    station = Station("broken", (sys.executable, "-c", "print('bad option')"), f"http://127.0.0.1:{free_port()}")
    crew = Crew(tmp_path, os.environ)
    crew.start(station)
    with pytest.raises(ServerError, match=r"broken ended at once:\nbad option"):
        crew.wait_for([station])
    crew.stop()


def test_a_taken_port_is_told_with_the_option_that_names_another() -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(ServerError, match=f"port {taken} is taken; name another with --prefect-port"):
            check_free(Ports(mlflow=free_port(), prefect=taken))


def test_what_runs_is_told_and_what_is_gone_as_well(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert state(home) == []
    crew = Crew(tmp_path / "logs", os.environ)
    crew.start(python("worker velatura-cpu", SLEEPER))
    write_note(home, Ports(), crew)
    assert [one["well"] for one in state(home)] == [True]
    crew.stop()
    assert [one["well"] for one in state(home)] == [False]
    note(home).write_text("{")
    assert state(home) == []


def test_every_process_is_told_where_things_are(tmp_path: Path) -> None:
    env = environment(Home(tmp_path), Ports(1, 2))
    assert env["PREFECT_API_URL"] == "http://127.0.0.1:2/api"
    assert env["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:1"
    assert env["VELATURA_DATA"] == str(tmp_path)


def test_a_recipe_of_ones_own_is_deployed_everywhere_with_whole_paths_and_watched() -> None:
    recipe = check(SMALL | {"pictures": {"kind": "folder", "path": "somewhere"}}, "test")
    found = {one["name"]: one for one in deployments_for(recipe)["deployments"]}
    for name in ("dataset-to-model", "decide-and-train", "sources-to-dataset", "watch-sources"):
        deployed = Recipe.model_validate(found[name]["parameters"]["recipe"])
        assert deployed.name == "six"
        assert deployed.pictures.dump()["path"] == str(Path("somewhere").absolute())
        assert Path(deployed.home).is_absolute()
    assert found["watch-sources"]["schedules"][0]["active"]
    assert found["model-to-report"]["parameters"]["model"] == "six@champion"


def test_as_it_stands_nothing_is_watched_and_housekeeping_deletes_nothing() -> None:
    found = {one["name"]: one for one in deployments_for(None)["deployments"]}
    assert found["watch-sources"]["schedules"][0]["active"] is False
    assert found["housekeeping"]["parameters"]["delete"] is False
    assert {one["slug"]: one.get("parameters") for one in found["housekeeping"]["schedules"] if one["active"]} == {
        "weekly": None,
        "lost-runs": {"only_lost": True},
    }
    for one in found.values():  # or a live run would be taken for a dead one
        assert one["work_pool"]["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == str(HEARTBEAT)
    demo = read_recipe(ROOT / "recipes" / "openmoji.yaml")
    assert Recipe.model_validate(found["decide-and-train"]["parameters"]["recipe"]) == demo


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "templates").glob("*.yaml")), ids=lambda path: path.name)
def test_the_templates_can_be_read_and_bind_to_loopback(path: Path) -> None:
    services = yaml.safe_load(path.read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("kind", ["docker", "kubernetes", "slurm"])
def test_a_template_of_a_pool_names_what_it_uses_and_keeps_what_deployments_ask_for(kind: str) -> None:
    template = json.loads((ROOT / "docs" / "templates" / f"{kind}-pool.json").read_text())
    configuration, known = template["job_configuration"], template["variables"]["properties"]
    used = set(re.findall(r"{{ (\w+) }}", json.dumps(configuration)))
    assert used == set(known)
    assert all(one["description"] for one in known.values())
    asked = {key for one in deployments_for(None)["deployments"] for key in one["work_pool"]["job_variables"]}
    assert asked <= used
    assert known["command"]["default"].endswith("/python -m prefect.engine")
