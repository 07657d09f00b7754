import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SourceError
from core.marks import KEEP_TOKENS, REGULARISATION
from curation.curate import curate
from curation.filter import Filter
from curation.ingest import ingest
from curation.kohya_config import Subset
from curation.kohya_words import wording
from curation.source import Found
from curation.sources.kohya import Kohya
from curation.splits import Split
from store.store import Store
from tests.curation.conftest import encoded, scene

MakeFolder = Callable[..., Path]


def put(root: Path, **captions: str | None) -> Path:
    """Pictures whose names are numbers, ``p3="words"`` with a caption beside."""
    root.mkdir(parents=True, exist_ok=True)
    for name, caption in captions.items():
        (root / f"{name}.png").write_bytes(encoded(scene(int(name[1:]))))
        if caption is not None:
            (root / f"{name}.txt").write_text(caption)
    return root


def found(path: Path, **fields: object) -> dict[str, Found]:
    return {picture.name: picture for picture in Kohya(path=str(path), **fields).pictures()}


def noted(pictures: dict[str, Found]) -> str:
    return next(iter(pictures.values())).note


def config(root: Path, text: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    path = root / "data.toml"
    path.write_text(text)
    return path


def test_a_folder_says_how_often_and_what_and_the_first_line_beside_a_picture_is_its_caption(tmp_path: Path) -> None:
    put(tmp_path / "10_sks dog", p1="a sks dog\nsecond line", p2=None)
    put(tmp_path / "3", p3=None)
    pictures = found(tmp_path)
    assert [(p.name, p.weight, p.tags, p.caption) for p in pictures.values()] == [
        ("10_sks dog/p1.png", 10.0, ("sks dog",), "a sks dog"),
        ("10_sks dog/p2.png", 10.0, ("sks dog",), "sks dog"),
        ("3/p3.png", 3.0, (), ""),
    ]
    assert found(tmp_path, class_captions=False)["10_sks dog/p2.png"].caption == ""
    assert pictures["3/p3.png"].read() == encoded(scene(3))


def test_the_layout_of_kohyas_gui_is_read_with_its_regularisation_pictures(tmp_path: Path) -> None:
    put(tmp_path / "img" / "5_sks dog", p1="x")
    put(tmp_path / "reg" / "1_dog", p2=None)
    put(tmp_path / "log", p3=None)
    pictures = found(tmp_path)
    assert {name: p.tags for name, p in pictures.items()} == {
        "img/5_sks dog/p1.png": ("sks dog",),
        "reg/1_dog/p2.png": ("dog", REGULARISATION),
    }
    assert "log: 1 picture not read" in noted(pictures)
    apart = found(tmp_path / "img", regularisation=str(tmp_path / "reg"))
    assert apart["regularisation/1_dog/p2.png"].tags == ("dog", REGULARISATION)


def test_what_kohya_does_not_read_is_told(tmp_path: Path) -> None:
    put(tmp_path / "2_a", p1=None)
    put(tmp_path / "2_a" / "deeper", p2=None)
    put(tmp_path / "0_never", p3=None)
    put(tmp_path, p4=None)
    pictures = found(tmp_path)
    assert list(pictures) == ["2_a/p1.png"]
    assert "2_a/deeper: 1 picture not read" in noted(pictures)
    assert "1 pictures have less than 1 repeat" in noted(pictures)
    assert noted(pictures).startswith(f"{tmp_path}: 1 picture not read")


def test_one_such_folder_may_be_named_itself_and_a_folder_of_another_kind_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "4_cat", p1=None)
    assert found(tmp_path / "4_cat")["4_cat/p1.png"].weight == 4
    put(tmp_path / "other" / "sub", p1=None)
    with pytest.raises(SourceError, match="no folders of kohya's: they are named 10_words"):
        found(tmp_path / "other")


DATASET = """
[general]
caption_extension = ".txt"
shuffle_caption = true
keep_tokens = 1
flip_aug = false

[[datasets]]
resolution = 512
batch_size = 4
keep_tokens = 2
validation_split = 0.1

  [[datasets.subsets]]
  image_dir = "{here}/dogs"
  class_tokens = "sks dog"
  num_repeats = 10
  caption_prefix = "photo,"
  caption_suffix = ", outside"

  [[datasets.subsets]]
  image_dir = "reg"
  is_reg = true
  keep_tokens = 0
  class_tokens = "dog"

[[datasets]]
  [[datasets.subsets]]
  image_dir = "{here}/tuned"
  metadata_file = "{here}/tuned.json"
  num_repeats = 2
"""


def test_a_dataset_file_is_read_as_it_is(tmp_path: Path) -> None:
    put(tmp_path / "dogs", p1="running", p2=None)
    put(tmp_path / "reg", p3=None)
    put(tmp_path / "tuned", p4=None, p5="not read: the metadata file says it")
    metadata = {"p4.png": {"caption": "four", "tags": "red, blue", "train_resolution": [64, 64]}, "p5": {"tags": "x"}}
    (tmp_path / "tuned.json").write_text(json.dumps({**metadata, "gone.png": {"caption": "?"}}))
    pictures = found(config(tmp_path, DATASET.replace("{here}", str(tmp_path))))
    keep = f"{KEEP_TOKENS}2"
    assert {name: (p.weight, p.tags, p.caption) for name, p in pictures.items()} == {
        "dogs/p1.png": (10.0, ("sks dog", keep), "photo, running , outside"),
        "dogs/p2.png": (10.0, ("sks dog", keep), "photo, sks dog , outside"),
        "reg/p3.png": (1.0, ("dog", REGULARISATION), "dog"),
        "tuned/gone.png": (2.0, (f"{KEEP_TOKENS}1",), "?"),
        "tuned/p4.png": (2.0, (f"{KEEP_TOKENS}1",), "four,red, blue"),
        "tuned/p5.png": (2.0, (f"{KEEP_TOKENS}1",), "x"),
    }
    with pytest.raises(OSError, match="it is not there"):
        pictures["tuned/gone.png"].read()
    for words in (
        "paths in it are taken from its own folder",
        "about training and not about pictures: batch_size = 4, resolution = 512",
        "validation_split is not taken over",
    ):
        assert words in noted(pictures)
    assert "flip_aug" not in noted(pictures)


def test_paths_are_those_of_the_present_folder_first_as_in_kohya(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "here" / "set", p1=None)
    put(tmp_path / "beside" / "set", p2=None)
    path = config(tmp_path / "beside", '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "set"\n')
    monkeypatch.chdir(tmp_path / "here")
    assert list(found(path)) == ["set/p1.png"]
    monkeypatch.chdir(tmp_path)
    assert list(found(path)) == ["set/p2.png"]


def test_dot_caption_is_kohyas_default_and_captions_that_it_passes_over_are_told(tmp_path: Path) -> None:
    put(tmp_path / "set", p1="words")
    path = config(tmp_path, f'[[datasets]]\n[[datasets.subsets]]\nimage_dir = "{tmp_path}/set"\nclass_tokens = "dog"\n')
    pictures = found(path)
    assert pictures["set/p1.png"].caption == "dog"
    assert "1 pictures have a caption that is not read, because caption_extension is '.caption'" in noted(pictures)
    assert found(path, caption_extension="txt")["set/p1.png"].caption == "words"
    (tmp_path / "set" / "p1.caption").write_text("these")
    assert found(path)["set/p1.png"].caption == "these"


def test_the_same_folder_twice_is_read_once_and_in_two_datasets_its_repeats_are_added_up(tmp_path: Path) -> None:
    put(tmp_path / "set", p1="words")
    subset = f'[[datasets.subsets]]\nimage_dir = "{tmp_path}/set"\nnum_repeats = 3\n'
    once = found(config(tmp_path, f"[[datasets]]\n{subset}{subset}"))
    assert once["set/p1.png"].weight == 3
    assert "stands twice" in noted(once)
    both = found(config(tmp_path, f"[[datasets]]\nresolution = 512\n{subset}[[datasets]]\nresolution = 768\n{subset}"))
    assert both["set/p1.png"].weight == 6
    assert "1 pictures stand in several sets: their repeats are added up" in noted(both)
    assert "resolution = 512 or 768" in noted(both)


def test_folders_of_one_name_do_not_share_pictures_names(tmp_path: Path) -> None:
    for parent in "ab":
        put(tmp_path / parent / "set", p1=parent)
    subsets = "".join(f'[[datasets.subsets]]\nimage_dir = "{tmp_path}/{parent}/set"\n' for parent in "ab")
    path = config(tmp_path / "elsewhere", f'[general]\ncaption_extension = ".txt"\n[[datasets]]\n{subsets}')
    assert {name: p.caption for name, p in found(path).items()} == {"set/p1.png": "a", "set/p1.png (2)": "b"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[datasets", "cannot be read as a dataset file of kohya"),
        ("[dataset]\n", "there is no key 'dataset'; did you mean datasets?"),
        ("", "names no pictures"),
        ("[[datasets]]\n[[datasets.subsets]]\nnum_repeats = 3", r"subsets\[0\]: image_dir is missing"),
        ("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'gone'", "names gone, which is neither"),
        ("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'set'\nnum_repeat = 3", "did you mean num_repeats?"),
        ("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'set'\nnum_repeats = '3'", "num_repeats: .*valid integer"),
        ("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'set'\nalpha_mask = true", r"ignore: \[alpha_mask\]"),
        (
            "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'set'\n[[datasets.subsets]]\nmetadata_file = 'm.json'",
            r"cannot stand in one",
        ),
        ("[[datasets]]\n[[datasets.subsets]]\nmetadata_file = 'm.json'", "needs an image_dir"),
        ("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'empty'", "names no picture that is there"),
    ],
)
def test_mistakes_in_a_dataset_file_are_told_in_words(tmp_path: Path, text: str, words: str) -> None:
    put(tmp_path / "set", p1=None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "m.json").write_text('{"p1.png": {"caption": "x"}}')
    with pytest.raises(SourceError, match=words):
        found(config(tmp_path, text))


def test_a_key_that_changes_meaning_may_be_left_out_knowingly(tmp_path: Path) -> None:
    put(tmp_path / "set", p1=None)
    path = config(tmp_path, "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'set'\nalpha_mask = true\nnew_key = 1")
    assert list(found(path, ignore=("alpha_mask", "new_key"))) == ["set/p1.png"]


@pytest.mark.parametrize(
    ("text", "fields", "caption", "keep", "keep_last"),
    [
        ("a, b", {}, "a, b", 0, 0),
        ("a, b", {"keep_tokens": 1}, "a, b", 1, 0),
        ("a, b ||| c, d ||| e", {"keep_tokens_separator": "|||"}, "a, b, c, d, e", 2, 1),
        ("c", {"keep_tokens_separator": "|||", "caption_prefix": "a, b |||"}, "a, b, c", 2, 0),
        ("a|b", {"caption_separator": "|", "keep_tokens": 1}, "a, b", 1, 0),
        ("sky;;;day, x", {"secondary_separator": ";;;"}, "sky,day, x", 0, 0),
        ("{{retro}} cat", {"enable_wildcard": True}, "{retro} cat", 0, 0),
        ("{a|a} {b}", {"enable_wildcard": True}, "a b", 0, 0),
        ("\nsecond", {}, "second", 0, 0),
    ],
)
def test_a_captions_text_is_understood_as_kohya_does(
    text: str, fields: dict[str, object], caption: str, keep: int, keep_last: int
) -> None:
    said = wording(text, Subset(image_dir="x", **fields), "p")
    assert (said.text, said.keep, said.keep_last) == (caption, keep, keep_last)


def test_wildcards_are_drawn_once_for_each_picture_and_a_set_sees_them_all(tmp_path: Path) -> None:
    subset = Subset(image_dir="x", enable_wildcard=True)
    drawn = {wording("{red|blue} cat\ndog", subset, str(name)).text for name in range(60)}
    assert drawn == {"red cat", "blue cat", "dog"}
    put(tmp_path / "set", p1="{red|blue} cat", p2="dog")
    path = config(
        tmp_path,
        "[[datasets]]\nenable_wildcard = true\ncaption_extension = '.txt'\n[[datasets.subsets]]\nimage_dir = 'set'",
    )
    assert "1 captions have several lines or wildcards" in noted(found(path))
    assert [p.caption for p in found(path).values()] == [p.caption for p in found(path).values()]


@given(st.text(max_size=40), st.text(max_size=4), st.booleans(), st.integers(0, 3))
def test_any_caption_becomes_one_line_that_can_be_stored(text: str, mark: str, wildcard: bool, keep: int) -> None:
    subset = Subset(image_dir="x", keep_tokens=keep, keep_tokens_separator=mark, enable_wildcard=wildcard)
    said = wording(text, subset, "p")
    assert said.text == " ".join(said.text.split())
    said.text.encode()


def test_json_lines_and_full_paths_are_read(tmp_path: Path) -> None:
    put(tmp_path / "set", p1=None)
    line = json.dumps({"image_path": f"{tmp_path}/set/p1.png", "caption": "one", "score": 3})
    (tmp_path / "m.jsonl").write_text(line + "\n")
    pictures = found(config(tmp_path, f"[[datasets]]\n[[datasets.subsets]]\nmetadata_file = '{tmp_path}/m.jsonl'"))
    assert (pictures["set/p1.png"].caption, pictures["set/p1.png"].read()) == ("one", encoded(scene(1)))
    assert "not taken over from its entries: score" in noted(pictures)


def test_regularisation_pictures_are_never_held_out_and_take_no_training_pictures_place(tmp_path: Path) -> None:
    put(tmp_path / "img" / "1_sks dog", **{f"p{at}": None for at in range(1, 11)})
    put(tmp_path / "reg" / "1_dog", **{f"p{at}": None for at in range(20, 60)})
    (tmp_path / "reg" / "1_dog" / "large.png").write_bytes(encoded(scene(1)) + b" ")  # the larger file of the same look
    store = Store.open(tmp_path / "store")
    filters = [Filter.parse("near_duplicate")]
    notes = ingest(store, Kohya(path=str(tmp_path)), filters).notes
    curated = curate(store, filters, Split())
    assert not notes
    by_name = {record.name: record for record in store.records()}
    regular = [record for record in by_name.values() if REGULARISATION in record.tags]
    assert {record.split for record in regular} == {"train"}
    assert by_name["reg/1_dog/large.png"].verdict == "refused"
    assert by_name["img/1_sks dog/p1.png"].verdict == "kept"
    assert curated.held_out == 2, "a share of the ten, not of the fifty"
    assert by_name["img/1_sks dog/p1.png"].split == "train"


@pytest.fixture
def remote() -> Iterator[str]:
    """A folder that only fsspec can reach."""
    import fsspec

    system = fsspec.filesystem("memory")
    yield "memory://kohya-test"
    system.rm("/kohya-test", recursive=True)


def test_folders_and_dataset_files_behind_a_url_are_read_like_local_ones(remote: str, tmp_path: Path) -> None:
    import fsspec

    put(tmp_path / "img" / "10_sks dog", p1="one", p2=None)
    put(tmp_path / "reg" / "1_dog", p3=None)
    config(tmp_path, '[[datasets]]\n[[datasets.subsets]]\nimage_dir = "img/10_sks dog"\ncaption_extension = "txt"\n')
    system = fsspec.filesystem("memory")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            system.pipe(f"/kohya-test/{path.relative_to(tmp_path)}", path.read_bytes())
    for below in ("", "/data.toml"):
        here, there = (
            [(p.name, p.caption, p.tags, p.weight, p.read()) for p in Kohya(path=f"{root}{below}").pictures()]
            for root in (tmp_path, remote)
        )
        assert here == there
