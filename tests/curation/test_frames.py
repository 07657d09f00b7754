from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.record import Record
from curation.curate import curate
from curation.decode import Undecodable, decode
from curation.filters.resolution import Resolution
from curation.frames import frames
from curation.ingest import Ingested, ingest
from curation.reading import Frames, Reading
from curation.sources.folder import Folder
from curation.splits import Split
from store.store import Store
from tests.curation.conftest import encoded, opened, scene

MakeFolder = Callable[..., Path]
COUNT = 9
SCENES = [scene(seed) for seed in range(30, 30 + COUNT)]
THIRD = Reading(frames=Frames(every=3))
LOSSLESS = {"WEBP": {"lossless": True, "exact": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}


def animated(kind: str, pictures: list[np.ndarray] = SCENES) -> bytes:
    first, *rest = (Image.fromarray(one) for one in pictures)
    return encoded(first, kind, save_all=True, append_images=rest, duration=100, **LOSSLESS.get(kind, {}))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF"])
def test_each_frame_has_the_pixels_that_were_drawn(kind: str) -> None:
    data = animated(kind)
    assert decode(data).num_frames == COUNT
    told = dict(frames(data, [2, 5, 8], 10**6))
    assert list(told) == [2, 5, 8]
    for number, png in told.items():
        assert np.abs(decode(png).pixels.astype(int) - SCENES[number]).max() <= (4 if kind == "AVIF" else 0)


def test_a_frame_keeps_its_alpha_and_is_turned_upright() -> None:
    clear = [np.dstack([one, np.maximum(np.arange(96 * 64).reshape(64, 96).astype(np.uint8), 1)]) for one in SCENES[:3]]
    exif = Image.Exif()
    exif[0x0112] = 6
    first, *rest = (Image.fromarray(one) for one in clear)
    data = encoded(first, "WEBP", save_all=True, append_images=rest, exif=exif.tobytes(), **LOSSLESS["WEBP"])
    ((_, png),) = frames(data, [2], 10**6)
    np.testing.assert_array_equal(np.asarray(opened(png)), np.rot90(clear[2], -1))


def test_pages_and_stereo_views_are_no_frames() -> None:
    first, *rest = (Image.fromarray(one) for one in SCENES)
    for kind in ("TIFF", "MPO"):
        assert decode(encoded(first, kind, save_all=True, append_images=rest)).num_frames == 1


def test_a_frame_that_is_not_there_is_refused() -> None:
    with pytest.raises(Undecodable):
        list(frames(animated("GIF"), [2, 40], 10**6))


@pytest.mark.parametrize(("asked", "taken"), [(Frames(every=3), [3, 6]), (Frames(every=2, most=3), [2, 4])])
def test_every_so_many_frames_are_taken_and_no_more_than_asked(asked: Frames, taken: list[int]) -> None:
    assert list(asked.of(COUNT)) == taken


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def run(store: Store, root: Path, reading: Reading) -> Ingested:
    ingested = ingest(store, Folder(path=str(root)), [Resolution()], reading=reading)
    curate(store, [Resolution()], Split())
    return ingested


def by_name(store: Store) -> dict[str, Record]:
    return {record.name: record for record in store.records() if record.verdict == "kept"}


def test_frames_become_pictures_of_one_group_and_go_when_they_are_no_longer_asked_for(
    store: Store, folder: MakeFolder
) -> None:
    root = folder(*range(6))
    (root / "x.gif").write_bytes(animated("GIF"))
    (root / "x.txt").write_text("it moves")
    plain = Reading()
    assert run(store, root, plain).new == 7
    whole = by_name(store)["x.gif"]
    told = run(store, root, THIRD)
    assert (told.read, told.new, told.found, told.unchanged) == (1, 2, 7, 6), "only what is animated is read again"
    records = by_name(store)
    assert {name for name in records if name.startswith("x")} == {"x.gif", "x.gif#3", "x.gif#6"}
    assert records["x.gif"].id == whole.id and store.image(whole.sha256) == (root / "x.gif").read_bytes()
    for number in (3, 6):
        record = records[f"x.gif#{number}"]
        assert (record.drawn["frame"], record.drawn["first"], record.group) == (number, whole.id, whole.group)
        np.testing.assert_array_equal(decode(store.image(record.sha256)).pixels, SCENES[number])
        assert store.captions()[record.id].user == "it moves"
    before = store.records()
    again = run(store, root, THIRD)
    assert (again.read, again.unchanged, again.removed, again.returned) == (0, 7, 0, 0)
    assert store.records() == before
    fewer = run(store, root, plain)
    assert (fewer.read, fewer.removed) == (1, 2)
    assert "x.gif#3" not in by_name(store)
    back = run(store, root, THIRD)
    assert (back.returned, back.new) == (2, 0)
    assert store.records() == before


def test_frames_of_a_file_that_went_and_came_back_are_back_with_it(store: Store, folder: MakeFolder) -> None:
    root = folder(1)
    (root / "x.gif").write_bytes(animated("GIF"))
    run(store, root, THIRD)
    (root / "x.gif").rename(root.parent / "x.gif")
    assert run(store, root, THIRD).removed == 3
    (root.parent / "x.gif").rename(root / "x.gif")
    assert run(store, root, THIRD).returned == 3
    assert len(by_name(store)) == 4


def test_a_frame_that_cannot_be_read_is_refused_and_the_others_stay(store: Store, folder: MakeFolder) -> None:
    root = folder(1)
    data = animated("PNG")
    (root / "x.png").write_bytes(data[: int(len(data) * 0.6)])
    told = run(store, root, Reading(frames=Frames(every=1)))
    records = {record.name: record for record in store.records()}
    codes = {record.reasons[0].code for record in records.values() if record.reasons}
    assert codes and codes <= {"truncated", "damaged"}
    assert sum(told.refused.values()) == 1
    assert records["x.png"].verdict == "kept" or "x.png#1" not in records


def test_the_mask_of_a_transparent_picture_can_be_had_from_the_store(store: Store, folder: MakeFolder) -> None:
    root = folder(1)
    alpha = np.arange(96 * 64).reshape(64, 96).astype(np.uint8)
    (root / "clear.png").write_bytes(encoded(np.dstack([scene(1), alpha])))
    run(store, root, Reading())
    decoded = decode(store.image(by_name(store)["clear.png"].sha256))
    np.testing.assert_array_equal(decoded.alpha, alpha)
    assert decode(store.image(by_name(store)["001.png"].sha256)).alpha is None
