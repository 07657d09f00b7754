"""A change of the data is announced once, whatever ends in between: the flows as a server runs them."""

from pathlib import Path

import pytest

from flows import announcing
from flows.announcing import EVENT, elsewhere
from flows.embedded import TEMPORARY
from flows.recipe import Recipe, check
from flows.sources_to_dataset import sources_to_dataset
from flows.watch_sources import watch_sources
from tests.flows.pictures import SMALL, six_pictures

pytestmark = pytest.mark.usefixtures("prefect_api")


class Killed(BaseException):
    """As if the process ended here."""


class Server:
    """Hears events, or is not reached: whoever speaks to it is ended first."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.kills = False

    def emit(self, event: str, resource: dict[str, str], payload: dict[str, str]) -> None:
        if self.kills:
            raise Killed
        assert (event, resource["prefect.resource.name"]) == (EVENT, "six")
        self.heard.append(payload["tag"])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(announcing, "emit_event", server.emit)
    monkeypatch.delenv(TEMPORARY, raising=False)
    return server


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    pictures = {"kind": "folder", "path": str(six_pictures(tmp_path / "pictures"))}
    return check(SMALL | {"pictures": pictures, "home": str(tmp_path / "data")}, "test")


def test_a_change_whose_look_was_killed_before_it_could_tell_is_told_by_the_next(
    recipe: Recipe, server: Server
) -> None:
    server.kills = True
    with pytest.raises(Killed):
        watch_sources(recipe, quiet=0)
    server.kills = False
    again = watch_sources(recipe, quiet=0)
    assert again is not None
    assert server.heard == [again.tag]
    assert watch_sources(recipe, quiet=0) is None
    sources_to_dataset(recipe)
    assert server.heard == [again.tag]


def test_it_is_told_too_where_the_source_is_again_as_it_was_remembered(recipe: Recipe, server: Server) -> None:
    first = watch_sources(recipe, quiet=0)
    assert first is not None
    picture = Path(recipe.pictures.dump()["path"]) / "shape-00.png"
    picture.rename(away := picture.with_suffix(".away"))
    server.kills = True
    with pytest.raises(Killed):
        watch_sources(recipe, quiet=0)
    server.kills = False
    away.rename(picture)
    watch_sources(recipe, quiet=0)
    assert len(server.heard) == 2


def test_what_was_ingested_where_no_server_was_is_told_when_there_is_one(
    recipe: Recipe, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as alone:
        alone.setenv(TEMPORARY, "1")
        made = sources_to_dataset(recipe)
        assert sources_to_dataset(recipe).tag == made.tag
    assert server.heard == []
    sources_to_dataset(recipe)
    assert server.heard == [made.tag]


def test_a_recipe_that_is_sent_away_names_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("pictures", "masks", "clip"):
        (tmp_path / folder).mkdir()
    (tmp_path / "begun.safetensors").touch()
    train = {"start_from": "begun.safetensors", "masks": {"folder": "masks"}}
    places = {"store": "shared", "samples": {"clip": "local-dir:clip"}, "home": "data"}
    pictures = {"kind": "folder", "path": "pictures"}
    sent = elsewhere(check(SMALL | {"pictures": pictures, "train": train} | places, "test"))
    assert sent.train.masks is not None
    for place, name in (
        (sent.store, "shared"),
        (sent.train.start_from, "begun.safetensors"),
        (sent.train.masks.folder, "masks"),
        (sent.home, "data"),
    ):
        assert place == str(tmp_path / name)
    assert sent.samples.clip == f"local-dir:{tmp_path / 'clip'}"
    assert (
        elsewhere(check(SMALL | {"pictures": pictures, "store": "s3://bucket/sets"}, "test")).store
        == "s3://bucket/sets"
    )
