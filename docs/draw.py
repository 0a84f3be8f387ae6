"""Draw the README's pictures: of a source, a target and the difference image that the engine makes.

The second shows each style that there is, of a part of the same images.
"""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from imgdiff.engine import Options, compare
from imgdiff.engine.options import FORMATS_OF, Style
from imgdiff.engine.rectangle import Length, Rectangle

DOCS = Path(__file__).parent
SAMPLES = DOCS.parent / "samples"
PANEL = (640, 400)
GAP = 16
CAPTION = 40
INK = "#57606a"
BACKGROUND = "#eaeef2"

# A part in which something has moved and something has grown, in pixels of the samples.
PART = (498, 150, 938, 536)
# Of the part: what is hatched, as it is ignored.
IGNORED = Rectangle(Length(330), Length(8), Length(104), Length(96))
STYLES: tuple[tuple[Style, ...], ...] = (
    ("highlight", "mask", "absolute", "heatmap", "overlay"),
    ("side_by_side", "blink"),
)
LARGE_CAPTION = 52


def main() -> None:
    """Write ``example.png`` and ``styles.png``."""
    source = (SAMPLES / "page-source.png").read_bytes()
    target = (SAMPLES / "page-target.png").read_bytes()
    _save(_example(source, target), "example.png")
    _save(_styles(_part(source), _part(target)), "styles.png")


def _example(source: bytes, target: bytes) -> Image.Image:
    comparison = compare(source, target)
    captions = {
        "source": source,
        "target": target,
        f"difference: {comparison.changed_pixels:,} pixels changed": comparison.image or b"",
    }
    width = len(captions) * (PANEL[0] + GAP) + GAP
    sheet = Image.new("RGB", (width, PANEL[1] + CAPTION + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, (caption, encoded) in enumerate(captions.items()):
        left = GAP + index * (PANEL[0] + GAP)
        draw.text((left, 10), caption, INK, ImageFont.load_default(20))
        picture = Image.open(io.BytesIO(encoded)).convert("RGB")
        sheet.paste(picture.resize(PANEL, Image.Resampling.LANCZOS), (left, CAPTION))
    return sheet


def _styles(source: bytes, target: bytes) -> Image.Image:
    rows = [
        [panel for style in styles for panel in _panels(style, source, target)] for styles in STYLES
    ]
    width = max(sum(picture.width + GAP for _, picture in row) for row in rows) + GAP
    heights = [LARGE_CAPTION + max(picture.height for _, picture in row) for row in rows]
    sheet = Image.new("RGB", (width, sum(heights) + GAP), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for index, row in enumerate(rows):
        left, top = GAP, sum(heights[:index])
        for caption, picture in row:
            draw.text((left, top + 12), caption, INK, ImageFont.load_default(28))
            sheet.paste(picture, (left, top + LARGE_CAPTION))
            left += picture.width + GAP
    return sheet


def _panels(style: Style, source: bytes, target: bytes) -> list[tuple[str, Image.Image]]:
    """A picture in this style, or each of its frames, and what is written above."""
    ignored = (IGNORED,) if style == "highlight" else ()
    options = Options(style=style, format=FORMATS_OF[style][0], ignore=ignored)
    image = Image.open(io.BytesIO(compare(source, target, options=options).image or b""))
    captions = {
        "highlight": ["highlight, a part ignored"],
        "blink": ["blink: now the source", "and now the target"],
    }.get(style, [style])
    panels = []
    for frame, caption in enumerate(captions):
        image.seek(frame)
        panels.append((caption, image.convert("RGB")))
    return panels


def _part(encoded: bytes) -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(encoded)).convert("RGB").crop(PART).save(file, "PNG")
    return file.getvalue()


def _save(sheet: Image.Image, name: str) -> None:
    sheet.quantize(256, dither=Image.Dither.NONE).save(DOCS / name, optimize=True)


if __name__ == "__main__":
    main()
