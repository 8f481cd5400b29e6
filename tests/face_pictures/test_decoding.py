"""Every format, mode and orientation against what a slow and obvious reference gives."""

import io
import sys
import time
import warnings

import numpy as np
import pytest
import tifffile
from PIL import Image

from face_client.errors import InvalidImage
from face_pictures.decoding import (
    decode_as_shown,
    decode_image,
    decode_shrunk,
    downscale,
    frames_in,
    image_size,
    is_transparent,
    to_rgb,
)
from face_pictures.errors import TooManyPixels, picture_error
from tests.pictures import astronaut

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "BMP": {}, "TIFF": {}, "JPEG2000": {}, "PPM": {}}
# AVIF has its orientation in a box of its own, which Pillow writes and reads as if it were EXIF data.
WITH_EXIF = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {}}


def assert_is_rgb(image):
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.flags.c_contiguous


def upright(stored, orientation):
    """Pixel by pixel from the table of the EXIF standard: where row 0 and column 0 belong."""
    height, width = stored.shape[:2]
    out = np.zeros((width, height, 3) if orientation >= 5 else (height, width, 3), np.uint8)
    for row in range(height):
        for column in range(width):
            down, right = height - 1 - row, width - 1 - column
            y, x = {
                1: (row, column),
                2: (row, right),
                3: (down, right),
                4: (down, column),
                5: (column, row),
                6: (column, down),
                7: (right, down),
                8: (right, row),
            }[orientation]
            out[y, x] = stored[row, column]
    return out


@pytest.mark.parametrize("image_format", LOSSLESS)
def test_lossless_formats_give_the_same_pixels(image_format, picture, encode):
    decoded = decode_image(encode(picture, image_format, **LOSSLESS[image_format]))
    assert_is_rgb(decoded)
    np.testing.assert_array_equal(decoded, picture)


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "GIF", "AVIF", "HEIF"])
def test_lossy_formats_give_nearly_the_same_pixels(image_format, picture, encode):
    decoded = decode_image(encode(picture, image_format))
    assert_is_rgb(decoded)
    assert np.abs(decoded.astype(int) - picture).mean() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", WITH_EXIF)
def test_exif_orientation(image_format, orientation, picture, encode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture, image_format, exif=exif, **WITH_EXIF[image_format])
    stored = np.asarray(Image.open(io.BytesIO(encode(picture, image_format, **WITH_EXIF[image_format]))))
    decoded = decode_image(data)
    np.testing.assert_array_equal(decoded, upright(stored, orientation))
    assert image_size(data) == (decoded.shape[1], decoded.shape[0])
    np.testing.assert_array_equal(to_rgb(Image.open(io.BytesIO(data))), decoded)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_heic_file_is_turned_once_and_by_its_own_boxes(orientation, picture, encode):
    """Phones write the rotation in boxes of the file and, to be read, in EXIF data too."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture, "HEIF", exif=exif.tobytes(), quality=100, chroma=444)
    decoded = decode_image(data)
    assert (b"irot" in data or b"imir" in data) == (orientation > 1)
    assert np.abs(decoded.astype(int) - upright(picture, orientation)).mean() < 2
    assert image_size(data) == (decoded.shape[1], decoded.shape[0])
    np.testing.assert_array_equal(to_rgb(Image.open(io.BytesIO(data))), decoded)
    # Without a box EXIF data are a remark, by the standard (ISO/IEC 23008-12).
    remarked = encode(picture, "HEIF", exif=exif, quality=100, chroma=444)
    assert b"irot" not in remarked
    assert np.abs(decode_image(remarked).astype(int) - picture).mean() < 2


@pytest.mark.parametrize(
    ("data", "gray"),
    [
        (b"P1\n# a comment\n3 2\n0 1 0\n101\n", [[255, 0, 255], [0, 255, 0]]),
        (b"P4 3 1\n\x40", [[255, 0, 255]]),
        (b"P2 3 1 10\n0 # none\n5 10", [[0, 128, 255]]),
        (b"P2 1 1 65535\n" + b" " * 2_000_000 + b"65535", [[255]]),
        (b"P5 3 1 10\n\0\x05\x0a", [[0, 128, 255]]),
        (b"P5 2 1 4095\n\x0f\xff\x08\0", [[255, 128]]),
        (b"P5 2 1 65535\n\x01\xff\x80\0", [[1, 128]]),
        (b"P6 1 1 65535\n" + b"\x01\xff" * 3, [[1]]),
        (b"P3 1 2 255\n1 1 1 2 2 2", [[1], [2]]),
    ],
)
def test_netpbm_of_any_range(data, gray):
    np.testing.assert_array_equal(decode_image(data), np.repeat(np.array(gray)[:, :, np.newaxis], 3, axis=2))


@pytest.mark.parametrize(
    "data",
    [
        *(b"P2 2 1 10\n5", b"P2 2 1 10\n5 11", b"P2 2 1 10\n5 -1", b"P2 1 1 10\n" + b"9" * 40, b"P5 2 1 10\n\x05"),
        *(b"P5 1 1 10\n\x0b", b"P1 2 1\n0", b"P1 2 1\n02", b"P5 1 1 0\n\0", b"P6 1"),
    ],
)
def test_netpbm_that_lies_is_refused(data):
    with pytest.raises(InvalidImage, match=r"the pixels of this P[BGP]M file cannot be read"):
        decode_image(data)


@pytest.mark.slow
def test_netpbm_is_read_by_no_loop_in_python():
    """Pillow takes ten seconds a megapixel for another range than 0…255."""
    started = time.process_time()
    assert decode_image(b"P6 2000 1000 254\n" + bytes(6_000_000)).shape == (1000, 2000, 3)
    assert decode_image(b"P2 1000 1000 255\n" + b"7 " * 1_000_000).shape == (1000, 1000, 3)
    assert time.process_time() - started < 5


def test_exif_behind_the_pixels_of_a_png_counts(picture, encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(picture, "PNG", exif=exif)
    at = data.index(b"eXIf") - 4
    end = at + 12 + int.from_bytes(data[at : at + 4], "big")
    iend = data.index(b"IEND") - 4
    moved = data[:at] + data[end:iend] + data[at:end] + data[iend:]
    assert image_size(moved) == (30, 40)
    assert decode_image(moved).shape == (40, 30, 3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_exif_that_cannot_be_read_counts_as_absent(picture, encode):
    data = encode(picture, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xffgarbage")
    assert decode_image(data).shape == (30, 40, 3)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"])
def test_modes_of_eight_bits_become_rgb_as_pillow_does_it(mode, picture):
    image = Image.fromarray(picture).convert("L" if mode == "LA" else "RGB")
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    rgb = to_rgb(image)
    assert_is_rgb(rgb)
    np.testing.assert_array_equal(rgb, np.asarray(image.convert("RGB")))


def test_lab_becomes_rgb(picture):
    try:
        lab = Image.fromarray(picture).convert("LAB")
    except ValueError:
        pytest.skip("this Pillow does not convert LAB")
    rgb = to_rgb(lab)
    assert_is_rgb(rgb)
    assert np.abs(rgb.astype(int) - picture).mean() < 6


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_colours_under_transparency_stay(mode, picture):
    base = Image.fromarray(picture).convert(mode[:-1])
    image = base.copy()
    image.putalpha(0)
    np.testing.assert_array_equal(to_rgb(image), np.asarray(base.convert("RGB")))


@pytest.mark.parametrize("transparency", [3, bytes(range(256))], ids=["one colour", "alpha table"])
def test_palette_with_transparency(transparency, picture, encode):
    image = Image.fromarray(picture).convert("P")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoded = decode_image(encode(image, "PNG", transparency=transparency))
    np.testing.assert_array_equal(decoded, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk_files(image_format, picture, encode):
    decoded = decode_image(encode(Image.fromarray(picture).convert("CMYK"), image_format))
    assert_is_rgb(decoded)
    assert np.abs(decoded.astype(int) - picture).mean() < 8


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_sixteen_bits_keep_the_high_byte(image_format, encode):
    samples = np.linspace(0, 65535, 30 * 40).astype(np.uint16).reshape(30, 40)
    decoded = decode_image(encode(samples, image_format))
    for channel in range(3):
        np.testing.assert_array_equal(decoded[:, :, channel], samples // 256)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_a_camera_writes_its_bits_as_they_are_into_a_tiff(bits, encode):
    samples = np.linspace(0, 2**bits - 1, 30 * 40).astype(np.uint16).reshape(30, 40)
    np.testing.assert_array_equal(decode_image(encode(samples, "TIFF"))[:, :, 0], samples >> (bits - 8))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_with_a_plane_a_channel(kind, byteorder, tile, compression, picture):
    samples = np.moveaxis(picture.astype(kind) * kind(257 if kind == np.uint16 else 1), 2, 0)
    file = io.BytesIO()
    layout = {"planarconfig": "separate", "rowsperstrip": None if tile else 7, "tile": tile, "byteorder": byteorder}
    tifffile.imwrite(file, samples, photometric="rgb", compression=compression, **layout)
    np.testing.assert_array_equal(decode_image(file.getvalue()), picture)
    np.testing.assert_array_equal(to_rgb(Image.open(file)), picture)


def test_a_tiff_of_a_kind_that_is_not_read_is_not_called_damaged(picture):
    file = io.BytesIO()
    tifffile.imwrite(file, picture.astype(np.float32) / 255, photometric="rgb")
    for read in (decode_image, image_size):
        with pytest.raises(InvalidImage, match="TIFF of a kind that is not read, such as floats") as refused:
            read(file.getvalue())
        assert str(picture_error(str(refused.value))) == str(refused.value)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 128.0, 255.0]], np.float32), [0, 128, 255]),
        (np.array([[-5.0, np.nan, 255.0]], np.float32), [0, 0, 255]),
        (np.array([[0, 100, 200]], np.int32), [0, 100, 200]),
        (np.array([[0, 257 * 100, 65535]], np.int32), [0, 100, 255]),
    ],
)
def test_wide_samples_become_eight_bits(samples, expected):
    assert to_rgb(Image.fromarray(samples))[0, :, 0].tolist() == expected


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "TIFF"])
def test_first_frame_of_many(image_format, picture, encode):
    first, second = Image.fromarray(picture), Image.new("RGB", (40, 30), "white")
    data = encode(first, image_format, save_all=True, append_images=[second])
    decoded = decode_image(data)
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).mean() < 12


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (11, 11)])
def test_tiny_and_thin_images_are_images(size, encode):
    data = encode(Image.new("RGB", size), "PNG")
    assert decode_image(data).shape == (size[1], size[0], 3)
    assert image_size(data) == size


def test_other_formats_are_refused(picture, encode):
    for image_format, name in (("ICO", "an icon, "), ("TGA", ""), ("PDF", "PDF, ")):
        with pytest.raises(InvalidImage, match=rf"format \({name}\d+ bytes\).*JPEG, PNG, .*, PGM or PPM"):
            decode_image(encode(picture, image_format))


@pytest.mark.parametrize(
    ("brands", "named"),
    [
        (b"heic\0\0\0\0mif1heic", "this HEIC file"),
        (b"mif1\0\0\0\0miafavif", "this AVIF file"),
        (b"mif1\0\0\0\0mif1hevc", "this HEIC file"),
        (b"isom\0\0\0\0mp41", r"\(a video, "),
    ],
)
def test_a_file_is_called_what_its_bytes_say(brands, named):
    box = b"ftyp" + brands
    with pytest.raises(InvalidImage, match=named):
        decode_image((len(box) + 4).to_bytes(4, "big") + box + bytes(80))


def test_without_the_package_a_heic_file_is_refused_by_name(monkeypatch, picture, encode):
    data = encode(picture, "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for read in (decode_image, image_size):
        with pytest.raises(InvalidImage, match=r"is a HEIC file, which .* without the package pillow-heif"):
            read(data)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "HEIF"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_file_is_shrunk_as_its_picture_is(image_format, orientation, picture, encode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture, image_format, exif=exif.tobytes())
    shrunk, size = decode_shrunk(data, 20)
    assert size == image_size(data)
    expected = downscale(decode_image(data), 20)
    # Pillow rounds after each direction.
    assert np.abs(shrunk.astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_a_file_beyond_the_limit_is_shrunk_and_nearly_as_its_picture_is(encode):
    """A phone's: it is refused by itself. Decoded at a half of its size, a JPEG differs by its rounding."""
    wanted = np.array(Image.fromarray(astronaut()).resize((300, 200)))
    large = Image.fromarray(wanted).resize((9000, 6000), Image.Resampling.BICUBIC)
    for image_format in ("JPEG", "PNG"):
        data = encode(large, image_format, **({"quality": 95} if image_format == "JPEG" else {"compress_level": 1}))
        with pytest.raises(TooManyPixels):
            decode_image(data)
        shrunk, size = decode_shrunk(data, 600)
        assert (shrunk.shape, size) == ((400, 600, 3), (9000, 6000))
        expected = downscale(to_rgb(large), 600)
        assert np.abs(shrunk.astype(int) - expected).mean() < 1


def test_a_limit_stays_on_what_is_shrunk():
    with pytest.raises(TooManyPixels, match="at most 250000000 are allowed"):
        decode_shrunk(b"P6 20000 20000 255\n", 600)


def test_downscale_averages_areas(picture):
    small = downscale(picture[:30, :40], 20)
    blocks = picture.reshape(15, 2, 20, 2, 3).mean(axis=(1, 3))
    assert small.shape == (15, 20, 3)
    # Pillow rounds after each direction.
    assert np.abs(small - blocks).max() <= 1


def test_downscale_leaves_small_images_and_thin_ones_whole(picture):
    assert downscale(picture, 40) is picture
    assert downscale(np.zeros((4000, 1, 3), np.uint8), 100).shape == (100, 1, 3)


def transparent(picture, mode):
    """The picture in a mode in which its upper half is transparent; and its colours as that mode has them."""
    image = Image.fromarray(picture)
    opacity = Image.new("L", image.size, 255)
    opacity.paste(0, (0, 0, image.width, image.height // 2))
    if mode == "P":
        image = image.quantize(200)
        # A colour of its own, which is the transparent one.
        pixels = np.array(image)
        pixels[: image.height // 2] = 255
        indexed = Image.fromarray(pixels, "P")
        indexed.putpalette(image.getpalette() + [7] * (768 - len(image.getpalette())))
        indexed.info["transparency"] = 255
        return indexed
    image = image.convert("L" if mode == "LA" else "RGB").convert(mode)
    image.putalpha(opacity)
    return image


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("image_format", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "P"), ("WEBP", "RGBA")])
def test_what_is_transparent_is_white(image_format, mode, orientation, picture, encode):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if image_format == "WEBP" else {}
    image = transparent(picture, mode)
    data = encode(image, image_format, exif=exif, **options)
    assert is_transparent(data)
    shown = decode_as_shown(data)
    assert_is_rgb(shown)
    expected = np.array(image.convert("RGB"))
    expected[: len(picture) // 2] = 255
    np.testing.assert_array_equal(shown, upright(expected, orientation))


def test_a_transparent_colour(picture, encode):
    data = encode(picture, "PNG", transparency=tuple(map(int, picture[3, 5])))
    assert is_transparent(data)
    expected = picture.copy()
    expected[3, 5] = 255
    np.testing.assert_array_equal(decode_as_shown(data), expected)


@pytest.mark.parametrize("image_format", WITH_EXIF)
def test_what_is_not_transparent_is_as_ever(image_format, picture, encode):
    data = encode(picture, image_format, **WITH_EXIF[image_format])
    assert not is_transparent(data)
    np.testing.assert_array_equal(decode_as_shown(data), decode_image(data))
    assert frames_in(data) == 1


def test_frames_are_counted(picture, encode):
    more = [Image.fromarray(255 - picture), Image.fromarray(picture // 2)]
    for image_format in ("GIF", "TIFF", "WEBP", "PNG"):
        assert frames_in(encode(picture, image_format, save_all=True, append_images=more)) == 3
    assert frames_in(b"GIF89a") == 1
