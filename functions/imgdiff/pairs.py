"""The use case of the inbox: two objects of one name in, a result under that name out.

Notices come at least once, in any order, and at the same time: each has the pair compared as it
is then. A result names the versions it is of, and is put on condition that the result which was
found before the images is still there. So whoever has older images finds a newer result in the
way and starts over, and whoever has the same ones finds that all is done.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from imgdiff.errors import StorageUnavailable
from imgdiff.formats import PNG
from imgdiff.media import ID_METADATA, Links
from imgdiff.objects import Objects, Stored, Superseded
from imgdiff.results import Document, ResultClient, extension_of, outcome, verdict

SOURCE, TARGET = "source/", "target/"
COMPLETED = "Image Comparison Completed"
# Each time, someone else was done meanwhile.
_ATTEMPTS = 5


class Events(Protocol):
    """Where events are sent."""

    def send(self, kind: str, detail: Document) -> None:
        """Send an event."""
        ...


@dataclass(frozen=True, slots=True)
class Pair:
    """Two objects of one name.

    Attributes
    ----------
    bucket : str
        Where both lie.
    name : str
        Their keys behind ``source/`` and ``target/``.
    """

    bucket: str
    name: str


@dataclass(frozen=True, slots=True)
class _Standing:
    """What lies where a pair's result belongs.

    Attributes
    ----------
    document : Stored or None
    extension : str
        That of the picture that was looked for.
    picture : Stored or None
        What is there; one of another extension stays until it expires.
    """

    document: Stored | None
    extension: str
    picture: Stored | None

    def is_of(self, source: Stored, target: Stored) -> bool:
        """Whether the document is of these."""
        if self.document is None:
            return False
        told = self.document.metadata
        return (told.get("source"), told.get("target")) == (source.version, target.version)

    @property
    def is_whole(self) -> bool:
        """Whether the picture is the document's: one that came too late may be in its place."""
        lies = self.picture.metadata.get(ID_METADATA) if self.picture else ""
        return self.document is not None and self.document.metadata.get("picture") == lies


def pair_of(bucket: str, key: str) -> Pair | None:
    """The pair that an object is part of, if of any; folders, as consoles make them, are not."""
    for prefix in (SOURCE, TARGET):
        if key.startswith(prefix) and not key.endswith("/"):
            return Pair(bucket, key.removeprefix(prefix))
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Compares pairs and keeps their results.

    Attributes
    ----------
    objects : Objects
    events : Events
        Where it is told that a result has landed.
    inbox_bucket, results_bucket : str
        Pairs of the inbox have their results under ``results/``, those of other buckets under
        ``buckets/BUCKET/``.
    links : Links
    max_bytes, max_pixels : int
        Largest image read.
    read_other : callable
        The address of a mask, which is none of the pair, to its bytes.
    """

    objects: Objects
    events: Events
    inbox_bucket: str
    results_bucket: str
    links: Links
    max_bytes: int
    max_pixels: int
    read_other: Callable[[str], bytes]

    def settle(self, pair: Pair, *, repeated: bool) -> str | None:
        """Bring a pair's result up to date.

        Parameters
        ----------
        pair : Pair
        repeated : bool
            Whether an earlier attempt may have ended between putting the result and telling of
            it; then it is told of even when it is there already.

        Returns
        -------
        str or None
            The verdict where a result was put or told of, else None.

        Raises
        ------
        StorageUnavailable
            Another attempt may succeed.
        """
        extension = None
        for _ in range(_ATTEMPTS):
            # Before the images: see above.
            standing = self._standing(pair, extension)
            source = self.objects.find(pair.bucket, SOURCE + pair.name)
            target = self.objects.find(pair.bucket, TARGET + pair.name)
            if source is None or target is None:
                return None
            extension = extension_of(_options(target))
            if extension != standing.extension:
                continue
            try:
                if not standing.is_of(source, target):
                    document = self._put(pair, source, target, standing)
                elif not standing.is_whole:
                    self._picture(pair, source, target, standing)
                    continue
                elif repeated and standing.document:
                    content = self.objects.read(standing.document, max_bytes=self.max_bytes)
                    document = json.loads(content)
                else:
                    return None
            except Superseded:
                continue
            self.events.send(COMPLETED, self._detail(pair, document))
            return verdict(document)
        raise StorageUnavailable

    def _standing(self, pair: Pair, extension: str | None) -> _Standing:
        """What there is, with the picture that the document has unless another is asked for."""
        name = self._name(pair)
        document = self.objects.find(self.results_bucket, f"{name}.json")
        told = document.metadata.get("extension", "") if document else ""
        wanted = extension or told or PNG.extension
        picture = self.objects.find(self.results_bucket, f"{name}.{wanted}")
        return _Standing(document, wanted, picture)

    def _put(self, pair: Pair, source: Stored, target: Stored, standing: _Standing) -> Document:
        reply = self._picture(pair, source, target, standing)
        document = {
            **reply,
            "name": pair.name,
            "source": _told(source),
            "target": _told(target),
        }
        self.objects.replace(
            self.results_bucket,
            f"{self._name(pair)}.json",
            json.dumps(document, indent=2, ensure_ascii=False).encode(),
            "application/json",
            {
                "source": source.version,
                "target": target.version,
                "picture": _secret(pair, source, target) if "link" in reply else "",
                "extension": standing.extension,
            },
            previous=standing.document,
        )
        return document

    def _picture(self, pair: Pair, source: Stored, target: Stored, standing: _Standing) -> Document:
        """Put the picture in place of the standing one, and answer what ``/imgdiff`` would."""
        images = {image.address: image for image in (source, target)}
        client = ResultClient(
            read=lambda image: self._read(str(image), images),
            max_pixels=self.max_pixels,
            put=partial(self.objects.replace, self.results_bucket, previous=standing.picture),
            name=self._name(pair),
            secret=_secret(pair, source, target),
        )
        addresses = {"src": source.address, "target": target.address}
        reply = outcome({**_options(target), **addresses}, client, self.links)
        if standing.picture and "link" not in reply:
            self.objects.delete(standing.picture)
        return reply

    def _read(self, address: str, images: Mapping[str, Stored]) -> bytes:
        if address in images:
            return self.objects.read(images[address], max_bytes=self.max_bytes)
        return self.read_other(address)

    def _name(self, pair: Pair) -> str:
        if pair.bucket == self.inbox_bucket:
            return f"results/{pair.name}"
        return f"buckets/{pair.bucket}/{pair.name}"

    def _detail(self, pair: Pair, document: Document) -> Document:
        result = {"bucket": self.results_bucket, "key": f"{self._name(pair)}.json"}
        return {"verdict": verdict(document), "result": result, **document}


def _options(target: Stored) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in target.metadata.items()}


def _secret(pair: Pair, source: Stored, target: Stored) -> str:
    """32 hex digits, the same for all who compare the same versions, and for nobody else.

    What they are made of is known to nobody who may not read the images: S3's version ids are
    random.
    """
    parts = json.dumps([asdict(pair), source.version, target.version])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def _told(image: Stored) -> Document:
    return {
        "bucket": image.bucket,
        "key": image.key,
        "version_id": image.version_id,
        "etag": image.etag.strip('"'),
    }
