"""`velatura captions` as it is typed, over a small dataset."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from core.caption import Caption
from core.errors import SourceError, StoreError
from flows import stages
from flows.command_line import app
from scripts.demo import PICTURES, drawing
from store.image import Image
from store.store import Store
from tests.captioning.things import a_record
from tests.flows.pictures import short_recipe

RECORDS = [a_record(number) for number in range(1, 7)]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("VELATURA_DATA", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    store = Store.open(tmp_path / "home" / "datasets" / "fruit")
    store.put_records(RECORDS)
    store.put_captions(Caption(r.id, automatic=f"om, a red apple {at}") for at, r in enumerate(RECORDS))
    return store


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, ["captions", *words])


def texts(store: Store) -> list[str]:
    captions = store.captions()
    return [captions[record.id].text for record in RECORDS]


def test_a_replacement_is_shown_then_done_then_taken_back(store: Store) -> None:
    before = store.captions()
    shown = typed("replace", "red", "green", "--dry-run").output
    assert "- om, a red apple 0" in shown
    assert "+ om, a green apple 0" in shown
    assert store.captions() == before
    assert "6 captions changed" in typed("replace", "red", "green").output
    assert texts(store)[0] == "om, a green apple 0"
    assert "6 captions are as before" in typed("undo").output
    assert store.captions() == before
    assert "nothing to take back" in typed("undo").output


def test_one_picture_is_edited_by_its_name_or_id(store: Store) -> None:
    typed("edit", RECORDS[1].name, "my apple")
    typed("edit", RECORDS[2].id, "my other apple")
    assert texts(store)[1:3] == ["my apple", "my other apple"]
    typed("edit", RECORDS[1].name, "")
    assert texts(store)[1] == "om, a red apple 1"
    assert isinstance(typed("edit", "nobody", "x").exception, StoreError)


@pytest.mark.parametrize("file", ["captions.csv", "captions.jsonl"])
def test_captions_go_out_to_a_file_and_come_back_changed(store: Store, file: str) -> None:
    assert "6 captions" in typed("export", file).output
    assert isinstance(typed("export", file).exception, StoreError)  # never written over
    assert "nothing changed" in typed("import", file).output
    path = Path(file)
    path.write_text(path.read_text().replace("om, a red apple 3", "om, a rotten apple", 1))
    assert "1 captions would change" in typed("import", file, "--dry-run").output
    typed("import", file)
    assert texts(store)[3] == "om, a rotten apple"
    path.write_text(path.read_text().replace(RECORDS[0].name, "gone.png").replace(RECORDS[0].id, "gone"))
    assert isinstance(typed("import", file).exception, SourceError)


def test_lint_says_what_is_wrong_in_words_and_as_json(store: Store) -> None:
    store.edit_caption(RECORDS[0].id, "no word of it")
    said = typed("lint", "--trigger", "om", "--no-look").output
    assert "the trigger 'om' is missing" in said
    assert "tokens" in said
    found = json.loads(typed("lint", "--trigger", "om", "--no-look", "--json").output)
    assert found["captions"] == 6
    assert "no_trigger" in {finding["code"] for finding in found["findings"]}
    assert found["sources"]["test"]["person"] == 1


def test_lint_looks_at_pictures_whose_captions_name_a_colour(store: Store) -> None:
    from dataclasses import replace
    from io import BytesIO

    from PIL import Image as Pillow

    from core.hashing import sha256_of

    file = BytesIO()
    Pillow.new("RGB", (16, 16), (90, 90, 90)).save(file, "PNG")
    data = file.getvalue()
    store.put_images([Image(sha256_of(data), data, "image/png", 16, 16)])
    store.put_records(replace(record, sha256=sha256_of(data)) for record in RECORDS)
    found = json.loads(typed("lint", "--trigger", "om", "--json").output)
    assert next(f["words"] for f in found["findings"] if f["code"] == "colourless") == (
        "it says red, but the picture has no colour"
    )


def test_lint_takes_trigger_and_base_from_a_recipe(store: Store) -> None:
    Path("mine.yaml").write_text(
        "name: fruit\npictures: {kind: folder, path: .}\n"
        "captioner: {kind: first_of, of: [sidecar, {kind: template, trigger: zz}]}\n"
    )
    assert "the trigger 'zz' is missing" in typed("lint", "--recipe", "mine.yaml", "--no-look").output


def test_lint_sees_captions_that_were_mixed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file beside the text of another: nothing that is learned would tell, with so few pictures."""
    pictures, names = tmp_path / "pictures", list(PICTURES)[:20]
    pictures.mkdir()
    for name in names:
        (pictures / f"{name}.png").write_bytes(drawing(PICTURES[name]))
        (pictures / f"{name}.txt").write_text(f"an emoji of {name.replace('-', ' ')}")
    recipe = short_recipe(tmp_path, "pocket", captioner={"kind": "sidecar"}, filters=[])
    store = stages.open_store(recipe)
    with store.writer():
        stages.read_pictures(recipe, store)
        stages.choose_pictures(recipe, store)
        stages.write_captions(recipe, store)
    monkeypatch.setenv("VELATURA_DATA", recipe.home)

    def codes() -> set[str]:
        return {one["code"] for one in json.loads(typed("lint", "--dataset", "six", "--json").output)["findings"]}

    assert not codes() & {"mixed_up", "another's"}
    captions = store.captions()
    kept = [captions[record.id].text for record in store.records()]
    for record, text in zip(store.records(), kept[1:] + kept[:1], strict=True):
        store.edit_caption(record.id, text)
    assert "mixed_up" in codes()
