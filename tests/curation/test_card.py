"""The figures of a dataset, and what its files say of their licence."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from core.caption import Caption
from core.hashing import sha256_of
from core.record import Reason, Record
from curation import licences
from curation.card import WORDS, banded, card, histograms
from curation.licences import note
from store.image import Image as Stored
from store.store import Store


def a_record(name: str, data: bytes = b"", **fields: object) -> Record:
    sha256 = sha256_of(data or name.encode())
    plain = Record(Record.id_of("here", name, sha256), sha256, "here", name, f"/here/{name}", size=len(data))
    return replace(plain, **fields)


def a_file(kind: str = "PNG", words: str = "", seed: int = 0) -> bytes:
    """A small picture with a copyright note."""
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8))
    file = io.BytesIO()
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        if words:
            info.add_text("Copyright", words)
        image.save(file, kind, pnginfo=info)
    else:
        exif = Image.Exif()
        if words:
            exif[0x8298] = words
        image.save(file, kind, exif=exif)
    return file.getvalue()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


def test_a_card_counts_real_pictures_and_what_was_made_of_them_apart(store: Store) -> None:
    kept = [
        a_record("a", width=400, height=300, size=10, group="g1", split="train", quality={"sharpness": 0.5}),
        a_record("b", width=300, height=400, size=20, group="g1", split="train", quality={"sharpness": 1.5}),
        a_record("c", width=2000, height=1000, size=30, group="g2", split="held_out", source="there"),
    ]
    blurred = Reason("blurred", "it is blurred")
    away = [
        a_record("d", width=9, height=9, group="g3").refuse(blurred, Reason("too_small", "9x9")),
        a_record("e", width=9, height=9, group="g4").refuse(blurred),
        a_record("f", verdict="removed", reasons=(Reason("removed", "gone"),)),
    ]
    made = replace(kept[0], id="made", depth=1, parent=kept[0].id, group="g1")
    store.put_records([*kept, *away, made])
    store.put_captions([Caption(kept[0].id, automatic="a cat on  a mat", engine="e"), Caption(kept[1].id, user="cat")])
    found = card(store)
    assert found.verdicts == {"kept": 3, "refused": 2, "removed": 1}
    assert found.sources == {"here": {"kept": 2, "refused": 2, "removed": 1}, "there": {"kept": 1}}
    assert found.reasons == {"blurred": 2, "removed": 1, "too_small": 1}
    assert (found.splits, found.groups) == ({"train": 2, "held_out": 1}, {"train": 1, "held_out": 1})
    assert (found.derived, found.synthetic, found.bytes) == (1, 0.25, 60)
    assert found.sides["shorter side"] == (300, 300, 1000)
    assert found.shapes == {"3:4": 1, "4:3": 1, "2:1": 1}
    assert found.megapixels == {"0.1 to 0.25": 2, "0.25 to 0.5": 0, "0.5 to 1": 0, "1 to 2": 0, "2 to 4": 1}
    assert found.captions == {"machine": 1, "nobody": 1, "person": 1}
    assert found.words == {"below 1": 1, "1 to 3": 1, "3 to 5": 0, "5 to 8": 1}
    assert found.families == {"groups": 1, "pictures": 2, "largest": 2}
    assert sum(found.quality["sharpness"].counts) == 2


def test_a_card_is_that_of_its_snapshot_whatever_happened_since(store: Store) -> None:
    store.put_records([a_record("a", width=8, height=8, split="train")])
    then = card(store, store.snapshot().tag)
    store.put_records([a_record("b", width=8, height=8), a_record("a", verdict="removed")])
    assert card(store, "data-0001") == then
    assert card(store).verdicts == {"kept": 1, "removed": 1}


def test_an_empty_dataset_has_a_card_of_nothing(store: Store) -> None:
    found = card(store)
    assert (found.kept, found.synthetic, found.bytes) == (0, 0, 0)
    assert not found.shapes and not found.words and not found.quality and not found.licences.known


@given(st.lists(st.floats(0, 1000, allow_nan=False)))
def test_every_value_is_in_exactly_one_band(values: list[float]) -> None:
    found = banded(np.array(values), WORDS)
    assert sum(found.values()) == len(values)
    bands = list(found.values())
    assert not bands or (bands[0] and bands[-1])


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=40))
def test_every_score_that_is_a_number_is_drawn_once(values: list[float]) -> None:
    finite = [value for value in values if np.isfinite(value)]
    found = histograms({"score": np.array(values, np.float64)})
    assert sum(found["score"].counts if found else ()) == len(finite)


def test_a_licence_is_told_by_the_source_or_by_the_file(store: Store) -> None:
    files = {"exif.jpg": a_file("JPEG", "(c) Ada"), "text.png": a_file("PNG", "CC0"), "silent.png": a_file(seed=1)}
    store.put_images(Stored(sha256_of(data), data, "image/png", 8, 8) for data in files.values())
    tagged = a_record("tagged.png", width=8, height=8, tags=("emoji", "License: CC BY-SA 4.0"))
    store.put_records([*(a_record(name, data, width=8, height=8) for name, data in files.items()), tagged])
    found = card(store).licences
    assert found.known == {"CC BY-SA 4.0": 1, "(c) Ada": 1, "CC0": 1}
    assert (found.by_source, found.looked_at, found.of) == (1, 3, 4)


def test_only_so_many_files_are_opened_for_their_licence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "LOOKED_AT", 5)
    store.put_records([a_record(f"{number}", width=8, height=8) for number in range(23)])
    found = card(store).licences
    assert (found.looked_at, found.of) == (5, 23)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_file_is_so_broken_that_asking_for_its_licence_fails(data: bytes) -> None:
    for whole in (data, a_file("PNG", "CC0")[:-30] + data, a_file("JPEG", "me")[:60] + data):
        assert isinstance(note(whole), str)
