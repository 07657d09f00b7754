"""What a run trains on and compares, from a kohya folder with regularisation pictures."""

from pathlib import Path

from core.marks import REGULARISATION
from flows.material import gather
from flows.recipe import check
from flows.stages import choose_pictures, open_store, prepare_job, read_pictures, write_captions
from flows.summary import regularisation_note
from tests.flows.pictures import SMALL, six_pictures


def test_regularisation_pictures_are_kept_and_captioned_but_neither_trained_on_nor_measured(tmp_path: Path) -> None:
    six_pictures(tmp_path / "all", 9)
    for at, path in enumerate(sorted((tmp_path / "all").iterdir())):
        folder = tmp_path / "kohya" / ("img/5_sks shape" if at < 6 else "reg/1_shape")
        folder.mkdir(parents=True, exist_ok=True)
        path.rename(folder / path.name)
    pictures = {"kind": "kohya", "path": str(tmp_path / "kohya"), "class_captions": False}
    captioner = {"kind": "template", "trigger": "sks"}
    recipe = check(SMALL | {"pictures": pictures, "home": str(tmp_path / "home"), "captioner": captioner}, "test")
    store = open_store(recipe)
    read_pictures(recipe, store)
    curated = choose_pictures(recipe, store)
    write_captions(recipe, store)
    job = prepare_job(recipe, store.snapshot())
    material = gather(job, store, recipe.family.load(device="cpu", precision="fp32"))
    assert (curated.kept, curated.regularisation) == (9, 3)
    regular = {record.id for record in store.records() if REGULARISATION in record.tags}
    assert len(regular) == 3
    assert not regular & {example.record for example in material.examples}
    assert not regular & {case.record for case in (*material.evidence.train, *material.evidence.held_out)}
    assert {example.weight for example in material.examples} == {5.0}
    assert {store.captions()[record].text for record in regular} == {"shape"}, "neither marks nor the trigger"
    assert len(material.examples) + curated.held_out == 6
    assert "3 regularisation pictures are kept but left out of training" in regularisation_note(3)[0]
    assert regularisation_note(0) == []
