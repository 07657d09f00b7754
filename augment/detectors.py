"""Running controlnet_aux's detectors so that they keep the picture's size, its channels and our seeds."""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.errors import MissingBase
from core.pixels import Pixels

WITHOUT_WEIGHTS = {"lineart_standard": "LineartStandardDetector", "canny": "CannyDetector"}
LEARNED = {
    "lineart": ("LineartDetector", ("sk_model.pth", "sk_model2.pth")),
    "lineart_anime": ("LineartAnimeDetector", ("netG.pth",)),
    "hed": ("HEDdetector", ("ControlNetHED.pth",)),
    "pidi": ("PidiNetDetector", ("table5_pidinet.pth",)),
    "teed": ("TEEDdetector", ("7_model.pth",)),
}
"""by name: controlnet_aux's class, and the files that it reads from a folder"""


def library() -> Any:
    """controlnet_aux. The import takes seconds, and complains of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import controlnet_aux
    return controlnet_aux


def weights_files(name: str, folder: str) -> list[Path]:
    """The files of a learned detector, known to be there; `MissingBase` says which are wanted."""
    wanted = LEARNED[name][1]
    said = f"the detector {name} needs {' and '.join(wanted)}, as lllyasviel/Annotators has them on Hugging Face"
    if name == "teed":
        said = f"the detector {name} needs {wanted[0]}, as fal/teed has it on Hugging Face"
    free = "; lineart_standard and canny need no weights"
    if not folder:
        raise MissingBase(f"weights: {said}; name the folder with `weights:`{free}")
    place = Path(folder).expanduser()
    missing = [file for file in wanted if not (place / file).is_file()]
    if missing:
        raise MissingBase(f"weights: {place} lacks {' and '.join(missing)}; {said}{free}")
    return [place / file for file in wanted]


def loaded(name: str, folder: str = "") -> Any:
    """A detector by our name for it; a learned one from the ``folder`` with its weights. Nothing is ever fetched."""
    if name in WITHOUT_WEIGHTS:
        return getattr(library(), WITHOUT_WEIGHTS[name])()
    files = weights_files(name, folder)
    more = {"filename": files[0].name} if name == "teed" else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # torch reads plain tensors only out of these files: it has run no code in them since 2.6
            return getattr(library(), LEARNED[name][0]).from_pretrained(str(files[0].parent), **more)
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        first = str(error).partition("\n")[0]
        raise MissingBase(f"weights: {files[0]} is not of the detector {name}: {first}") from error


def detected(detector: Callable[..., Any], image: Pixels, seed: int, **settings: object) -> Pixels:
    """What ``detector`` sees in the picture, in the picture's own size.

    Some detectors draw from numpy's global generator: it is seeded for the call and put back afterwards.
    """
    before = np.random.get_state()
    np.random.seed(seed % 2**32)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            seen = detector(image.copy(), output_type="np", **settings)
    finally:
        np.random.set_state(before)
    height, width = image.shape[:2]
    if seen.shape[:2] != (height, width):
        seen = np.asarray(Image.fromarray(seen).resize((width, height), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(
        np.broadcast_to(seen if seen.ndim == 3 else seen[..., None], image.shape), dtype=np.uint8
    )
