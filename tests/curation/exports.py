"""What the tests of exports share: a store of many kinds of pictures, and what an import of it must give again."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from PIL import Image

from augment.augment import augment
from augment.transforms.black_and_white import BlackAndWhite
from core.hashing import sha256_of
from core.record import Record
from curation.curate import curate
from curation.export import Export, Item
from curation.exporting import Exported, export
from curation.ingest import ingest
from curation.pictures import Pictures
from curation.source import Found, Source
from curation.sources.folder import Folder
from curation.sources.huggingface import Huggingface
from curation.sources.kohya import Kohya
from curation.sources.webdataset import Webdataset
from curation.splits import Split
from store.store import Store
from tests.curation.conftest import encoded, scene

MATCHING: dict[str, Callable[[Path], Source]] = {
    "kohya": lambda folder: Kohya(path=str(folder)),
    "imagefolder": lambda folder: Huggingface(path=str(folder)),
    "parquet": lambda folder: Huggingface(path=str(folder)),
    "webdataset": lambda folder: Webdataset(path=str(folder / "*.tar")),
}
Told = tuple[str, str, str, float, tuple[str, ...]]
"""what an import must give again: name, content hash, caption, weight, tags"""


def make_many_kinds(tmp_path: Path) -> Path:
    """Thirteen pictures of several formats from two sources, curated; one refused, some made from others."""
    root = tmp_path / "mine"
    (root / "sub").mkdir(parents=True)
    files = {
        "a.png": encoded(scene(1)),
        "A.jpg": encoded(scene(2), "JPEG"),
        "sub/a.png": encoded(scene(3)),
        "really a jpeg.png": encoded(scene(4), "JPEG"),
        "ünï: cödé?.webp": encoded(scene(5), "WEBP"),
        "no suffix": encoded(scene(6), "GIF"),
        "two.dots.png": encoded(scene(7)),
    }
    for name, data in files.items():
        (root / name).write_bytes(data)
    (root / "a.txt").write_text('a "quoted" cat, ünï')
    (root / "broken.png").write_bytes(b"<html>")
    kohya = tmp_path / "kohya"
    for name, seeds in (("img/10_sks dog", (11, 12, 13)), ("img/3_sks dog", (14,)), ("reg/1_dog", (15, 16))):
        (kohya / name).mkdir(parents=True)
        for seed in seeds:
            (kohya / name / f"{seed}.png").write_bytes(encoded(scene(seed)))
    store = Store.open(tmp_path / "store")
    ingest(store, Folder(path=str(root)))
    ingest(store, Kohya(path=str(kohya)))
    curate(store, [], Split(held_out=0.3))
    augment(store, [BlackAndWhite()], 1, 0, Pictures(store))
    return tmp_path / "store"


def told(pictures: Iterable[Found]) -> Counter[Told]:
    return Counter((p.name, sha256_of(p.read()), p.caption, p.weight, p.tags) for p in pictures)


def kept(store: Store, *, derived: bool = False) -> Counter[Told]:
    """What the store holds, as an export should say it."""
    captions = store.captions()
    return Counter(
        (r.name, r.sha256, captions[r.id].text if r.id in captions else "", r.weight, r.tags)
        for r in store.records()
        if r.verdict == "kept" and (derived or r.depth == 0)
    )


def written(store: Store, kind: str, folder: Path, **how: object) -> Exported:
    return export(store, Export.parse(kind), folder, **how)


@cache
def a_picture(number: int) -> bytes:
    return encoded(Image.new("RGB", (8, 8), (number % 256, number // 256, 7)))


def an_item(name: str, number: int = 0, **fields: object) -> Item:
    """A picture as it would come out of a store."""
    data = a_picture(number)
    split, caption = str(fields.pop("split", "train")), str(fields.pop("caption", ""))
    record = replace(Record(name, sha256_of(data), "s", name, name, size=len(data), split=split), **fields)
    return Item(record, name, caption, record.tags, lambda: data)


def wanted(item: Item) -> Told:
    return item.name, item.record.sha256, item.caption, item.record.weight, item.tags
