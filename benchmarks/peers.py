"""Other tools on the same files; run by an interpreter that has `benchmarks/peers.txt` and nothing of Velatura."""

import contextlib
import importlib.util
import io
import json
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from unittest.mock import MagicMock

REPEATS = 5


def resized() -> Callable[[Path], object]:
    """img2dataset as it is by default: decode, shrink to 512 with a border, save as JPEG."""
    found = importlib.util.find_spec("img2dataset")
    if found is None or not found.submodule_search_locations:
        raise ImportError("no img2dataset")
    package = types.ModuleType("img2dataset")  # its own one imports writers for formats that nobody asked for
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["img2dataset"] = package
    from img2dataset.resizer import Resizer

    resizer = Resizer(512, "border", False)
    return lambda path: resizer(io.BytesIO(path.read_bytes()))


def hashed() -> Callable[[Path], object]:
    """The perceptual hash of imagededup; its neural methods, for which it imports torch, are not used."""
    from imagededup.methods import PHash

    hasher = PHash(verbose=False)
    return lambda path: hasher.encode_image(image_file=str(path))


def checked(folder: Path) -> Callable[[], object]:
    """CleanVision's default checks of the whole folder, in one process."""
    from cleanvision import Imagelab

    def check() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            Imagelab(data_path=str(folder)).find_issues(n_jobs=1, verbose=False)

    return check


def least(do: Callable[[], object], count: int) -> float:
    """CPU milliseconds a picture."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        do()
        best = min(best, (time.process_time() - began) * 1000 / count)
    return best


def main() -> None:
    """Each that can be imported."""
    folder = Path(sys.argv[1])
    paths = sorted(folder.glob("*.jpg"))
    with contextlib.suppress(ImportError):
        import cv2

        cv2.setNumThreads(1)
    unused = "torch torch.nn torch.utils torch.utils.data torchvision torchvision.transforms torchvision.models "
    unused += "torchvision.models.vision_transformer"
    for name in unused.split():
        sys.modules.setdefault(
            name, MagicMock(Dataset=object, Tensor=type("Tensor", (), {}))
        )  # imagededup imports it; hashes do not use it
    figures: dict[str, float | str] = {}
    for name, make in (("img2dataset: decode, resize, save", resized), ("imagededup: phash alone", hashed)):
        try:
            one = make()
            figures[name] = least(lambda one=one: [one(path) for path in paths], len(paths))
        except ImportError as error:
            figures[name] = f"left out: {error}"
    try:
        figures["CleanVision: all default checks"] = least(checked(folder), len(paths))
    except ImportError as error:
        figures["CleanVision: all default checks"] = f"left out: {error}"
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    os._exit(0)  # some leave threads behind


if __name__ == "__main__":
    main()
