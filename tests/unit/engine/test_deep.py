"""16 bits a sample: in full depth, from every file that holds them."""

import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageFile

from imgdiff.engine import Comparison, Options, compare
from imgdiff.engine.frame import DeepFrame
from imgdiff.engine.frames import decode, decode_patiently
from imgdiff.errors import ImgdiffError, UnsupportedImage
from tests.unit.engine.icc import (
    DISPLAY_P3,
    SRGB,
    SRGB_CURVE,
    grey_profile,
    rgb_profile,
    to_d50,
)
from tests.unit.engine.images import encode, noise, plain, tiff, with_orientation
from tests.unit.engine.png_writer import ColourType, insert, png
from tests.unit.engine.reference import expected_figures, figures
from tests.unit.engine.test_orientation import turned

LARGE = 25_000_000
FIGURES_ONLY = Options(style=None)
HIGH_BYTES = Options(style=None, managed=False)
# Several strips.
HEIGHT, WIDTH = 300, 257
MOST = 65535

type Deep = NDArray[np.uint16]

CHANNELS: dict[ColourType, list[int]] = {
    "grey": [0],
    "grey+alpha": [0, 3],
    "rgb": [0, 1, 2],
    "rgba": [0, 1, 2, 3],
}


def deep_noise(channels: int = 4, *, seed: int = 0) -> Deep:
    shape = HEIGHT, WIDTH, channels
    samples: Deep = np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)
    return samples


def as_shown(samples: Deep) -> Deep:
    """Grey, grey and alpha, RGB or RGBA as RGBA."""
    colours = samples[..., : samples.shape[2] - 1] if samples.shape[2] in (2, 4) else samples
    alpha = (
        samples[..., -1:] if samples.shape[2] in (2, 4) else np.full_like(samples[..., :1], MOST)
    )
    return np.concatenate([*[colours] * (3 // colours.shape[2]), alpha], axis=2)


def shown(data: bytes) -> Deep:
    frame = decode(data, max_pixels=LARGE)
    assert isinstance(frame, DeepFrame)
    assert frame.conversions == ()
    assert (frame.width, frame.height) == np.concatenate(list(frame.strips())).shape[1::-1]
    return np.concatenate(list(frame.deep_strips()))


class TestDecoding:
    """Every sample is had to the last bit."""

    @pytest.mark.parametrize("interlaced", [False, True])
    @pytest.mark.parametrize("colour", CHANNELS)
    def test_png(self, colour: ColourType, *, interlaced: bool) -> None:
        samples = deep_noise()[..., CHANNELS[colour]]

        data = png(samples, colour, 16, interlaced=interlaced)

        np.testing.assert_array_equal(shown(data), as_shown(samples))

    @pytest.mark.parametrize("interlaced", [False, True])
    @pytest.mark.parametrize("colour", ["grey", "rgb"])
    def test_colour_key(self, colour: ColourType, *, interlaced: bool) -> None:
        samples = deep_noise()[..., CHANNELS[colour]]
        key = np.array([0x80FF, 0x01FF, 0x0040], np.uint16)[: samples.shape[2]]
        samples[:4] = key
        # Equal in all but one bit, a low and a high one.
        samples[4:8] = key ^ np.uint16(1)
        samples[8:12] = key ^ np.uint16(0x8000)
        alpha = np.where((samples == key).all(axis=2, keepdims=True), 0, MOST)

        data = png(
            samples, colour, 16, transparency=key.astype(">u2").tobytes(), interlaced=interlaced
        )

        np.testing.assert_array_equal(shown(data)[..., 3:], alpha)
        np.testing.assert_array_equal(shown(data)[..., :3], as_shown(samples)[..., :3])

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"tile": (64, 64)},
            {"rowsperstrip": 7},
            {"compression": "lzw"},
            {"compression": "zlib", "predictor": True},
            {"compression": "packbits"},
            {"compression": "zlib", "tile": (64, 64)},
        ],
        ids=str,
    )
    def test_tiff(self, options: dict[str, Any], order: str) -> None:
        samples = deep_noise()
        straight = {"extrasamples": ["unassalpha"], "byteorder": order, **options}
        grey = tiff(samples[..., 0], "minisblack", byteorder=order, **options)
        rgb = tiff(samples[..., :3], "rgb", byteorder=order, **options)

        np.testing.assert_array_equal(shown(grey), as_shown(samples[..., :1]))
        np.testing.assert_array_equal(shown(rgb), as_shown(samples[..., :3]))
        np.testing.assert_array_equal(shown(tiff(samples, "rgb", **straight)), samples)

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_a_fourth_sample_that_is_not_alpha(self, compression: str | None) -> None:
        samples = deep_noise()

        data = tiff(samples, "rgb", extrasamples=[0], compression=compression)

        np.testing.assert_array_equal(shown(data), as_shown(samples[..., :3]))

    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_white_is_zero(self, compression: str | None) -> None:
        samples = deep_noise(1)

        data = tiff(samples[..., 0], "miniswhite", byteorder="<", compression=compression)

        np.testing.assert_array_equal(shown(data), as_shown(MOST - samples))

    def test_twelve_bits_are_stretched_to_the_whole_range(self) -> None:
        samples = np.resize(np.arange(4096, dtype=np.uint16), (64, 66))

        data = tiff(samples, "minisblack", bitspersample=12)

        exact = [round(Fraction(level * MOST, 4095)) for level in range(4096)]
        np.testing.assert_array_equal(shown(data)[..., 0], np.resize(exact, (64, 66)))
        assert (shown(data)[..., 3] == MOST).all()

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_channels_one_after_the_other(self, order: str) -> None:
        samples = deep_noise(3)
        planes = np.ascontiguousarray(samples.transpose(2, 0, 1))

        data = tiff(planes, "rgb", planarconfig="separate", byteorder=order)

        np.testing.assert_array_equal(shown(data), as_shown(samples))
        high = compare(data, plain((samples >> 8).astype(np.uint8)), options=HIGH_BYTES)
        assert high.changed_pixels == 0

    def test_premultiplied_colours_are_divided_in_full_depth(self) -> None:
        samples = deep_noise()
        samples[:100] >>= 9
        samples[..., :3] = np.minimum(samples[..., :3], samples[..., 3:])
        samples[0, 0] = 0

        found = shown(tiff(samples, "rgb", extrasamples=["assocalpha"]))

        np.testing.assert_array_equal(found[..., 3], samples[..., 3])
        # In 65535ths: nothing is farther off than half of one.
        exact = samples[..., :3].astype(int) * MOST
        off = np.abs(found[..., :3].astype(int) * samples[..., 3:] - exact)
        assert (2 * off <= samples[..., 3:]).all()
        assert not found[0, 0].any()

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turned(self, orientation: int) -> None:
        samples = deep_noise()
        expected = as_shown(turned(samples, orientation))

        in_png = with_orientation(png(samples, "rgba", 16), orientation)
        tags = [(274, 3, 1, orientation, True)]
        in_tiff = tiff(samples, "rgb", extrasamples=["unassalpha"], extratags=tags)

        np.testing.assert_array_equal(shown(in_png), expected)
        np.testing.assert_array_equal(shown(in_tiff), expected)

    @pytest.mark.parametrize("colour", CHANNELS)
    def test_orientation_behind_the_pixels(self, colour: ColourType) -> None:
        samples = deep_noise()[..., CHANNELS[colour]]
        data = png(samples, colour, 16)
        chunk = with_orientation(data, 6)[33 : 33 + len(with_orientation(data, 6)) - len(data)]

        found = shown(data[:-12] + chunk + data[-12:])

        np.testing.assert_array_equal(found, as_shown(turned(samples, 6)))

    @pytest.mark.parametrize("colour", CHANNELS)
    def test_decoded_twice_at_most(
        self, colour: ColourType, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loads = []
        load_prepare = ImageFile.ImageFile.load_prepare

        def counted(self: ImageFile.ImageFile) -> None:
            loads.append(self)
            load_prepare(self)

        monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", counted)
        decode(png(deep_noise()[..., CHANNELS[colour]], colour, 16), max_pixels=LARGE)

        assert 1 <= len(loads) <= 2


class TestFigures:
    """What is compared is all 16 bits."""

    def test_one_step_of_65535(self) -> None:
        source = deep_noise(3)
        target = source.copy()
        target[17, 23, 1] ^= 1

        found = compare(png(source, "rgb", 16), png(target, "rgb", 16), options=FIGURES_ONLY)

        assert found.diff == 1 / (HEIGHT * WIDTH * 3 * MOST**2)
        assert found.max_error == 1 / 257
        assert (found.changed_pixels, found.bbox) == (1, (23, 17, 24, 18))

    def test_low_bytes_count_for_nothing_where_not_managed(self) -> None:
        source = deep_noise(3)
        files = [png(source ^ np.uint16(low), "rgb", 16) for low in (0, 0xFF)]

        assert compare(*files, options=FIGURES_ONLY).changed_pixels == HEIGHT * WIDTH
        assert compare(*files, options=HIGH_BYTES).changed_pixels == 0

    @pytest.mark.parametrize("channels", [3, 4])
    def test_eight_bits_stored_deep_measure_as_eight_bits(self, channels: int) -> None:
        colour: ColourType = "rgb" if channels == 3 else "rgba"
        source, target = (noise(HEIGHT, WIDTH, channels, seed=seed) for seed in (1, 2))
        deep = [png(samples.astype(np.uint16) * 257, colour, 16) for samples in (source, target)]
        expected = expected_figures(source, target)

        for pair in (deep, (deep[0], plain(target)), (plain(source), deep[1])):
            assert figures(compare(*pair, options=FIGURES_ONLY)) == expected

    def test_the_other_image_changes_nothing_of_a_deep_one(self) -> None:
        samples = deep_noise(3)
        grey = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
        deep_grey = png(grey.astype(np.uint16) * 257, "rgb", 16)

        beside_deep = compare(png(samples, "rgb", 16), deep_grey, options=FIGURES_ONLY)
        beside_plain = compare(png(samples, "rgb", 16), plain(grey), options=FIGURES_ONLY)

        assert beside_plain == beside_deep
        distance = np.abs(samples.astype(int) - 25700)
        assert beside_plain.max_error == float(Fraction(int(distance.max()), 257))
        assert beside_plain.mae == float(Fraction(int(distance.sum()), samples.size * 257))

    def test_every_way_of_storing_one_image(self) -> None:
        samples = deep_noise(1)
        rgb = np.repeat(samples, 3, axis=2)
        opaque = np.dstack([rgb, np.full_like(samples, MOST)])
        files = [
            png(samples, "grey", 16),
            png(opaque[..., [0, 3]], "grey+alpha", 16),
            png(rgb, "rgb", 16, interlaced=True),
            png(opaque, "rgba", 16),
            tiff(samples[..., 0], "minisblack", byteorder=">"),
            tiff(MOST - samples[..., 0], "miniswhite", byteorder="<"),
            tiff(rgb, "rgb", compression="lzw"),
            tiff(opaque, "rgb", extrasamples=["assocalpha"]),
        ]

        for file in files[1:]:
            assert compare(files[0], file, options=FIGURES_ONLY).changed_pixels == 0


class TestConversions:
    """What becomes of depth together with a profile, and where Pillow gives 8 bits alone."""

    def test_a_profile_is_heeded_at_8_bit(self) -> None:
        icc = rgb_profile(to_d50(DISPLAY_P3), SRGB_CURVE, "Display P3")
        samples = deep_noise()
        data = insert(png(samples, "rgba", 16), b"iCCP", b"icc\0\0" + zlib.compress(icc))
        high = encode((samples >> 8).astype(np.uint8), "PNG", icc_profile=icc)

        found = compare(data, high, options=FIGURES_ONLY)

        assert found.changed_pixels == 0
        assert found.conversions == (
            ("Display P3 to sRGB", "16 to 8 bit"),
            ("Display P3 to sRGB",),
        )

    @pytest.mark.parametrize("colour", ["grey", "grey+alpha"])
    def test_grey_with_a_profile(self, colour: ColourType) -> None:
        icc = grey_profile((1.8,), "Dot")
        samples = deep_noise()[..., CHANNELS[colour]]
        high = (samples >> 8).astype(np.uint8)
        deep, flat = (
            insert(data, b"iCCP", b"icc\0\0" + zlib.compress(icc))
            for data in (png(samples, colour, 16), png(high, colour))
        )

        found = compare(deep, flat, options=FIGURES_ONLY)

        assert found.changed_pixels == 0
        assert found.conversions[0] == ("grey (Dot) to sRGB", "16 to 8 bit")

    @pytest.mark.parametrize(
        ("icc", "told"),
        [
            (rgb_profile(to_d50(SRGB), SRGB_CURVE, "sRGB"), ()),
            (b"broken", ("a profile that can't be used was ignored",)),
        ],
        ids=["sRGB", "broken"],
    )
    def test_a_profile_without_effect_leaves_the_depth(
        self, icc: bytes, told: tuple[str, ...]
    ) -> None:
        samples = deep_noise(3)
        data = insert(png(samples, "rgb", 16), b"iCCP", b"icc\0\0" + zlib.compress(icc))

        frame = decode(data, max_pixels=LARGE)

        assert isinstance(frame, DeepFrame)
        assert frame.conversions == told

    def test_what_pillow_gives_at_8_bit_alone_is_told(self) -> None:
        samples = deep_noise()
        planes = np.ascontiguousarray(samples[..., :3].transpose(2, 0, 1))
        for data in (
            tiff(samples, "separated"),
            tiff(planes, "rgb", planarconfig="separate", compression="zlib"),
        ):
            assert decode(data, max_pixels=LARGE).conversions == ("16 to 8 bit",)
            assert decode(data, max_pixels=LARGE, managed=False).conversions == ()


def _damaged() -> Iterator[tuple[str, bytes]]:
    for colour, channels in CHANNELS.items():
        data = png(deep_noise()[..., channels], colour, 16)
        yield f"{colour} cut short", data[: len(data) // 2]
        yield f"{colour} wrong checksum", data[:-20] + b"\0\0\0\0" + data[-16:]
        yield f"{colour} other bits", data[:2000] + b"\x55" * 50 + data[2050:]
    for name, options in (("raw", {}), ("lzw", {"compression": "lzw"})):
        file = tiff(deep_noise(3), "rgb", **options)
        yield f"tiff {name} cut short", file[: len(file) // 2]


class TestDamage:
    """A damaged deep image is refused either way, and never in another way."""

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    @pytest.mark.parametrize(
        "data", [data for _, data in _damaged()], ids=[n for n, _ in _damaged()]
    )
    def test_damaged(self, data: bytes) -> None:
        deep = self._outcome(decode, data)

        assert deep == self._outcome(decode_patiently, data)
        assert deep == self._outcome(decode, data, managed=False)

    @staticmethod
    def _outcome(decoder: Callable[..., Any], data: bytes, **options: bool) -> str:
        try:
            decoder(data, max_pixels=LARGE, **options)
        except ImgdiffError as error:
            return str(error)
        return "sound"

    def test_cut_short_is_refused(self) -> None:
        data = png(deep_noise(), "rgba", 16)

        with pytest.raises(UnsupportedImage, match="damaged"):
            decode(data[:5000], max_pixels=LARGE)


def test_a_comparison_of_a_file_with_itself() -> None:
    data = png(deep_noise(), "rgba", 16)

    found: Comparison = compare(data, data, options=FIGURES_ONLY)

    assert (found.diff, found.psnr, found.bbox) == (0, None, None)
