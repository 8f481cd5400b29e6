"""TIFF files that Pillow reads wrong, or with words that help nobody."""

from __future__ import annotations

from typing import IO, Any

from PIL import Image, TiffImagePlugin

from face_pictures.errors import InvalidImage

_BITS_PER_SAMPLE, _PLANAR_CONFIGURATION = 258, 284
_ONE_PLANE_A_CHANNEL = 2


def open_tiff(file: IO[bytes]) -> TiffImagePlugin.TiffImageFile:
    """As Pillow does. Raises InvalidImage for a kind of samples that Pillow does not know, and what Pillow raises."""
    try:
        return TiffImagePlugin.TiffImageFile(file)
    except SyntaxError as error:
        if "unknown pixel mode" not in str(error):
            raise
        raise InvalidImage(
            "encoded_image is a TIFF of a kind that is not read, such as floats in three channels; "
            "save it with 8 or 16 bits a sample"
        ) from error


def mend(image: Image.Image) -> None:
    """Tells Pillow to take 16-bit samples for such where each channel is a plane of its own: it takes them for bytes,
    and gives a picture that is shifted and mixed. For images whose pixels are not loaded yet.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or not image.tile:
        return
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, (1,))
    if image.tag_v2.get(_PLANAR_CONFIGURATION, 1) != _ONE_PLANE_A_CHANNEL or len(bits) == 1 or max(bits) <= 8:
        return
    order = "L" if image.tag_v2.prefix == b"II" else "B"
    # libtiff, which reads what is compressed, does it right.
    image.tile = [_of_16_bits(tile, order) if tile[0] == "raw" else tile for tile in image.tile]


def _of_16_bits(tile: Any, order: str) -> Any:
    """A piece for Pillow's raw decoder; before Pillow 11 it is a plain tuple. order: of the bytes, L or B."""
    args = (f"{tile[3][0]};16{order}", *tile[3][1:])
    return tile._replace(args=args) if hasattr(tile, "_replace") else (*tile[:3], args)
