from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backbones.clip import Clip
from backbones.embedding import Embedder
from core.errors import RecipeError
from core.pixels import Pixels
from core.record import Record
from curation.decode import decode
from curation.reading import Frames, Reading
from flows.commands.search import hits_of
from flows.job import reader
from flows.recipe import check
from flows.stages import choose_pictures, open_store, read_pictures
from tests.curation.conftest import encoded, scene


def a_recipe(root: Path, **reading: object) -> dict[str, object]:
    return {
        "name": "clear",
        "home": str(root / "home"),
        "pictures": {"kind": "folder", "path": str(root / "pictures")},
        "filters": ["resolution"],
        "reading": reading,
    }


def test_the_matte_and_the_frames_of_a_recipe_are_used_wherever_pictures_are_read(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "clear.png").write_bytes(encoded(np.zeros((40, 40, 4), np.uint8)))
    moving = [Image.fromarray(scene(seed)) for seed in range(5)]
    (pictures / "moves.gif").write_bytes(encoded(moving[0], "GIF", save_all=True, append_images=moving[1:]))
    recipe = check(a_recipe(tmp_path, matte=[9, 90, 200], frames={"every": 2}), "here")
    assert recipe.reading == Reading(matte=(9, 90, 200), frames=Frames(every=2))
    store = open_store(recipe)
    assert read_pictures(recipe, store).new == 4
    assert choose_pictures(recipe, store).kept == 4
    records = {record.name: record for record in store.records()}
    assert (reader(store)(records["clear.png"]) == (9, 90, 200)).all()
    np.testing.assert_array_equal(reader(store)(records["moves.gif#4"]), scene(4))
    manifest = store.snapshot().manifest
    white = check(a_recipe(tmp_path), "here")
    read_pictures(white, store)
    choose_pictures(white, store)
    again = {record.name: record for record in store.records()}
    assert (reader(store)(again["clear.png"]) == 255).all()
    assert again["clear.png"].pixels_key != records["clear.png"].pixels_key
    assert store.snapshot().manifest != manifest
    several = list(reader(store).several([again["clear.png"], records["clear.png"], again["clear.png"]]))
    assert [int(picture[0, 0, 2]) for picture in several] == [255, 200, 255], "each as its own record was read"


def test_what_a_search_sees_of_a_transparent_picture_is_what_the_run_sees(tmp_path: Path) -> None:
    """A search that laid it onto white would leave its vector under the key of the one on the recipe's ground."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    clear = np.zeros((40, 40, 4), np.uint8)
    clear[8:20, 8:30] = (200, 30, 30, 255)
    (pictures / "clear.png").write_bytes(encoded(clear))
    recipe = check(a_recipe(tmp_path, matte=[9, 90, 200]), "here")
    store = open_store(recipe)
    read_pictures(recipe, store)
    (record,) = store.records()
    hits_of(store, [record], "a red box", "pocket", 1)
    clip = Clip.open()
    kept = Embedder.of(clip, store.cache("embeddings")).pictures([record], unread)
    wanted = clip.embed_pictures([decode(store.image(record.sha256), matte=(9, 90, 200)).pixels])
    np.testing.assert_array_equal(kept, wanted)


def unread(record: Record) -> Pixels:
    raise AssertionError(f"the vector of {record.name} should be there")


@pytest.mark.parametrize(("key", "value"), [("matte", [0, 0, 300]), ("frames", {"every": 0}), ("seconds", 0)])
def test_what_cannot_be_meant_is_refused_with_its_path(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(RecipeError, match=f"reading.{key}"):
        check(a_recipe(tmp_path, **{key: value}), "here")


def test_another_matte_is_another_model(tmp_path: Path) -> None:
    keys = [
        check(a_recipe(tmp_path, **how), "here").model_key("m") for how in ({}, {"seconds": 9}, {"matte": [1, 2, 3]})
    ]
    assert keys[0] == keys[1] != keys[2]
