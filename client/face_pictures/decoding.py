"""Pictures of any kind to RGB arrays: the one home of image decoding, for the client, the server and training.

An image is an RGB uint8 array [H, W, 3], C-contiguous and upright: the EXIF orientation is applied.
Whatever is wrong with the input, what is raised is InvalidImage; MemoryError where memory runs out.
"""

from __future__ import annotations

import io
from typing import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from face_pictures import netpbm, tiff
from face_pictures.errors import InvalidImage, TooManyPixels
from face_pictures.formats import header_size, open_image, orientation, reading, reading_file, stored_size
from face_pictures.mending import jpeg_with_end

MAX_PIXELS = 50_000_000

MAX_PIXELS_TO_SHRINK = 5 * MAX_PIXELS
"""Of a picture that is shrunk as it is read; the largest sensors of phones have 200 million."""

ToArray = Callable[[Image.Image], NDArray[np.uint8]]
"""From a loaded image in mode RGB to its pixels [H, W, 3]."""

# EXIF orientation → what turns the stored picture upright. 1 is upright already.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS, array: ToArray = np.array) -> NDArray[np.uint8]:
    """The picture in a file of any of `formats.FORMATS`; the first of several frames or pages.

    The number of pixels is checked in the header, before memory is spent on them. EXIF data that cannot
    be read count as absent, as in browsers and viewers: the picture itself is whole.

    array: makes the array of the pixels.

    Raises InvalidImage: empty, not one of the formats, damaged or truncated; TooManyPixels: more than max_pixels.
    """

    def read(data: bytes) -> NDArray[np.uint8]:
        with reading_file(data):
            return array(_upright_rgb(_opened(data, max_pixels)))

    return _whole(data, read)


def decode_as_shown(data: bytes, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """As `decode_image`, but what a person sees: nothing of what lies under transparency, for which there is white, and
    colours in sRGB where a profile says others. For copies that hold no more than pixels.

    Raises InvalidImage as `decode_image` does.
    """

    def read(data: bytes) -> NDArray[np.uint8]:
        with reading_file(data):
            image = _opened(data, max_pixels)
            profile = image.info.get("icc_profile")
            return np.array(_on_white(_in_srgb(_upright_rgb(image), image.mode, profile), image))

    return _whole(data, read)


def is_transparent(data: bytes) -> bool:
    """Whether anything in a file may be seen through. Raises InvalidImage."""
    with reading_file(data):
        return _has_alpha(open_image(data))


def frames_in(data: bytes) -> int:
    """How many frames or pages a file has, of which the first is read; 1 where the others cannot be counted."""
    try:
        with reading_file(data):
            return int(getattr(open_image(data), "n_frames", 1))
    except InvalidImage:
        return 1


def decode_shrunk(data: bytes, max_side: int) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """What `downscale` makes of the picture in a file, and (width, height) of the upright picture itself.

    The picture may have five times as many pixels as `decode_image` reads by itself: a JPEG beyond that limit is
    decoded at a half, a quarter or an eighth of its size, which is still twice the size that is wanted.

    Raises InvalidImage as `decode_image` does.
    """

    def read(data: bytes) -> NDArray[np.uint8]:
        with reading_file(data):
            image = _opened(data, MAX_PIXELS_TO_SHRINK)
            if image.size[0] * image.size[1] > MAX_PIXELS:
                image.draft(None, (2 * max_side, 2 * max_side))
            rgb = _upright_rgb(image)
            return np.array(rgb.resize(_shrunk(size, max_side), Image.Resampling.BOX))

    size = image_size(data)
    return _whole(data, read), size


def _opened(data: bytes, max_pixels: int) -> Image.Image:
    check_pixels(header_size(data), max_pixels)
    image = open_image(data)
    # The parsed header again: a damaged file may say two things.
    check_pixels(image.size, max_pixels)
    return image


def _whole(data: bytes, read: Callable[[bytes], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """What `read` makes of the file, or of the file with an end marker where it lacks that alone."""
    try:
        return read(data)
    except TooManyPixels:
        raise
    except InvalidImage:
        pixels = jpeg_with_end(data, read)
        if pixels is None:
            raise
        return pixels


def image_size(data: bytes) -> tuple[int, int]:
    """(width, height) of the upright picture in an encoded image, from its header.

    Raises InvalidImage where the bytes are not one of the formats that decode_image reads.
    """
    with reading_file(data):
        image = open_image(data)
        width, height = stored_size(image)
        return (height, width) if orientation(image, data) >= 5 else (width, height)


def to_rgb(image: Image.Image, field: str = "image") -> NDArray[np.uint8]:
    """A Pillow image of any mode as an upright RGB array.

    Transparency is dropped and the colours under it stay, as `convert("RGB")` does. 16-bit samples keep
    their high byte; see `convert_to_rgb` for wider ones.

    field: what an error calls the image. Raises InvalidImage where the pixels cannot be read.
    """
    with reading(field):
        return np.array(_upright_rgb(image))


def _upright_rgb(image: Image.Image) -> Image.Image:
    """The image in mode RGB and upright. Raises what readers raise."""
    tiff.mend(image)
    rgb = netpbm.read(image)
    if rgb is None:
        image.load()
        rgb = convert_to_rgb(image)
    return _upright(rgb, image)


def _upright(pixels: Image.Image, image: Image.Image) -> Image.Image:
    """Pixels of an image as it is stored, upright."""
    # Loading a TIFF turns it upright.
    turn = None if image.format == "TIFF" else _UPRIGHT.get(orientation(image))
    return pixels if turn is None else pixels.transpose(turn)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info


def _on_white(rgb: Image.Image, image: Image.Image) -> Image.Image:
    """The upright pixels of a loaded image, with white where the image is transparent."""
    if not _has_alpha(image):
        return rgb
    opacity = _upright(image.convert("RGBA").getchannel("A"), image)
    return Image.composite(rgb, Image.new("RGB", rgb.size, "white"), opacity)


def _in_srgb(rgb: Image.Image, mode: str, profile: bytes | None) -> Image.Image:
    """The colours that the profile of an image of that mode means. One that cannot be read, or is of another kind of
    colours, counts as absent, as in viewers."""
    if not profile or not mode.startswith("RGB"):
        return rgb
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return rgb
        shown = ImageCms.profileToProfile(rgb, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        return rgb
    return rgb if shown is None else shown


def downscale(image: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """The image [H, W, 3] with its longer side at most max_side pixels; the same object if it is already.

    Area averages (Pillow's BOX filter): every pixel counts, no ringing, and it is what the detector's own
    pyramid does with an image.
    """
    height, width = image.shape[:2]
    if max(height, width) <= max_side:
        return image
    size = _shrunk((width, height), max_side)
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _shrunk(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """(width, height) with the longer one at most max_side."""
    scale = min(1.0, max_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def check_pixels(size: tuple[int, int] | None, max_pixels: int) -> None:
    """Raise TooManyPixels for more than max_pixels; a size of None is not known yet."""
    if size is None or size[0] * size[1] <= max_pixels:
        return
    width, height = size
    raise TooManyPixels(
        f"encoded_image has {width}x{height} = {width * height} pixels; at most {max_pixels} are allowed"
    )


_RANGES = (255.0, 65535.0, 4294967295.0)


def convert_to_rgb(image: Image.Image) -> Image.Image:
    """The loaded image in mode RGB, not turned. Raises what Pillow raises.

    `convert("RGB")` alone is wrong or noisy for wide samples. They become 8 bits by a fixed rule, so that a
    picture does not change with its content:

        I;16 and relatives          the high byte, which is also what Pillow keeps of 16-bit RGB; from a TIFF by the
                                    narrowest of 8, 10, 12, 14 and 16 bits that holds the largest value, since cameras
                                    write their bits as they are
        I from a PNG or a PGM       16-bit samples in a 32-bit image: the high byte
        other I (32-bit integers)   and F (floats): by the narrowest of the ranges 0…1 (F only), 0…255, 0…65535
                                    and 0…2^32-1 that holds the largest value; negatives and NaN are 0
    """
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        samples = np.asarray(image)
        return _gray(samples >> (_bits_of(samples) - 8 if image.format == "TIFF" else 8))
    if image.mode == "I" and image.format in ("PNG", "PPM"):
        return _gray(np.asarray(image).clip(0, 65535) >> 8)
    if image.mode in ("I", "F"):
        return _gray(_scaled(np.asarray(image, dtype=np.float64), is_float=image.mode == "F"))
    if "transparency" in image.info:
        # Pillow carries a transparent colour over to the new mode, or warns that it cannot.
        image = image.copy()
        del image.info["transparency"]
    return image.convert("RGB")


def _bits_of(samples: NDArray[np.generic]) -> int:
    return next(bits for bits in (8, 10, 12, 14, 16) if int(samples.max()) >> bits == 0)


def _gray(samples: NDArray[np.generic]) -> Image.Image:
    """[H, W] samples of 0…255 as an RGB image."""
    return Image.fromarray(samples.astype(np.uint8)).convert("RGB")


def _scaled(samples: NDArray[np.float64], is_float: bool) -> NDArray[np.float64]:
    """[H, W] samples of unknown range to 0…255, rounded."""
    samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    largest = samples.max()
    if is_float and largest <= 1:
        return (samples * 255).round()
    full = next((limit for limit in _RANGES if largest <= limit), largest)
    return (samples * (255 / full)).round()
