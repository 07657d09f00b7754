import io
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import SourceError
from curation.ingest import ingest
from curation.source import Found
from curation.sources.huggingface import Huggingface
from store.store import Store
from tests.curation.conftest import encoded, scene
from tests.curation.packing import by_name, refused_with

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {
    "info": {"features": {"photo": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["cat", "dog"]}}}
}


def found(path: Path | str, **options: object) -> dict[str, Found]:
    return by_name(Huggingface(path=str(path), **options))


def table(seeds: list[int], paths: list[str | None] | None = None, **columns: list[object]) -> pa.Table:
    cells = [
        {"bytes": encoded(scene(seed, 40, 32)), "path": path}
        for seed, path in zip(seeds, paths or [None] * len(seeds), strict=True)
    ]
    made = pa.table({"photo": pa.array(cells, STRUCT), **columns})
    return made.replace_schema_metadata({"huggingface": json.dumps(FEATURES)})


def image_folder(root: Path) -> Path:
    for name in ("a.png", "train/b.png", "train/deep/c.png", "lone.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(scene(len(name))))
    rows = [{"file_name": "b.png", "text": "a  box"}, {"file_name": "deep/c.png", "text": ["boxes", "more"]}]
    (root / "train" / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    (root / "metadata.csv").write_text("file_name,caption\na.png,one\ngone.png,two\n../out.png,three\n")
    (root / "lone.txt").write_text("alone")
    return root


def test_metadata_tells_the_captions_of_an_image_folder(tmp_path: Path) -> None:
    pictures = found(image_folder(tmp_path / "set"))
    said = {name: one.caption for name, one in pictures.items() if not refused_with(one)}
    assert said == {"a.png": "one", "lone.png": "alone", "train/b.png": "a box", "train/deep/c.png": "boxes"}
    assert "is not there" in refused_with(pictures["gone.png"])
    assert "leads out" in refused_with(pictures["../out.png"])


def test_a_column_of_captions_that_is_not_found_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(scene(1)))
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "what": "a box"}\n')
    assert "no column of captions among file_name, what" in found(tmp_path)["a.png"].note
    assert found(tmp_path, caption="what")["a.png"].caption == "a box"
    with pytest.raises(SourceError, match="no column 'wat'"):
        found(tmp_path, caption="wat")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("metadata.jsonl", "{", "line 1 is not JSON"),
        ("metadata.jsonl", "[1]", "line 1 is no JSON object"),
        ("metadata.csv", "name,text\na.png,x\n", "no column file_name"),
        ("metadata.csv", b"file_name\ncaf\xe9", "not UTF-8"),
        ("metadata.parquet", "x", "cannot be read as parquet"),
    ],
)
def test_metadata_that_cannot_be_read_is_an_error_in_words(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / "a.png").write_bytes(encoded(scene(1)))
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SourceError, match=words):
        found(tmp_path)


def test_parquet_rows_are_pictures_with_captions_and_labels(tmp_path: Path) -> None:
    pq.write_table(
        table([1, 2, 3], ["a.png", None, "a.png"], text=["x", None, "z"], label=[0, 1, None]), tmp_path / "t.parquet"
    )
    pictures = found(tmp_path / "t.parquet")
    assert {name: (one.caption, one.tags) for name, one in pictures.items()} == {
        "t/a.png": ("x", ("cat",)),
        "t/000001": ("", ("dog",)),
        "t/a.png~2": ("z", ()),
    }
    assert [one.read() for one in pictures.values()] == [encoded(scene(seed, 40, 32)) for seed in (1, 2, 3)]


def test_shards_of_one_set_are_counted_as_one_so_that_names_outlive_resharding(tmp_path: Path) -> None:
    pq.write_table(table([1, 2]), tmp_path / "train-00000-of-00002.parquet")
    pq.write_table(table([3]), tmp_path / "train-00001-of-00002.parquet")
    before = {name: one.read() for name, one in found(tmp_path).items()}
    assert list(before) == ["train/000000", "train/000001", "train/000002"]
    for file in tmp_path.iterdir():
        file.unlink()
    pq.write_table(table([1, 2, 3]), tmp_path / "train-00000-of-00001.parquet")
    assert {name: one.read() for name, one in found(tmp_path / "*.parquet").items()} == before


@pytest.mark.parametrize("rows", [3, 1000])
def test_rows_are_read_by_many_threads_in_any_order_whatever_the_row_groups(tmp_path: Path, rows: int) -> None:
    pq.write_table(table(list(range(60))), tmp_path / "t.parquet", row_group_size=rows)
    pictures = list(found(tmp_path / "t.parquet").values())
    random.Random(2).shuffle(pictures)
    with ThreadPoolExecutor(8) as threads:
        for picture, data in zip(pictures, threads.map(lambda one: one.read(), pictures), strict=True):
            assert data == encoded(scene(int(picture.name[2:]), 40, 32))


def test_plain_bytes_nothing_at_all_and_files_beside_are_read_as_what_they_are(tmp_path: Path) -> None:
    pq.write_table(pa.table({"jpg": [b"one", None], "id": ["a", "b"]}), tmp_path / "plain.parquet")
    pictures = found(tmp_path / "plain.parquet")
    assert [refused_with(one) for one in pictures.values()] == ["", "empty"]
    cells = [{"bytes": None, "path": path} for path in ("pictures/a.png", "/etc/passwd", "../a.png")]
    pq.write_table(pa.table({"image": pa.array(cells, STRUCT)}), tmp_path / "paths.parquet")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"beside")
    inside, *outside = found(tmp_path / "paths.parquet").values()
    assert inside.read() == b"beside"
    assert [refused_with(one) for one in outside] == ["leads_outside", "leads_outside"]


def test_what_is_no_dataset_is_an_error_in_words(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "none.parquet")
    (tmp_path / "empty").mkdir()
    for path, options, words in (
        ("gone", {}, "does not exist"),
        ("empty", {}, "holds no pictures"),
        ("none.parquet", {}, "no column of pictures .* among a, b"),
        ("none.parquet", {"image": "c"}, "no column 'c'"),
        ("none.parquet", {"image": "b"}, "which holds string"),
    ):
        with pytest.raises(SourceError, match=words):
            found(tmp_path / path, **options)


def test_a_cut_parquet_file_among_others_is_an_error_or_a_row(tmp_path: Path) -> None:
    file = io.BytesIO()
    pq.write_table(table([1, 2]), file)
    (tmp_path / "cut.parquet").write_bytes(file.getvalue()[:-20])
    pq.write_table(table([3]), tmp_path / "whole.parquet")
    pictures = found(tmp_path)
    assert {name: bool(refused_with(one)) for name, one in pictures.items()} == {
        "cut.parquet": True,
        "whole/000000": False,
    }
    with pytest.raises(SourceError, match="cannot be read as parquet"):
        found(tmp_path / "cut.parquet")


def test_both_become_records_and_are_not_read_again(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "set")
    pq.write_table(table([11, 12, 13], text=["x", "y", "z"]), root / "more.parquet")
    store = Store.open(tmp_path / "store")
    first = ingest(store, Huggingface(path=str(root)))
    assert (first.found, first.new, dict(first.refused)) == (9, 9, {"unreadable": 2})
    again = ingest(store, Huggingface(path=str(root)))
    assert (again.unchanged, again.read) == (7, 2)
    users = {caption.user for caption in store.captions().values()}
    assert users == {"one", "a box", "boxes", "alone", "x", "y", "z"}


def test_what_the_datasets_library_writes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    import datasets

    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(encoded(scene(number)))
    columns = {"photo": [f"{tmp_path}/{n}.png" for n in range(3)], "label": [0, 1, 0], "text": ["x", "y", "z"]}
    features = datasets.Features(
        photo=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"]), text=datasets.Value("string")
    )
    datasets.Dataset.from_dict(columns, features=features).to_parquet(str(tmp_path / "train-00000-of-00001.parquet"))
    path = tmp_path / "train-00000-of-00001.parquet"
    assert {refused_with(one) for one in found(path).values()} == {"leads_outside"}, "it holds paths, no bytes"
    pictures = found(path, anywhere=True)
    assert [(one.caption, one.tags) for one in pictures.values()] == [("x", ("cat",)), ("y", ("dog",)), ("z", ("cat",))]
    assert [one.read() for one in pictures.values()] == [encoded(scene(n)) for n in range(3)]
