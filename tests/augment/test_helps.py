"""The campaign that asks whether augmentation helps: what is done stays done, and is compared seed by seed."""

from pathlib import Path

from benchmarks.augment_helps import ARMS, NONE, Notebook, Run, Setting, interval, recipe_of, told

SETTING = Setting(steps=4, looks=2, share=0.5, held_out=0.25, rate=1e-3)


def run(arm: str, seed: int, learning: float) -> Run:
    return Run(arm, seed, SETTING, 3, {2: (learning / 2, 0.1), 4: (learning, 0.2)})


def test_what_is_done_is_found_again_and_a_line_that_was_cut_off_is_not(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / "runs.jsonl")
    assert notebook.find(NONE, 0, SETTING) is None
    first = notebook.add(run(NONE, 0, 0.3))
    with notebook.path.open("a") as file:
        file.write('{"arm": "crop", "se')
    second = notebook.add(run("crop", 0, 0.2))
    assert list(notebook.runs()) == [first, second]
    assert notebook.find("crop", 0, SETTING) == second
    assert notebook.find("crop", 1, SETTING) is None
    assert notebook.find("crop", 0, Setting(8, 2, 0.5, 0.25, 1e-3)) is None


def test_kinds_are_compared_with_the_run_of_the_same_seed(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path / "runs.jsonl")
    for seed, plain in enumerate((0.30, 0.34, 0.32)):
        notebook.add(run(NONE, seed, plain))
        notebook.add(run("flip", seed, plain + 0.02))
    notebook.add(run("flip", 9, 5.0))  # nothing to compare it with
    lines = told(notebook, SETTING)
    assert len(lines) == 4
    assert lines[3].startswith(
        "flip             step    4: learning +0.340 (+0.020 ± 0.000), gap +0.200 (+0.000 ± 0.000), 3 seeds"
    )


def test_the_interval_is_students() -> None:
    assert interval([0.1, 0.2, 0.3]) == "+0.200 ± 0.248"
    assert interval([0.1]) == "+0.100"


def test_every_arm_is_a_recipe_that_differs_from_none_in_augmentation_only(tmp_path: Path) -> None:
    plain = recipe_of(tmp_path, NONE, 1, SETTING)
    assert plain.augment.transforms == plain.augment.generators == ()
    for arm in ARMS:
        recipe = recipe_of(tmp_path, arm, 1, SETTING)
        assert len(recipe.augment.transforms) + len(recipe.augment.generators) == (arm != NONE)
        same = {"augment": plain.augment, "home": plain.home}
        assert recipe.model_copy(update=same) == plain
