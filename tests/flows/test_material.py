"""What a run trains on and compares, from a kohya folder with regularisation pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import RecipeError
from core.marks import REGULARISATION
from flows.leaking import doubt_of_split, in_snapshot
from flows.material import gather, kept_of
from flows.recipe import check
from flows.stages import choose_pictures, open_store, prepare_job, read_pictures, write_captions
from flows.summary import regularisation_note
from tests.flows.pictures import SMALL, six_pictures
from training.loop import train


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
    assert "3 regularisation pictures are kept but not trained on" in regularisation_note(3, recipe)[0]
    assert regularisation_note(0, recipe) == []


def test_pictures_keep_their_shape_masks_and_wordings_reach_the_loop_and_the_plan_says_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for folder in ("pictures", "masks"):
        (tmp_path / folder).mkdir()
    for n, (width, height) in enumerate([(96, 96), (128, 64), (64, 128), (96, 96), (130, 60), (96, 96)]):
        noise = Image.fromarray(rng.integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8))
        noise.resize((width, height)).save(tmp_path / "pictures" / f"p{n}.png")
        (tmp_path / "pictures" / f"p{n}.txt").write_text(f"sks, a (big:1.3) thing, tag {n}")
        mask = np.zeros((height, width), np.uint8)
        mask[:, : width // 2] = 255
        Image.fromarray(mask).save(tmp_path / "masks" / f"p{n}-masklabel.png")
    wanted = {
        "steps": 2,
        "batch_size": 4,
        "accumulate": 2,
        "captions": {"shuffle": True, "keep_tokens": 1, "wordings": 3, "emphasis": True},
        "masks": {"folder": str(tmp_path / "masks"), "outside": 0.25},
    }
    value = SMALL | {"pictures": {"kind": "folder", "path": str(tmp_path / "pictures")}, "train": wanted}
    value |= {"home": str(tmp_path / "home"), "captioner": "sidecar", "filters": [], "split": {"held_out": 0.2}}
    recipe = check(value, "test")
    store = open_store(recipe)
    read_pictures(recipe, store)
    choose_pictures(recipe, store)
    write_captions(recipe, store)
    job = prepare_job(recipe, store.snapshot())
    base = recipe.family.load(device="cpu", precision="fp32")
    material = gather(job, store, base)
    side = 64 // base.latent_scale
    shapes = {example.latent.shape[1:] for example in material.examples}
    assert len(shapes) >= 2
    assert (side, side) in shapes
    assert all(abs(h * w / side**2 - 1) < 0.3 for h, w in shapes)
    for example in material.examples:
        assert len(example.wordings) == 3
        assert all(text.startswith("sks, ") for text in example.wordings)
        assert example.mask is not None
        assert example.mask.shape[1:] == example.latent.shape[1:]
        assert float(example.mask[0, 0, 0]) == 1.0
        assert float(example.mask[0, 0, -1]) == 0.25
    assert material.plan[0].startswith("sizes (pixels, pictures, cut away")
    assert sum(int(line.split()[1]) for line in material.plan[1:-1]) == len(material.examples)
    assert material.plan[-1].startswith(f"masks: {len(material.examples)} pictures have one")
    figures: list[float] = []
    done = train(
        recipe.train,
        base,
        material.examples,
        material.conditionings,
        tmp_path / "run",
        on_log=lambda _step, told: figures.append(told["loss"]),
        on_pause=lambda _step: None,
    )
    assert done.finished
    assert all(np.isfinite(figures))
    before = recipe.model_key("manifest")
    Image.fromarray(np.full((96, 96), 255, np.uint8)).save(tmp_path / "masks" / "p0-masklabel.png")
    assert recipe.model_key("manifest") != before, "other masks are another model"
    for file in (tmp_path / "masks").iterdir():
        file.unlink()
    with pytest.raises(RecipeError, match="none of the .* training pictures has a mask"):
        gather(job, store, base)


def test_a_held_out_picture_whose_twin_is_trained_on_is_not_measured_and_that_is_told(tmp_path: Path) -> None:
    six_pictures(tmp_path / "pictures", 12)
    for path in sorted((tmp_path / "pictures").iterdir()):
        with Image.open(path) as image:
            image.crop((5, 5, 91, 91)).resize((96, 96)).save(path.with_name(f"cut-{path.name}"))
    blind = {"held_out": 0.4, "radius": 0, "difference": 0.0, "crops": 0}
    value = SMALL | {"pictures": {"kind": "folder", "path": str(tmp_path / "pictures")}, "filters": []}
    told = {}
    for name, split in (("blind", blind), ("usual", {"held_out": 0.4})):
        recipe = check(value | {"name": name, "home": str(tmp_path / "home"), "split": split}, "test")
        store = open_store(recipe)
        read_pictures(recipe, store)
        choose_pictures(recipe, store)
        job = prepare_job(recipe, store.snapshot())
        told[name] = doubt_of_split(job, store)
        kept, there = kept_of(job, store), in_snapshot(job, store)
        held = {Path(record.name).name for record in kept if record.split == "held_out"}
        trained = {Path(record.name).name for record in kept if record.split == "train"}
        assert not {f"cut-{one}" for one in held} & trained and not {f"cut-{one}" for one in trained} & held
        assert (len(kept) < len(there)) == (name == "blind")
        assert sum(record.split == "train" for record in there) == len(trained), "all are trained on"
    assert "The split leaks" in told["blind"] and "twin among the trained ones" in told["blind"]
    assert told["usual"] == ""
