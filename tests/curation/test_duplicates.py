from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.cache import Memory
from core.pixels import Pixels
from core.record import Record
from curation.decode import decode
from curation.duplicates import Alike, components, near_duplicates, shadowed
from curation.perceptual import hashes
from curation.view import View
from tests.curation.conftest import encoded, scene

ALIKE = Alike(radius=6, difference=0.08, mirrored=False)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["jpeg", "half", "brighter", "same"]))
def test_saving_scaling_or_brightening_hardly_changes_the_hash(seed: int, change: str) -> None:
    image = Image.fromarray(scene(seed, 192, 160))
    changed = {
        "jpeg": lambda: Image.fromarray(decode(encoded(image, "JPEG", quality=40)).pixels),
        "half": lambda: image.resize((96, 80), Image.Resampling.LANCZOS),
        "brighter": lambda: image.point([round(v * 0.85 + 20) for v in range(256)] * 3),
        "same": lambda: image,
    }[change]()
    before, after = (hashes(View(np.asarray(one)).thumbnail_grey)[0] for one in (image, changed))
    assert (before ^ after).bit_count() <= 6


def test_the_mirrored_hash_is_the_hash_of_the_mirror_image() -> None:
    for seed in range(20):
        pixels = scene(seed)
        straight, mirrored = (
            hashes(View(pixels).thumbnail_grey),
            hashes(View(np.ascontiguousarray(pixels[:, ::-1])).thumbnail_grey),
        )
        assert (straight[0] ^ mirrored[1]).bit_count() <= 1 and (straight[1] ^ mirrored[0]).bit_count() <= 1


def test_a_flat_picture_has_no_hash() -> None:
    noise = np.random.default_rng(0).integers(126, 130, (64, 64, 3)).astype(np.uint8)
    for pixels in (np.full((8, 8, 3), 9, np.uint8), noise):
        assert hashes(View(pixels).thumbnail_grey) == (0, 0)


def records_of(pictures: dict[str, Pixels]) -> list[Record]:
    made = []
    for name, pixels in pictures.items():
        phash, mirrored = hashes(View(pixels).thumbnail_grey)
        sha256 = str(hash(pixels.tobytes()))
        height, width = pixels.shape[:2]
        record = Record(name, sha256, "s", name, name, width=width, height=height)
        made.append(replace(record, phash=phash, phash_mirrored=mirrored))
    return made


def names_of(pictures: dict[str, Pixels], alike: Alike) -> set[tuple[str, str]]:
    records, names = records_of(pictures), list(pictures)
    pairs = near_duplicates(records, alike, lambda record: pictures[record.name], Memory())
    return {(names[a], names[b]) for a, b in pairs.tolist()}


def test_near_duplicates_are_the_same_scene_and_not_the_same_layout_in_other_colours() -> None:
    first = scene(1)
    recoloured = first[..., [1, 2, 0]].copy()
    small = np.asarray(Image.fromarray(first).resize((48, 32), Image.Resampling.LANCZOS))
    mirror = np.ascontiguousarray(first[:, ::-1])
    pictures = {
        "first": first,
        "copy": first,
        "small": small,
        "mirror": mirror,
        "recoloured": recoloured,
        "other": scene(2),
        "flat": np.full((64, 96, 3), 7, np.uint8),
        "flat too": np.full((64, 96, 3), 8, np.uint8),
    }
    same = {("first", "copy"), ("first", "small")}
    assert names_of(pictures, ALIKE) == same
    assert names_of(pictures, Alike(6, 0.08, mirrored=True)) == same | {("first", "mirror"), ("small", "mirror")}


def emoji(mouth: int, brow: int) -> Pixels:
    """A face in a flat style: the outline is the same for all."""
    y, x = np.mgrid[:128, :128]
    pixels = np.full((128, 128, 3), 255, np.uint8)
    pixels[(y - 64) ** 2 + (x - 64) ** 2 < 50**2] = (252, 234, 43)
    pixels[70 : 70 + mouth, 40:88] = 0
    pixels[45 - brow : 50, 44:54] = 0
    pixels[45 - brow : 50, 74:84] = 0
    return pixels


def test_drawings_of_one_layout_are_told_apart_while_a_copy_of_one_is_found() -> None:
    faces = {f"{mouth} {brow}": emoji(mouth, brow) for mouth in (4, 14, 24) for brow in (0, 16)}
    saved = decode(encoded(faces["4 0"], "JPEG", quality=50)).pixels
    assert names_of({**faces, "saved": saved}, ALIKE) == {("4 0", "saved")}


@given(st.integers(1, 40), st.data())
def test_components_and_shadows_keep_what_they_promise(count: int, data: st.DataObject) -> None:
    node = st.integers(0, count - 1)
    drawn = data.draw(st.lists(st.tuples(node, node).filter(lambda pair: pair[0] != pair[1]), max_size=60))
    pairs = np.array(sorted({tuple(sorted(pair)) for pair in drawn}), np.int64).reshape(-1, 2)
    roots = components(count, pairs.tolist())
    assert all(roots[a] == roots[b] for a, b in pairs.tolist())
    assert all(roots[root] == root <= at for at, root in enumerate(roots))
    ranked = data.draw(st.permutations(range(count)))
    left_out = shadowed(ranked, pairs)
    direct = {tuple(pair) for pair in pairs.tolist()}
    for out, kept in left_out.items():
        assert tuple(sorted((out, kept))) in direct and kept not in left_out
        assert ranked.index(kept) < ranked.index(out)
    assert not any(a not in left_out and b not in left_out for a, b in direct), "no two that are kept are duplicates"
