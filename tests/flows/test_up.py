"""`velatura up`: processes that are kept running, restarted, and all gone at the end; once with the real servers."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
import yaml

from benchmarks.studio import Studio, opened
from core.errors import ServerError
from flows import mlflow_pages
from flows.bootstrap import deployments_for
from flows.checking import checked
from flows.commands.up import Stopped, stop
from flows.front_page import front_page
from flows.home import Home
from flows.keeping_up import RESTARTS, STEADY, Crew, check_free, note, write_note
from flows.recipe import Recipe, check, read_recipe
from flows.stations import HEARTBEAT, POOLS, ROOT, ZOMBIES, Ports, Station, environment
from flows.tracking import EXPERIMENT
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
    home, ports = Home(tmp_path), Ports(free_port(), free_port())
    assert checked(home) == []
    crew = Crew(tmp_path / "logs", os.environ)
    crew.start(python("worker velatura-cpu", SLEEPER))
    write_note(home, ports, crew)
    known = {one.what: one for one in checked(home)}
    assert known["velatura up"].well and known["worker velatura-cpu"].well
    assert not known["mlflow database"].well and "cannot be asked" in known["prefect database"].words
    began = note(home).stat().st_mtime_ns
    write_note(home, ports, crew)
    assert note(home).stat().st_mtime_ns == began, "no news, no writing"
    crew.stop()
    assert not next(one for one in checked(home) if one.what == "worker velatura-cpu").well
    note(home).write_text("{")
    assert checked(home) == []


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1], ids=["another", "gone"])
def test_a_note_that_a_dead_one_left_is_known_even_where_its_number_is_another_process_now(
    pid: int, tmp_path: Path
) -> None:
    said = {"pid": pid, "mlflow": 1, "prefect": 2, "stations": {"mlflow": pid}, "began": {"velatura up": 1000.0}}
    note(Home(tmp_path)).write_text(json.dumps(said))
    (only,) = checked(Home(tmp_path))
    assert not only.well and "gone without a farewell" in only.words


@pytest.mark.server
def test_everything_that_should_stand_is_looked_at_and_what_is_not_well_is_told(tmp_path: Path) -> None:
    with opened(tmp_path) as studio:
        said = (tmp_path / "up.log").read_text()
        assert re.search(r"newest +http://127.0.0.1:\d+/#/experiments/\d+/runs\?", said), "there is no run yet"
        experiment = studio.mlflow.get_experiment_by_name(EXPERIMENT).experiment_id
        runs = [
            studio.mlflow.create_run(experiment, start_time=at, tags={"velatura.recipe": "mine"}).info.run_id
            for at in (1, 2)
        ]
        studio.mlflow.create_run(experiment, tags={"mlflow.parentRunId": runs[0], "velatura.recipe": "mine"})
        assert front_page(studio.env["MLFLOW_TRACKING_URI"]) == mlflow_pages.compared(
            studio.env["MLFLOW_TRACKING_URI"], experiment, runs[::-1]
        )
        until("all of it to be well", lambda: looked(studio)[0] == 0, 120)
        wanted = [one["name"] for one in deployments_for(None)["deployments"]]
        found = looked(studio)[1]
        stations = {"velatura up", "mlflow", "prefect", *(f"worker {pool}" for pool in POOLS)}
        assert stations <= found.keys() and {f"deployment {name}" for name in wanted} <= found.keys()
        assert "at most 1 at a time; online: velatura-gpu-" in found["pool velatura-gpu"][1]
        assert len([what for what in found if what.startswith("automation")]) == 3
        (zombies,) = [one for one in studio.ask("/automations/filter", {}) if one["name"] == ZOMBIES]
        send(studio, "PATCH", f"/automations/{zombies['id']}", {"enabled": False})
        send(studio, "PATCH", "/work_pools/velatura-gpu", {"is_paused": True})
        send(studio, "PATCH", f"/deployments/{studio.deployment('decide-and-train')}", {"paused": True})
        send(studio, "DELETE", f"/deployments/{studio.deployment('housekeeping')}")
        status, found = looked(studio)
        wrong = {what: words for what, (well, words) in found.items() if not well}
        assert status == 1 and set(wrong) == {
            "pool velatura-gpu",
            "deployment housekeeping",
            "automation a run without a sign of life is dead",
        }
        assert "is paused" in wrong["pool velatura-gpu"] and "is missing" in wrong["deployment housekeeping"]
        assert "paused" in found["deployment decide-and-train"][1]
        studio.cut_off()
        status, found = looked(studio)
        assert status == 1 and "gone without a farewell" in found["velatura up"][1]


def looked(studio: Studio) -> tuple[int, dict[str, tuple[bool, str]]]:
    """What `velatura up --check` ends with, and what it says of each thing."""
    command = [sys.executable, "-m", "flows.command_line", "up", "--check", "--json", "--home", str(studio.home.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, {one["what"]: (one["well"], one["words"]) for one in json.loads(done.stdout)}


def send(studio: Studio, method: str, path: str, body: object = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(studio.env["PREFECT_API_URL"] + path, data, headers, method=method)

    def taken() -> bool:
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code != 503:  # its database is busy, and it asks to try again
                raise
            return False
        return True

    until(f"{method} {path}", taken, 60)


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
