"""Any 8-bit mode and profile in, sRGB pixels and an alpha mask out."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK", "LAB": "Lab"}
"""what the profile of a picture in each mode must be for"""


def to_srgb(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """``(pixels, alpha)``; alpha is ``None`` where every pixel is opaque."""
    profile = image.info.get("icc_profile")
    alpha = None
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA") if image.mode != "LA" else image
        alpha = np.asarray(image.getchannel("A"))
        image = image.convert("L" if image.mode == "LA" else "RGB")
        if alpha.min(initial=255) == 255:
            alpha = None
    elif image.mode == "1":
        image = image.convert("L")
    elif image.mode not in SPACES:
        image = image.convert("RGB")
    return np.asarray(with_profile(image, profile)), alpha


def with_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB, through its profile where it has one that fits."""
    if image.mode == "LAB":
        return transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            space = given.profile.xcolor_space.strip()
            if image.mode == "L" and space == "RGB":
                image = image.convert("RGB")
            if space == SPACES[image.mode] and "srgb" not in (given.profile.profile_description or "").lower():
                return transformed(image, given)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a broken profile says nothing; browsers show such a picture as sRGB too
    return image.convert("RGB")


def transformed(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """The picture taken from ``profile`` to sRGB, relative colorimetric."""
    made = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
    )
    assert made is not None  # only in-place calls return nothing
    return made
