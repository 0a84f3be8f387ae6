"""The composition root: the one place that knows which adapter provides what.

Adapters are made when first needed, so that a cold start pays for none that its request does not
use.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from imgdiff.deadline import Deadline
from imgdiff.fields import ImageInput, Upload
from imgdiff.settings import Settings

if TYPE_CHECKING:
    from imgdiff.batch_runs import Runs
    from imgdiff.batch_tasks import BatchTasks
    from imgdiff.batches import Batches
    from imgdiff.dynamo_keys import DynamoKeys
    from imgdiff.fetch import Fetcher
    from imgdiff.media import Links, Media
    from imgdiff.objects import Objects
    from imgdiff.pairs import Pairs
    from imgdiff.s3_files import S3Files


class Services:
    """The adapters that a stack's settings ask for.

    Parameters
    ----------
    environ : mapping of str to str
        Where settings are read from.
    deadline : Deadline
        By when the request at hand must be answered.
    """

    def __init__(self, environ: Mapping[str, str], deadline: Deadline) -> None:
        self.settings = Settings.from_env(environ)
        self._on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in environ
        self._deadline = deadline
        self._making = Lock()

    @cached_property
    def media(self) -> "Media":
        """Where images are stored."""
        from imgdiff.s3_media import S3Media

        return S3Media(
            self._signing_s3,
            self.settings.media_bucket,
            self.settings.results_bucket,
            deadline=self._deadline,
            link_expires_seconds=self.settings.link_expires_seconds,
            # The table is reached only for media of a caller's own place.
            find_place=lambda handle: self.keys.place(handle),  # noqa: PLW0108
        )

    @cached_property
    def _signing_s3(self) -> Any:
        from imgdiff.aws import client

        # Presigned addresses of the bucket's own region, signed as every region accepts.
        return client(
            "s3", self._deadline, signature_version="s3v4", s3={"addressing_style": "virtual"}
        )

    @cached_property
    def objects(self) -> "Objects":
        """Images of others in S3, and what is made of them."""
        from imgdiff.aws import client
        from imgdiff.s3_objects import S3Objects

        return S3Objects(client("s3", self._deadline), self._deadline)

    @cached_property
    def pairs(self) -> "Pairs":
        """What compares pairs of objects."""
        from imgdiff.aws import client
        from imgdiff.event_bus import EventBus
        from imgdiff.inputs import Inputs
        from imgdiff.media import Links
        from imgdiff.pairs import Pairs

        settings = self.settings
        inputs = Inputs(
            self.objects, settings.inbox_bucket, settings.input_arns, settings.max_image_bytes
        )
        return Pairs(
            objects=self.objects,
            events=EventBus(client("events", self._deadline)),
            inbox_bucket=settings.inbox_bucket,
            results_bucket=settings.results_bucket,
            links=Links(settings.media_base_url),
            max_bytes=settings.max_image_bytes,
            max_pixels=settings.max_image_pixels,
            read_other=inputs.read,
        )

    @cached_property
    def batches(self) -> "Batches":
        """What starts batches, and tells how far they are."""
        from imgdiff.aws import client
        from imgdiff.batches import Batches
        from imgdiff.step_functions import StepFunctions

        states = client("stepfunctions", self._deadline)
        return Batches(
            runs=self._runs,
            files=self.files,
            executions=StepFunctions(states, self.settings.batch_state_machine),
        )

    @cached_property
    def batch_tasks(self) -> "BatchTasks":
        """What does the tasks of batches."""
        from imgdiff.batch_tasks import BatchTasks
        from imgdiff.media import Links

        settings = self.settings
        links = Links(settings.media_base_url)
        return BatchTasks(
            runs=self._runs,
            objects=self.objects,
            files=self.files,
            deadline=self._deadline,
            results_bucket=settings.results_bucket,
            links=links,
            read=self._line_reader(links, settings.inbox_bucket),
            read_for_caller=self._line_reader(links, None),
            max_pixels=settings.max_image_pixels,
        )

    @cached_property
    def files(self) -> "S3Files":
        """Large files in S3, and many small ones."""
        from imgdiff.s3_files import S3Files

        return S3Files(self._signing_s3, self.settings.link_expires_seconds)

    @property
    def _runs(self) -> "Runs":
        from imgdiff.batch_runs import Runs

        return Runs(self.objects, self.settings.results_bucket)

    @cached_property
    def keys(self) -> "DynamoKeys":
        """Where keys are kept."""
        from imgdiff.aws import client
        from imgdiff.dynamo_keys import DynamoKeys

        return DynamoKeys(client("dynamodb", self._deadline), self.settings.keys_table)

    @cached_property
    def fetcher(self) -> "Fetcher":
        """What fetches images of others."""
        from imgdiff.addresses import Guard
        from imgdiff.fetch import Fetcher

        settings = self.settings
        guard = Guard(
            ports=settings.fetch_allowed_ports,
            hosts=settings.fetch_allowed_hosts,
            networks=settings.fetch_allowed_networks,
            ipv6=settings.fetch_ipv6,
            on_lambda=self._on_lambda,
        )
        return Fetcher(
            guard,
            max_bytes=settings.max_image_bytes,
            timeout=lambda: min(settings.fetch_timeout_seconds, self._deadline.remaining()),
        )

    def reader(self, links: "Links") -> Callable[[ImageInput], bytes]:
        """What reads an image: an upload as it is, our links from storage, others over HTTP."""

        def read(image: ImageInput) -> bytes:
            if isinstance(image, Upload):
                return image
            media_id = links.media_id(image)
            if media_id is None:
                # Two images are read at once: reading whom to trust takes long, and once will do.
                with self._making:
                    fetcher = self.fetcher
                return fetcher.fetch(image)
            return self.media.get(media_id, max_bytes=self.settings.max_image_bytes)

        return read

    def _line_reader(
        self, links: "Links", inbox_bucket: str | None
    ) -> Callable[[ImageInput], bytes]:
        """What reads an image of a batch: one of S3's too."""
        from imgdiff.inputs import SCHEME, Inputs

        settings = self.settings
        inputs = Inputs(self.objects, inbox_bucket, settings.input_arns, settings.max_image_bytes)
        others = self.reader(links)

        def read(image: ImageInput) -> bytes:
            if isinstance(image, str) and image.startswith(SCHEME):
                return inputs.read(image)
            return others(image)

        return read


deadline = Deadline()


@cache
def services() -> Services:
    """The services of this process."""
    return Services(os.environ, deadline)


def prime() -> None:
    """Import what a first comparison takes, for a snapshot; adapters are made after it."""
    for module in (
        *("aws", "dynamo_keys", "event_bus", "fetch", "inputs", "pairs", "s3_media", "s3_objects"),
        "engine.comparison",
    ):
        import_module(f"imgdiff.{module}")
    from imgdiff.aws import read_models

    read_models("dynamodb", "events", "s3")
