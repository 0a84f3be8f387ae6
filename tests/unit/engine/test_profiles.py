"""Colour profiles: colours as they mean them, whoever wrote them."""

import io
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from imgdiff.engine import Options, compare
from imgdiff.engine.frame import Frame
from imgdiff.engine.frames import decode, decode_patiently
from imgdiff.engine.pixels import Pixels as Any8or16
from imgdiff.engine.pixels import pixels as rgba_strips
from imgdiff.errors import TooLarge
from tests.unit.engine.icc import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    SRGB_CURVE,
    Matrix,
    cmyk_profile,
    decoded,
    encoded_as_srgb,
    grey_profile,
    rgb_profile,
    to_d50,
)
from tests.unit.engine.images import (
    Pixels,
    encode,
    exif,
    noise,
    photograph,
    tiff,
    translucent,
    with_alpha,
)
from tests.unit.engine.png_writer import ColourType, insert, png

ROOT = Path(__file__).parents[3]
LARGE = 25_000_000
FIGURES_ONLY = Options(style=None)
IGNORED = ("a profile that can't be used was ignored",)
HEIGHT, WIDTH = 23, 37

P3 = rgb_profile(to_d50(DISPLAY_P3), SRGB_CURVE, "Display P3")
ADOBE = rgb_profile(to_d50(ADOBE_RGB), ADOBE_GAMMA, "Adobe RGB (1998)", version=2)
GREY = grey_profile((2.2,), "Grey Gamma 2.2")
INKS = cmyk_profile("Four Inks")
SWAPPED = rgb_profile(to_d50(SRGB)[:, [1, 2, 0]], SRGB_CURVE, "Swapped")
REAL_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

BOTH_DECODERS = pytest.mark.parametrize("decoder", [decode, decode_patiently])
type Decoder = Callable[..., Frame]


def shown(data: bytes, decoder: Decoder = decode, **options: Any) -> Any8or16:
    """All of an image, RGBA."""
    return np.concatenate(list(rgba_strips(decoder(data, max_pixels=LARGE, **options))))


def told(data: bytes, decoder: Decoder = decode) -> tuple[str, ...]:
    return decoder(data, max_pixels=LARGE).conversions


def in_srgb(image: Image.Image, icc: bytes, output: str = "RGB") -> Pixels:
    """The whole image at once, as LittleCMS converts it."""
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        output,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted
    return np.asarray(converted)


def assert_within_a_step(found: Any8or16, expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(found.astype(int), expected.astype(int), rtol=0, atol=1)


class TestColours:
    """A profile's colours come out as sRGB's."""

    @pytest.mark.parametrize("version", [2, 4])
    @pytest.mark.parametrize(
        ("matrix", "curve"),
        [
            (to_d50(DISPLAY_P3), SRGB_CURVE),
            (to_d50(ADOBE_RGB), ADOBE_GAMMA),
            (to_d50(SRGB)[:, [1, 2, 0]], SRGB_CURVE),
        ],
        ids=["Display P3", "Adobe RGB", "swapped"],
    )
    def test_rgb_by_the_colorimetric_formula(
        self, matrix: Matrix, curve: tuple[float, ...], version: Any
    ) -> None:
        # Two strips, and every level of each channel.
        samples = noise(300, 257)
        data = encode(samples, "PNG", icc_profile=rgb_profile(matrix, curve, version=version))
        linear = decoded(samples / 255, curve) @ (np.linalg.inv(to_d50(SRGB)) @ matrix).T

        assert_within_a_step(shown(data)[..., :3], np.rint(encoded_as_srgb(linear) * 255))

    @pytest.mark.parametrize("version", [2, 4])
    def test_grey_by_the_colorimetric_formula(self, version: Any) -> None:
        samples = np.arange(256, dtype=np.uint8).reshape(16, 16)
        data = encode(samples, "PNG", icc_profile=grey_profile((2.2,), version=version))
        expected = np.rint(encoded_as_srgb((samples / 255) ** 2.2) * 255)

        assert_within_a_step(shown(data)[..., 0], expected)
        assert (shown(data)[..., :3] == shown(data)[..., :1]).all()

    def test_swapped_channels_change_places(self) -> None:
        samples = noise(HEIGHT, WIDTH)

        found = compare(
            encode(samples, "PNG", icc_profile=SWAPPED),
            encode(np.ascontiguousarray(samples[..., [2, 0, 1]]), "PNG"),
            options=FIGURES_ONLY,
        )

        assert found.max_error <= 1
        assert found.conversions == (("Swapped to sRGB",), ())

    @BOTH_DECODERS
    @pytest.mark.parametrize("icc", [P3, ADOBE, SWAPPED], ids=["P3", "Adobe", "swapped"])
    @pytest.mark.parametrize(
        ("file_format", "options"),
        [
            ("PNG", {}),
            ("JPEG", {"quality": 90}),
            ("WEBP", {"quality": 70}),
            ("TIFF", {}),
            ("TIFF", {"compression": "tiff_lzw"}),
            ("AVIF", {"speed": 10}),
        ],
        ids=str,
    )
    def test_every_format_as_littlecms_has_the_whole(
        self, file_format: str, options: dict[str, Any], icc: bytes, decoder: Decoder
    ) -> None:
        data = encode(photograph(300, 257), file_format, icc_profile=icc, **options)
        with Image.open(io.BytesIO(data)) as image:
            expected = in_srgb(image.convert("RGB"), icc)

        np.testing.assert_array_equal(shown(data, decoder)[..., :3], expected)

    @BOTH_DECODERS
    @pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
    def test_cmyk_as_littlecms_has_the_whole(self, file_format: str, decoder: Decoder) -> None:
        inks = Image.fromarray(photograph(300, 257, channels=4), "CMYK")
        data = encode(inks, file_format, icc_profile=INKS)
        with Image.open(io.BytesIO(data)) as image:
            expected = in_srgb(image, INKS)

        np.testing.assert_array_equal(shown(data, decoder)[..., :3], expected)
        assert told(data, decoder) == ("CMYK (Four Inks) to sRGB",)

    def test_inks_go_to_the_colours_that_the_profile_has_for_them(self) -> None:
        # No ink is white, all black ink is black.
        inks = np.zeros((1, 2, 4), np.uint8)
        inks[0, 1, 3] = 255
        data = encode(Image.fromarray(inks, "CMYK"), "TIFF", icc_profile=INKS)

        assert_within_a_step(shown(data)[0, :, :3], np.array([[255] * 3, [0] * 3]))

    @pytest.mark.parametrize("mode", ["RGBA", "P", "LA"])
    def test_alpha_stays(self, mode: str) -> None:
        image = Image.fromarray(translucent(HEIGHT, WIDTH)).convert(mode)
        icc = GREY if mode == "LA" else P3
        kept = np.asarray(image.convert("RGBA"))
        opaque = image.convert("RGBA").convert("L" if mode == "LA" else "RGB")

        found = shown(encode(image, "PNG", icc_profile=icc))

        np.testing.assert_array_equal(found[..., 3], kept[..., 3])
        np.testing.assert_array_equal(found[..., :3], in_srgb(opaque, icc))

    @pytest.mark.parametrize("colour", ["grey", "rgb"])
    def test_a_colour_key_is_of_colours_as_stored(self, colour: ColourType) -> None:
        samples = noise(HEIGHT, WIDTH, 3 if colour == "rgb" else 1, below=3)
        icc = P3 if colour == "rgb" else GREY
        key = struct.pack(">3H" if colour == "rgb" else ">H", *samples[0, 0])
        plain = png(samples, colour, transparency=key)
        data = insert(plain, b"iCCP", b"name\0\0" + zlib.compress(icc))

        expected = np.where((samples == samples[0, 0]).all(axis=2), 0, 255)
        np.testing.assert_array_equal(shown(data)[..., 3], expected)

    def test_a_premultiplied_tiff_is_divided_before(self) -> None:
        alpha = np.full((HEIGHT, WIDTH), 51)
        stored = with_alpha(noise(HEIGHT, WIDTH, below=52), alpha)
        data = tiff(stored, "rgb", extrasamples=["assocalpha"], iccprofile=P3)
        straight = Image.fromarray(stored[..., :3] * np.uint8(5))

        np.testing.assert_array_equal(shown(data)[..., :3], in_srgb(straight, P3))

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turned_ones_too(self, orientation: int) -> None:
        photo = photograph(300, 257)
        tagged = encode(photo, "JPEG", icc_profile=P3, exif=exif(orientation))
        plain = encode(photo, "JPEG", exif=exif(orientation))

        expected = in_srgb(Image.fromarray(shown(plain)).convert("RGB"), P3)

        np.testing.assert_array_equal(shown(tagged)[..., :3], expected)


class TestHeeded:
    """Whether a profile is heeded, and what is said of it."""

    @BOTH_DECODERS
    def test_two_files_of_one_look_hardly_differ(self, decoder: Decoder) -> None:
        # In Adobe RGB's numbers, and in those of sRGB.
        samples = noise(HEIGHT, WIDTH, below=200) + np.uint8(28)
        linear = decoded(samples / 255, ADOBE_GAMMA)
        seen = encoded_as_srgb(linear @ (np.linalg.inv(to_d50(SRGB)) @ to_d50(ADOBE_RGB)).T)
        data = encode(samples, "PNG", icc_profile=ADOBE)

        assert_within_a_step(shown(data, decoder)[..., :3], np.rint(seen * 255))

    @pytest.mark.parametrize("managed", [True, False])
    def test_managed_or_not(self, managed: bool) -> None:  # noqa: FBT001
        samples = noise(HEIGHT, WIDTH)
        options = Options(managed=managed, style=None)

        found = compare(
            encode(samples, "PNG", icc_profile=P3), encode(samples, "PNG"), options=options
        )

        assert (found.diff > 0) == managed
        assert found.conversions == (("Display P3 to sRGB",) * managed, ())

    @pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize(
        "icc",
        [
            REAL_SRGB,
            rgb_profile(to_d50(SRGB), SRGB_CURVE, "sRGB"),
            rgb_profile(to_d50(SRGB), SRGB_CURVE, "sRGB", version=2),
        ],
        ids=["LittleCMS", "version 4", "version 2"],
    )
    def test_srgb_changes_nothing(self, icc: bytes, file_format: str) -> None:
        photo = photograph(HEIGHT, WIDTH)
        tagged, plain = (
            decode(encode(photo, file_format, **options), max_pixels=LARGE)
            for options in ({"icc_profile": icc}, {})
        )

        assert tagged.conversions == ()
        # The fast decoder's, where it is one.
        assert type(tagged) is type(plain)

    def test_grey_of_the_curve_of_srgb_changes_nothing(self) -> None:
        grey = noise(HEIGHT, WIDTH, 1)[..., 0]
        data = encode(grey, "PNG", icc_profile=grey_profile(SRGB_CURVE))

        np.testing.assert_array_equal(shown(data)[..., 0], grey)
        assert told(data) == ()

    def test_images_without_a_profile_load_nothing_for_it(self) -> None:
        program = (
            "import sys\n"
            "from imgdiff.engine import compare\n"
            "data = sys.stdin.buffer.read()\n"
            "compare(data, data)\n"
            "assert 'PIL.ImageCms' not in sys.modules\n"
            "assert 'imgdiff.engine.deep' not in sys.modules\n"
        )
        data = encode(noise(HEIGHT, WIDTH), "PNG")

        subprocess.run(
            [sys.executable, "-c", program],
            input=data,
            check=True,
            env={"PYTHONPATH": str(ROOT / "functions")},
        )

    @pytest.mark.parametrize(
        ("description", "phrase"),
        [
            ("Display P3", "Display P3 to sRGB"),
            ("", "RGB to sRGB"),
            ("Größe 色", "Größe 色 to sRGB"),
            ("two\nlines\t\x1b[31m\u202e", "twolines[31m to sRGB"),
            ("x" * 500, f"{'x' * 80} to sRGB"),
        ],
    )
    def test_it_is_called_by_its_own_name(self, description: str, phrase: str) -> None:
        icc = rgb_profile(to_d50(DISPLAY_P3), SRGB_CURVE, description)

        assert told(encode(noise(HEIGHT, WIDTH), "PNG", icc_profile=icc)) == (phrase,)

    def test_grey_and_inks_are_called_so(self) -> None:
        grey = Image.new("L", (WIDTH, HEIGHT))
        inks = Image.new("CMYK", (WIDTH, HEIGHT))

        assert told(encode(grey, "PNG", icc_profile=GREY)) == ("grey (Grey Gamma 2.2) to sRGB",)
        nameless = grey_profile((1.8,))
        assert told(encode(grey, "PNG", icc_profile=nameless)) == ("grey to sRGB",)
        assert told(encode(inks, "JPEG", icc_profile=cmyk_profile())) == ("CMYK to sRGB",)


def _of_kind(kind: bytes) -> bytes:
    return rgb_profile(to_d50(DISPLAY_P3), SRGB_CURVE, kind=kind)


UNUSABLE = {
    "empty": b"",
    "text": b"not a profile at all" * 20,
    "cut off": P3[:200],
    "header alone": P3[:128],
    "no signature": P3.replace(b"acsp", b"ACSP"),
    "no curves": P3.replace(b"TRC", b"xxx"),
    "grey": GREY,
    "inks": INKS,
    "device link": _of_kind(b"link"),
    "abstract": _of_kind(b"abst"),
    "named colours": _of_kind(b"nmcl"),
}


class TestIgnored:
    """What can't be used counts as no profile, which is said."""

    @BOTH_DECODERS
    @pytest.mark.parametrize("icc", UNUSABLE.values(), ids=UNUSABLE)
    @pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
    def test_unusable(self, icc: bytes, file_format: str, decoder: Decoder) -> None:
        photo = photograph(HEIGHT, WIDTH)
        data = encode(photo, file_format, icc_profile=icc or b"\0")

        assert told(data, decoder) == IGNORED
        np.testing.assert_array_equal(
            shown(data, decoder), shown(encode(photo, file_format), decoder)
        )

    @pytest.mark.parametrize(
        ("mode", "icc"), [("L", P3), ("P", GREY), ("LA", P3), ("RGBA", GREY), ("1", ADOBE)]
    )
    def test_of_another_colour_space(self, mode: str, icc: bytes) -> None:
        image = Image.fromarray(translucent(HEIGHT, WIDTH)).convert(mode)

        assert told(encode(image, "PNG", icc_profile=icc)) == IGNORED

    @pytest.mark.parametrize("kind", [b"mntr", b"scnr", b"prtr", b"spac"])
    def test_every_device_is_heeded(self, kind: bytes) -> None:
        data = encode(noise(HEIGHT, WIDTH), "PNG", icc_profile=_of_kind(kind))

        assert told(data) == ("RGB to sRGB",)

    def test_png_whose_profile_does_not_inflate(self) -> None:
        sound = encode(noise(HEIGHT, WIDTH), "PNG")
        data = insert(sound, b"iCCP", b"name\0\0not deflated")

        assert told(data) == IGNORED

    @pytest.mark.parametrize("kind", [2, 3, 4])
    def test_tiff_whose_profile_is_no_bytes(self, kind: int) -> None:
        data = bytearray(encode(noise(HEIGHT, WIDTH), "TIFF", icc_profile=b"abcd"))
        # The tag 34675, of type 7 and with four bytes in its place, is made one number.
        place = data.index(struct.pack("<HHI", 34675, 7, 4))
        struct.pack_into("<HHI", data, place, 34675, kind, 4 if kind == 2 else 1)

        assert told(bytes(data)) == IGNORED

    def test_ever_so_large_is_refused_with_its_image(self) -> None:
        data = encode(noise(5, 5), "TIFF", icc_profile=P3 + bytes(5 << 20))

        with pytest.raises(TooLarge, match="colour profile"):
            decode(data, max_pixels=LARGE)

    def test_float_tables_are_left_out(self) -> None:
        # As long a chain of steps as there is room for would be taken for every colour.
        chain = struct.pack(">4s4xHHI", b"mpet", 3, 3, 200_000)
        step = struct.pack(">4s4xHH12f", b"matf", 3, 3, *np.eye(3).ravel(), 0, 0, 0)
        places = struct.pack(">II", len(chain) + 8 * 200_000, len(step)) * 200_000
        extra = dict.fromkeys((b"D2B1", b"B2D1"), chain + places + step)
        hostile = rgb_profile(to_d50(DISPLAY_P3), SRGB_CURVE, extra=extra)
        samples = noise(HEIGHT, WIDTH)

        np.testing.assert_array_equal(
            shown(encode(samples, "PNG", icc_profile=hostile)),
            shown(encode(samples, "PNG", icc_profile=P3)),
        )

    @pytest.mark.parametrize("icc", [P3, ADOBE, GREY], ids=["P3", "Adobe", "grey"])
    def test_damaged_at_random(self, icc: bytes) -> None:
        image = Image.new("L" if icc is GREY else "RGB", (5, 5), 100)
        chance = random.Random(icc)
        for _ in range(300):
            damaged = bytearray(icc)
            for _ in range(chance.randrange(1, 4)):
                place = chance.randrange(len(damaged))
                damaged[place : place + 4] = chance.choice(
                    [b"", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f", b"mAB ", chance.randbytes(4)]
                )
            data = encode(image, "PNG", icc_profile=bytes(damaged))

            # Whatever is made of it, it is an image of this size.
            assert shown(data).shape == (5, 5, 4)
