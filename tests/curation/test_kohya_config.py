"""Kohya's dataset files (.toml, .json), as they are."""

import json
from pathlib import Path

import pytest

from core.errors import SourceError
from core.marks import KEEP_TOKENS, REGULARISATION
from tests.curation.conftest import encoded, scene
from tests.curation.kohya import config, found, noted, put

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


def test_json_lines_and_full_paths_are_read(tmp_path: Path) -> None:
    put(tmp_path / "set", p1=None)
    line = json.dumps({"image_path": f"{tmp_path}/set/p1.png", "caption": "one", "score": 3})
    (tmp_path / "m.jsonl").write_text(line + "\n")
    pictures = found(config(tmp_path, f"[[datasets]]\n[[datasets.subsets]]\nmetadata_file = '{tmp_path}/m.jsonl'"))
    assert (pictures["set/p1.png"].caption, pictures["set/p1.png"].read()) == ("one", encoded(scene(1)))
    assert "not taken over from its entries: score" in noted(pictures)
