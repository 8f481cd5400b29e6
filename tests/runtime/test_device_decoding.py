"""Pictures for the engine on a device: what a GPU's decoder is given, and that nobody can tell who has decoded."""

import io
import struct
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from face_pictures.decoding import decode_image
from face_pictures.errors import InvalidImage, TooManyPixels
from face_runtime.device.decoding import DeviceDecoder, gpu_decoder, upright
from face_runtime.device.images import DeviceImage

CPU = torch.device("cpu")
MOST = 1_000_000

# Low frequencies: JPEG keeps them. No side is a multiple of its blocks, and no mirror image is the picture itself.
PICTURE = np.add.outer(np.arange(30) * 5, np.arange(43) * 2)[..., None] // np.array([1, 2, 3]) % 251
PICTURE = PICTURE.astype(np.uint8)


def encoded(image_format="JPEG", mode="RGB", orientation=None, size=(43, 30), **options):
    file = io.BytesIO()
    if orientation is not None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        options["exif"] = exif
    Image.fromarray(PICTURE).resize(size).convert(mode).save(file, image_format, **options)
    return file.getvalue()


def pixels(image):
    """As RGB UINT8 [H,W,3], wherever it lies."""
    return image[:, :] if isinstance(image, DeviceImage) else image


def on_processor(map_files=map):
    return DeviceDecoder(CPU, "auto", map_files, pytest.fail)


class Gpu:
    """A GPU's decoder: it remembers what it was given, and decodes as stored; `spoil` changes what it gives."""

    def __init__(self, spoil=lambda image: image):
        self.given = []
        self.calls = 0
        self._spoil = spoil

    def __call__(self, files):
        self.calls += 1
        self.given += files
        return [self._read(file) for file in files]

    def _read(self, file):
        try:
            return self._spoil(torch.from_numpy(np.array(Image.open(io.BytesIO(file)).convert("RGB"))))
        except OSError:
            return None


def on_gpu(gpu, map_files=map):
    decoder = on_processor(map_files)
    decoder._on_gpu = gpu
    return decoder


def decoded(decoder, *files, most=MOST):
    return decoder.finish([decoder.open(file, most) for file in files])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright_and_known_before(orientation):
    file = encoded(orientation=orientation)
    expected = decode_image(file)
    gpu = Gpu()
    for decoder in (on_processor(), on_gpu(gpu)):
        opened = decoder.open(file, MOST)
        assert opened.shape == expected.shape
        (image,) = decoder.finish([opened])
        assert isinstance(image, DeviceImage)
        assert image.shape == expected.shape
        np.testing.assert_array_equal(pixels(image), expected)
    assert gpu.given == [file]
    stored = torch.from_numpy(decode_image(encoded())).permute(2, 0, 1)
    np.testing.assert_array_equal(upright(stored, orientation).permute(1, 2, 0), expected)


USUAL = {
    "4:2:0": encoded(),
    "4:4:4": encoded(subsampling=0, quality=95),
    "own Huffman tables": encoded(optimize=True),
    "turned": encoded(orientation=6),
    "some bytes behind its end": encoded() + bytes(50),
}

UNUSUAL = {
    "grey": encoded(mode="L"),
    "CMYK": encoded(mode="CMYK"),
    "progressive": encoded(progressive=True),
    "stored as RGB": encoded(keep_rgb=True),
    "much behind its end": encoded() + bytes(500),
}

OTHERS = {
    "PNG": encoded("PNG"),
    "PNG, turned": encoded("PNG", orientation=6),
    "WebP": encoded("WEBP"),
    "GIF": encoded("GIF"),
    "TIFF": encoded("TIFF", orientation=8),
}


def test_a_gpu_is_given_usual_jpeg_files_only_and_all_of_a_batch_at_once():
    gpu = Gpu()
    files = [*UNUSUAL.values(), *USUAL.values(), *OTHERS.values()]
    images = decoded(on_gpu(gpu), *files)
    assert (gpu.given, gpu.calls) == (list(USUAL.values()), 1)
    for file, image in zip(files, images, strict=True):
        np.testing.assert_array_equal(pixels(image), decode_image(file))


def test_a_batch_without_a_usual_file_does_not_bother_a_gpu():
    gpu = Gpu()
    assert len(decoded(on_gpu(gpu), *UNUSUAL.values(), *OTHERS.values())) == len(UNUSUAL) + len(OTHERS)
    assert decoded(on_gpu(gpu)) == []
    assert gpu.calls == 0


def test_the_shape_of_anything_is_known_before_it_is_decoded():
    for name, file in (USUAL | UNUSUAL | OTHERS).items():
        opened = on_processor().open(file, MOST)
        (image,) = on_processor().finish([opened])
        assert tuple(opened.shape) == tuple(image.shape) == decode_image(file).shape, name


@pytest.mark.parametrize(
    "spoil",
    [lambda _: None, lambda image: image[:-1], lambda image: image.transpose(0, 1).contiguous()],
    ids=["nothing", "another height", "turned by itself"],
)
def test_what_a_gpu_does_not_read_or_reads_otherwise_the_processor_reads(spoil):
    gpu = Gpu(spoil)
    files = [encoded(), encoded(orientation=6)]
    for file, image in zip(files, decoded(on_gpu(gpu), *files), strict=True):
        np.testing.assert_array_equal(pixels(image), decode_image(file))
    assert gpu.given == files


def test_a_damaged_file_among_sixteen_fails_alone():
    mapped = []

    def in_turn(function, files):
        mapped.extend(files)
        return map(function, files)

    good, broken = encoded(), encoded(size=(600, 400))
    cut, table = broken[: len(broken) // 2], broken.index(b"\xff\xc4")
    # Its end is there, but a table for its codes makes no sense.
    senseless = broken[: table + 5] + b"\xff" * 16 + broken[table + 21 :]
    files = [good] * 16
    files[3], files[9] = cut, senseless
    gpu = Gpu()
    for decoder, on_the_processor in ((on_processor(in_turn), 16), (on_gpu(gpu, in_turn), 2)):
        mapped.clear()
        images = decoded(decoder, *files)
        for n in (3, 9):
            with pytest.raises(InvalidImage) as caught:
                decode_image(files[n])
            assert isinstance(images[n], InvalidImage)
            assert str(images[n]) == str(caught.value)
        for image in images[:3] + images[4:9] + images[10:]:
            np.testing.assert_array_equal(pixels(image), decode_image(good))
        assert len(mapped) == on_the_processor
    assert cut not in gpu.given, "it has no end"
    assert gpu.given.count(senseless) == 1


@pytest.mark.parametrize(
    "file",
    [b"", b"junk", encoded()[:30], encoded("PNG")[:-40], b"\xff\xd8\xff\xd9", encoded("WEBP")[:60]],
    ids=["empty", "no picture", "half of a header", "half of a PNG", "no header", "half of a WebP"],
)
def test_what_is_wrong_is_said_in_the_same_words(file):
    with pytest.raises(InvalidImage) as expected:
        decode_image(file)
    with pytest.raises(InvalidImage) as found:
        on_processor().open(file, MOST)
    assert str(found.value) == str(expected.value)


def test_too_many_pixels_are_refused_when_opened():
    """Before memory is spent on them: a WebP's canvas would be there as soon as Pillow has opened it."""
    canvas = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
    huge = canvas + (15_999).to_bytes(3, "little") * 2
    for file, most in ((encoded(), 43 * 30 - 1), (encoded(orientation=6), 1289), (encoded("PNG"), 1289), (huge, MOST)):
        for decoder in (on_processor(), on_gpu(pytest.fail)):
            with pytest.raises(TooManyPixels, match="encoded_image has "):
                decoder.open(file, most)
    assert on_processor().open(encoded(), 43 * 30).shape == (30, 43, 3)


def test_arrays_stay_what_they_are():
    """Images that come as pixels."""
    raw = np.zeros((4, 5, 3), np.uint8)
    first, second = on_processor().finish([raw, on_processor().open(encoded(), MOST)])
    assert first is raw
    assert second.shape == (30, 43, 3)


class Codec:
    """NVIDIA's nvImageCodec, as far as it is used; its decoder is Pillow. failing: as without an engine for JPEG."""

    def __init__(self, failing=None):
        self.backends = []
        self.parameters = []

        def backend(kind):
            return kind

        def make(device_id, backends, options):
            if failing == "to start":
                raise RuntimeError("no such backend")
            self.backends.append((device_id, backends, options))
            return SimpleNamespace(decode=decode)

        def decode(files, params):
            self.parameters.append(params)
            read = [np.array(Image.open(io.BytesIO(file))) for file in files]
            return [None] * len(read) if failing == "to decode" else read

        self.module = ModuleType("nvidia.nvimgcodec")
        self.module.BackendKind = SimpleNamespace(HW_GPU_ONLY="engine", HYBRID_CPU_GPU="kernels")
        self.module.ColorSpec = SimpleNamespace(SRGB="sRGB")
        self.module.Backend = backend
        self.module.DecodeParams = lambda **given: given
        self.module.Decoder = make


@pytest.fixture
def install(monkeypatch):
    """Puts a codec where nvImageCodec is imported from; None: it is not installed."""

    def installed(codec):
        package = None if codec is None else ModuleType("nvidia")
        if codec is not None:
            package.nvimgcodec = codec.module
            monkeypatch.setitem(sys.modules, "nvidia.nvimgcodec", codec.module)
        monkeypatch.setitem(sys.modules, "nvidia", package)
        return codec

    return installed


FAILURES = [
    (None, "the package nvidia-nvimgcodec is not installed"),
    (Codec("to start"), "cuda:0 has no engine for JPEG (no such backend)"),
    (Codec("to decode"), "cuda:0 has no engine for JPEG"),
]


@pytest.mark.parametrize(("codec", "sentence"), FAILURES, ids=["no package", "no backend", "decodes nothing"])
def test_a_gpu_that_cannot_decode_is_told(install, monkeypatch, codec, sentence):
    install(codec)
    # What is decoded would go there.
    monkeypatch.setattr(torch, "as_tensor", pytest.fail)
    there, told = torch.device("cuda:0"), []
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        DeviceDecoder(there, "gpu", map, pytest.fail)
    assert str(caught.value) == sentence
    decoder = DeviceDecoder(there, "auto", map, told.append)
    assert told == [f"{sentence}, so the processor decodes JPEG, which takes 10 to 20 ms of a core for 1920x1080"]
    assert not decoder.open(encoded(), MOST).on_gpu
    DeviceDecoder(there, "cpu", map, pytest.fail)


def test_a_gpu_that_decodes_does_so_without_turning_pictures(install):
    codec = install(Codec())
    file = encoded(orientation=6)
    decoder = DeviceDecoder(CPU, "gpu", map, pytest.fail)
    opened = decoder.open(file, MOST)
    assert opened.on_gpu
    (image,) = decoder.finish([opened])
    np.testing.assert_array_equal(pixels(image), decode_image(file))
    # One try at the start, one batch.
    assert len(codec.parameters) == 2
    assert {given["apply_exif_orientation"] for given in codec.parameters} == {False}
    assert {given["color_spec"] for given in codec.parameters} == {"sRGB"}


@pytest.mark.parametrize(("hardware", "backends"), [(True, ["engine"]), (False, ["engine", "kernels"])])
def test_only_the_engine_for_jpeg_is_used_unless_somebody_says_so(install, hardware, backends):
    codec = install(Codec())
    gpu_decoder(CPU, hardware)
    assert codec.backends == [(None, backends, ":fancy_upsampling=1")]
