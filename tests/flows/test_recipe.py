from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MissingBase, RecipeError
from flows.recipe import Recipe, apply_change, flatten, read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
SMALLEST = "name: mine\npictures: {kind: folder, path: somewhere}\n"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_every_recipe_that_we_ship_is_valid_and_survives_json(path: Path) -> None:
    recipe = read_recipe(path)
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALLEST + "train: {stpes: 3}", r"train\.stpes: no such key; did you mean `steps`"),
        (SMALLEST + "trian: {steps: 3}", r"trian: no such key; did you mean `train`"),
        (SMALLEST + "train: {steps: many}", r"train\.steps: .*integer"),
        (SMALLEST + "train: {steps: 0}", r"train\.steps: .*greater"),
        (
            SMALLEST + "train: {adapter: lorra}",
            r"train\.adapter: .*no adapter called 'lorra'; did you mean lora\? known: .*, lora",
        ),
        (SMALLEST + "train: {adapter: {kind: lora, ranck: 4}}", r"train\.adapter: .*ranck: no such key; .*rank"),
        (SMALLEST + "filters: [resolution, blurr]", r"filters\.1: .*no filter called 'blurr'"),
        (SMALLEST + "name: twice", "name stands twice"),
        ("name: mine\n", "pictures: Field required"),
        (SMALLEST + "metrics: [prior_drift]", r"metrics: .*probe"),
        ("- a\n- b\n", "a recipe is a mapping"),
        ("name: [", "not YAML"),
        ("name: 'a b'\npictures: {kind: folder, path: x}\n", "name: "),
        ("name: mine\npictures: {kind: folder}\n", r"pictures: .*path: Field required"),
    ],
)
def test_a_mistake_in_a_recipe_is_told_with_its_path_and_what_is_known(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        read_recipe(written(tmp_path, text))


def test_a_recipe_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    written(tmp_path, SMALLEST)
    with pytest.raises(RecipeError, match=r"there is no recipe .*mnie\.yaml; did you mean .*mine\.yaml"):
        read_recipe(tmp_path / "mnie.yaml")


def test_changes_on_the_command_line_reach_into_sections_lists_and_bare_kinds(tmp_path: Path) -> None:
    path = written(tmp_path, SMALLEST + "train: {adapter: lora}\nfilters: [resolution, near_duplicate]\n")
    changes = [
        "train.steps=7",
        "train.adapter.rank=3",
        "filters.1.radius=2",
        "train.optimizer={kind: adamw, learning_rate: 1e-3}",
    ]
    recipe = read_recipe(path, changes)
    assert recipe.train.steps == 7
    assert recipe.train.adapter.dump()["rank"] == 3
    assert recipe.filters[1].dump()["radius"] == 2
    assert recipe.train.optimizer.dump()["learning_rate"] == 0.001


@pytest.mark.parametrize("change", ["train.steps", "=3", "filters.9.radius=2", "name.first=3", "train.steps=[3"])
def test_a_change_that_cannot_be_made_is_told(tmp_path: Path, change: str) -> None:
    with pytest.raises(RecipeError):
        read_recipe(written(tmp_path, SMALLEST + "filters: [resolution]\n"), [change])


def test_a_base_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, SMALLEST + f"base: {tmp_path / 'nothing'}"))
    with pytest.raises(MissingBase, match="nothing"):
        assert recipe.family


def test_the_key_of_a_model_follows_from_data_base_and_training_and_not_from_where_things_lie(tmp_path: Path) -> None:
    path = written(tmp_path, SMALLEST)
    key = read_recipe(path).model_key("m1")
    assert key == read_recipe(path, ["home=elsewhere", "pictures.path=moved"]).model_key("m1")
    assert key != read_recipe(path).model_key("m2")
    assert key != read_recipe(path, ["train.seed=5"]).model_key("m1")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,4}", fullmatch=True), values, max_size=4))
def test_flat_values_can_be_read_back_as_yaml(value: dict[str, object]) -> None:
    for path, text in flatten(value).items():
        assert isinstance(path, str)
        yaml.safe_load(text)


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_change_is_made_or_told(path: str, text: str) -> None:
    value: dict[str, object] = {"name": "mine", "filters": ["resolution"]}
    try:
        apply_change(value, f"{path}={text}")
    except RecipeError:
        return
    assert value


def test_the_schema_of_prefects_form_takes_recipes_long_and_short_and_refuses_a_typo() -> None:
    from prefect.utilities.callables import parameter_schema

    from flows.dataset_to_model import dataset_to_model

    schema = parameter_schema(dataset_to_model.fn).model_dump()
    for path in RECIPES:
        jsonschema.validate({"recipe": read_recipe(path).model_dump(mode="json")}, schema)
    deployments = yaml.safe_load((RECIPES[0].parents[1] / "prefect.yaml").read_text())["deployments"]
    (deployed,) = (one for one in deployments if one["name"] == "dataset-to-model")
    jsonschema.validate(deployed["parameters"], schema)
    with pytest.raises(jsonschema.ValidationError, match="stpes"):
        bad = {"name": "mine", "pictures": {"kind": "folder", "path": "x"}, "train": {"stpes": 3}}
        jsonschema.validate({"recipe": bad}, schema)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("train.stpes=3", "^the change 'train.stpes=3': train.stpes: no such key; did you mean `steps`"),
        ("captioner.triger=x", "mine.yaml with 'captioner.triger=x': captioner: clip_tags: triger: no such key"),
        ("filters=[sharp]", r"^the change 'filters=\[sharp\]': .* no filter called 'sharp'; did you mean sharpness"),
    ],
)
def test_a_wrong_change_is_blamed_on_the_change(tmp_path: Path, change: str, said: str) -> None:
    path = written(tmp_path, SMALLEST + "captioner: clip_tags\n")
    with pytest.raises(RecipeError, match=said):
        read_recipe(path, [change])


def test_a_wrong_path_of_a_recipe_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "cats.yaml").write_text("")
    with pytest.raises(RecipeError, match=r"did you mean .*cats\.yaml\?"):
        read_recipe(tmp_path / "cast.yaml")
    with pytest.raises(RecipeError, match=r"there are .*cats\.yaml"):
        read_recipe(tmp_path / "something-else-entirely.yaml")
