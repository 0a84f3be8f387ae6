"""ImageMagick as a second opinion."""

import re
import subprocess
from pathlib import Path


class ImageMagick:
    """ImageMagick's `compare`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def mse(self, source: bytes, target: bytes) -> float:
        """The mean square error on the 0..1 scale of the first frames."""
        report = self._run("-precision", "17", "-metric", "MSE", *self._files(source, target))
        found = re.fullmatch(r"\S+ \((\S+)\)", report.strip())
        assert found, report
        return float(found[1])

    def picture(self, source: bytes, target: bytes) -> bytes:
        """The difference image, as PPM: 8-bit PNG is written 1 lower here and there."""
        picture = self._folder / "picture.ppm"
        self._run(*self._files(source, target)[:2], str(picture))
        return picture.read_bytes()

    def _files(self, source: bytes, target: bytes) -> tuple[str, str, str]:
        for name, data in (("source", source), ("target", target)):
            (self._folder / name).write_bytes(data)
        return f"{self._folder / 'source'}[0]", f"{self._folder / 'target'}[0]", "null:"

    def _run(self, *arguments: str) -> str:
        command = [self._program, *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        # 1 says that the images differ.
        assert done.returncode in {0, 1}, done.stderr
        return done.stderr
