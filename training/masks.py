"""Masked loss: the `train.masks:` part of a recipe. White is learned, black counts little or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.errors import RecipeError
from core.hashing import sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

ENDINGS = ("-masklabel.png", ".mask.png", ".png", ".webp", ".jpg", ".jpeg", ".bmp")
"""what a mask's file may be called after the picture's name without its suffix: the first is OneTrainer's"""
SUFFIXES = frozenset(Path(ending).suffix or ending for ending in ENDINGS)


class Masks(BaseModel):
    """Where masks come from. A picture without one counts as a whole."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: str = ""
    """a folder with a grey picture for each: `cat.png` for `cat.jpg`, or `cat-masklabel.png`, or `cat.mask.png`"""
    alpha: bool = False
    """what is transparent in a picture counts as black, where the folder has no mask for it"""
    outside: float = Field(default=0.0, ge=0, le=1)
    """what black counts; white counts 1"""

    @model_validator(mode="after")
    def _somewhere(self) -> Masks:
        if not self.folder and not self.alpha:
            raise ValueError("say where masks come from: `folder: PATH`, or `alpha: true`, or leave train.masks out")
        return self

    @property
    def root(self) -> Path:
        """The folder with the masks; `RecipeError` where it is none."""
        root = Path(self.folder).expanduser()
        if not root.is_dir():
            raise RecipeError(f"train.masks.folder: {root} is not a folder; it should hold a mask for each picture")
        return root

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of each of the folder's files by its name, so that a model follows from the masks too."""
        files = sorted(path for path in self.root.rglob("*") if path.suffix in SUFFIXES and path.is_file())
        return {path.relative_to(self.root).as_posix(): sha256_of(path.read_bytes()) for path in files}

    def file_of(self, name: str) -> Path | None:
        """The mask's file of a picture by its name below its source's root; ``None`` where it has none."""
        if not self.folder:
            return None
        root, stem = self.root, Path(name).with_suffix("")
        stems = dict.fromkeys((stem, Path(stem.name)))  # in folders like the pictures', or all in one
        return next((p for where in stems for ending in ENDINGS if (p := root / f"{where}{ending}").is_file()), None)

    def weights(self, mask: NDArray[np.uint8], width: int, height: int, scale: int) -> Tensor:
        """(1, h, w) factors on a latent's places from a mask of the picture's shape, cut as the picture is cut."""
        import numpy as np
        import torch

        from backbones.encoding import fit

        fitted = fit(np.repeat(mask[..., None], 3, axis=2), width, height)[..., 0]
        whole = torch.from_numpy(fitted.astype(np.float32) / 255).reshape(
            1, height // scale, scale, width // scale, scale
        )
        return self.outside + (1 - self.outside) * whole.mean(dim=(2, 4))
