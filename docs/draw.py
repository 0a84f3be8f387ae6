"""Draw the README's picture: a source, a target and the difference image that the engine makes."""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from imgdiff.engine import compare

DOCS = Path(__file__).parent
SAMPLES = DOCS.parent / "samples"
PANEL = (640, 400)
GAP = 16
CAPTION = 40
INK = "#57606a"


def main() -> None:
    """Write ``example.png``."""
    source = (SAMPLES / "page-source.png").read_bytes()
    target = (SAMPLES / "page-target.png").read_bytes()
    comparison = compare(source, target)
    captions = {
        "source": source,
        "target": target,
        f"difference: {comparison.changed_pixels:,} pixels changed": comparison.image or b"",
    }
    width = len(captions) * (PANEL[0] + GAP) + GAP
    sheet = Image.new("RGB", (width, PANEL[1] + CAPTION + GAP), "#eaeef2")
    draw = ImageDraw.Draw(sheet)
    for index, (caption, encoded) in enumerate(captions.items()):
        left = GAP + index * (PANEL[0] + GAP)
        draw.text((left, 10), caption, INK, ImageFont.load_default(20))
        picture = Image.open(io.BytesIO(encoded)).convert("RGB")
        sheet.paste(picture.resize(PANEL, Image.Resampling.LANCZOS), (left, CAPTION))
    sheet.quantize(256, dither=Image.Dither.NONE).save(DOCS / "example.png", optimize=True)


if __name__ == "__main__":
    main()
