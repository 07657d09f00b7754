import numpy as np
import pytest

from core.block import Block
from core.errors import RecipeError, UnknownKind
from core.seeding import generator, seed_of
from flows.recipe import FAMILIES, family_named


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_knows_its_kinds_and_each_has_one_line_of_help(name: str) -> None:
    family = family_named(name)
    assert family.kinds()
    for kind in family.kinds():
        assert len(family.help_of(kind)) > 10
        assert family.of_kind(kind).__module__ == f"{family.family}.{kind}"


def test_a_fingerprint_follows_from_the_parameters_alone() -> None:
    transforms: type[Block] = family_named("transform")
    first, second = transforms.parse("black_and_white"), transforms.parse({"kind": "black_and_white"})
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != transforms.parse("color_skew").fingerprint


def test_a_block_survives_the_way_through_plain_values() -> None:
    for name in FAMILIES:
        family = family_named(name)
        for kind in family.kinds():
            if all(not field.is_required() for field in family.of_kind(kind).model_fields.values()):
                block = family.parse(kind)
                assert family.parse(block.dump()) == block
                assert dict(block).keys() == type(block).model_fields.keys()  # Prefect looks into it; no method `keys`


def test_a_wrong_kind_and_a_wrong_key_are_told_with_what_is_known() -> None:
    transforms = family_named("transform")
    with pytest.raises(UnknownKind, match="known: .*color_skew"):
        transforms.parse("colour_skew")
    with pytest.raises(RecipeError, match="saturatoin: no such key; known here: .*saturation"):
        transforms.parse({"kind": "color_skew", "saturatoin": 0.5})
    with pytest.raises(RecipeError, match="expected a transform"):
        transforms.parse(3)


def test_a_generator_depends_on_what_is_made_and_on_nothing_else() -> None:
    np.testing.assert_array_equal(generator("record", "block", 1).random(4), generator("record", "block", 1).random(4))
    assert generator("record", "block", 1).random() != generator("record", "block", 2).random()
    assert 0 <= seed_of("a") < 2**63
