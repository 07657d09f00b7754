"""Which files a CLIP is made of, and what its vectors follow from. Loads nothing, so that asking costs little."""

from pathlib import Path

from backbones.family import POCKET
from backbones.folder import check_whole, read_json
from core.errors import MissingBase
from core.hashing import digest, sha256_of_file

LOCAL = "local-dir:"
WEIGHTS = "open_clip_model.safetensors"
EXPECTED = (
    'expected "pocket", "local-dir:FOLDER" or "MODEL:FILE" (the name of an open_clip model, or a .json file that '
    "describes one, and its weights on disk)"
)


def full_name(name: str) -> str:
    """``"pocket"`` as the folder that it stands for; other names as they are."""
    return f"{LOCAL}{POCKET / 'clip'}" if name == "pocket" else name


def fingerprint_of(name: str) -> str:
    """What every vector of the CLIP called ``name`` follows from: its files and its architecture."""
    name = full_name(name)
    files = [sha256_of_file(file) for file in files_of(name)]
    model_name = Path(name.partition(":")[0]).name  # the same wherever a configuration of one's own stands
    return digest("clip", files, model_name, length=32)


def own_config(name: str) -> Path | None:
    """The file that describes the model, where ``name`` has one instead of a name that open_clip knows."""
    model_name = name.partition(":")[0]
    return Path(model_name).expanduser() if model_name.endswith(".json") else None


def files_of(name: str) -> list[Path]:
    """The files that make up the CLIP, each known to be there."""
    model_name, colon, path = name.partition(":")
    if not colon:
        raise MissingBase(f"clip: {name!r} names no weights; {EXPECTED}")
    place = Path(path).expanduser()
    if name.startswith(LOCAL):
        if not place.is_dir():
            raise MissingBase(f"clip: there is no folder {place}; {EXPECTED}")
        read_json(place / "open_clip_config.json", needed_for="open_clip to know the model's shape")
        rest = [file for file in sorted(place.glob("*")) if file.suffix in (".json", ".txt", ".gz")]
        return [check_whole(place / WEIGHTS), *rest]
    if not place.is_file():
        raise MissingBase(f"clip: there is no weights file {place} for {model_name}; {EXPECTED}")
    weights = check_whole(place) if place.suffix == ".safetensors" else place
    config = own_config(name)
    if config is None:
        return [weights]
    missing = {"embed_dim", "vision_cfg", "text_cfg"} - set(read_json(config, needed_for="the model's shape"))
    if missing:
        raise MissingBase(f"clip: {config} describes no model: it lacks {', '.join(sorted(missing))}")
    return [config, weights]
