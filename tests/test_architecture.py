"""The drawing in the design is held to the code: imports point down, big libraries have one home."""

import ast
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("curation", "captioning", "augment", "training", "evaluation")
BELOW = {
    "core": set(),
    "store": {"core"},
    "backbones": {"core"},
    **{stage: {"store", "backbones", "core"} for stage in STAGES},
    "flows": {*STAGES, "store", "backbones", "core"},
}
HOMES = {
    "prefect": {"flows"},
    "mlflow": {"flows"},
    "typer": {"flows"},
    "ray": {"flows"},
    "rich": {"flows"},
    "lancedb": {"store"},
    "lance": {"store"},
    "albumentations": {"augment"},
    "cv2": {"augment", "curation"},
    "controlnet_aux": {"augment"},
    "open_clip": {"backbones"},
    "diffusers": {"backbones", "training"},
    "transformers": {"backbones"},
    "peft": {"backbones", "training"},
}
FILES = [path for package in BELOW for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """The top-level names that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written out from their package"
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down_and_big_libraries_stay_at_home(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        if name in BELOW:
            assert name == package or name in BELOW[package], f"{package} must not import {name}"
        if name in HOMES:
            assert package in HOMES[name], f"{name} belongs to {', '.join(HOMES[name])}, not to {package}"


@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name == "flows"], ids=lambda p: str(p.stem))
def test_no_file_of_the_flows_hides_a_library(path: Path) -> None:
    """Loading a flow by its path puts `flows/` itself first on the import path."""
    assert path.stem not in {*sys.stdlib_module_names, *BELOW}
    libraries = [folder for folder in sys.path if folder.endswith("site-packages")]
    assert PathFinder.find_spec(path.stem, libraries) is None


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_class_is_parsed_as_it_is_made(path: Path) -> None:
    """Python 3.11 fails at that now and then where another thread parses too, as Prefect's worker does."""
    assert "use_attribute_docstrings" not in path.read_text()


@pytest.mark.parametrize("package", BELOW)
def test_every_package_says_in_one_line_what_it_is_for(package: str) -> None:
    assert ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text()))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_opens_with_a_line_that_a_newcomer_can_act_on(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), f"{path} has no docstring"


def test_no_file_of_flows_bears_the_name_of_a_package() -> None:
    """Prefect puts flows/ itself on sys.path when it loads a flow by path; such a file would hide the package."""
    hidden = {path.stem for path in (ROOT / "flows").glob("*.py")} & {*BELOW, *HOMES, "tests", "scripts"}
    assert not hidden
