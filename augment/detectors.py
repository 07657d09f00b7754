"""Running controlnet_aux's detectors so that they keep the picture's size, its channels and our seeds."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from core.pixels import Pixels


def loaded(name: str) -> Any:
    """One of controlnet_aux's detectors that needs no weights. The import takes seconds, and complains of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import controlnet_aux
    return getattr(controlnet_aux, name)()


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
