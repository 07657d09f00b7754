"""Tests of what `velatura kinds` lists."""

import io

import pytest
from rich.console import Console

from core.errors import UnknownKind
from flows.kinds import all_kinds, told
from flows.recipe import FAMILIES, PARTS, Recipe, family_named


def words(family: str) -> str:
    """What people see."""
    out = io.StringIO()
    told(all_kinds(family), Console(file=out, width=200, highlight=False), keys=bool(family))
    return out.getvalue()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_kind_is_listed_with_help_and_all_its_keys(family: str) -> None:
    said = words(family)
    for kind in family_named(family).kinds():
        assert f"  {kind} " in said
        assert all_kinds(family)[family][kind]["help"].strip()
        for key in family_named(family).of_kind(kind).model_fields:
            assert f"{key} = " in said


def test_the_parts_of_a_recipe_are_listed_like_a_family() -> None:
    said = words("recipe")
    assert set(all_kinds("recipe")["recipe"]) == set(PARTS)
    for key in Recipe.model_fields:
        assert f"      {key} = " in said
    assert 'filters = ["resolution", "information", "near_duplicate"]  (list of filter)' in said
    assert "name = (must be given)" in said


def test_no_markup_of_docstrings_is_shown_to_people() -> None:
    assert "`" not in "".join(words(family) for family in FAMILIES)


def test_a_family_may_be_named_in_the_plural_and_a_wrong_one_is_told() -> None:
    assert words("filters") == words("filter")
    with pytest.raises(UnknownKind, match="no family .filtre.; did you mean filter. known: recipe, engine, source"):
        all_kinds("filtre")
