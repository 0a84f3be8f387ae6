"""What a cold start pays for: the modules that the handler imports, and when."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT / "functions"),
    "MEDIA_BUCKET": "media",
    "KEYS_TABLE": "keys",
    "INBOX_BUCKET": "inbox",
    "RESULTS_BUCKET": "results",
    "BATCH_STATE_MACHINE": "machine",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "any",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "POWERTOOLS_METRICS_NAMESPACE": "imgdiff",
    "POWERTOOLS_SERVICE_NAME": "imgdiff",
}
# typing_extensions and jmespath are what powertools needs, and of botocore only its face.
PACKAGES = {"aws_lambda_powertools", "botocore", "imgdiff", "jmespath", "typing_extensions"}
# What reads a request and tells what to do: no adapter, and of the engine what can be asked of it.
OWN = {
    *("api", "caller", "composition", "deadline", "difference", "errors", "fields", "formats"),
    *("images", "keys", "media", "memory", "operations", "replies", "settings", "submission"),
    *("engine", "engine.options", "engine.rectangle", "snapshot", "stages"),
    *("telemetry", "tolerance"),
}
HEAVY = {
    "numpy",
    "PIL",
    "imagecodecs",
    "isal",
    "urllib3",
    "pydantic",
    "boto3",
    "http.client",
    "botocore.session",
}


def loaded(code: str) -> set[str]:
    """The modules that are loaded after running ``code`` in a bare interpreter."""
    report = "\nimport sys, json; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", code + report],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(result.stderr.splitlines()[-1]))


def invoke(event: str, status: int) -> str:
    return f"""
import json
from types import SimpleNamespace
from imgdiff.api import lambda_handler
context = SimpleNamespace(
    function_name="f",
    memory_limit_in_mb=1769,
    invoked_function_arn="a",
    aws_request_id="r",
    get_remaining_time_in_millis=lambda: 29_000,
)
event = json.load(open({str(ROOT / "events" / event)!r}))
assert lambda_handler(event, context)["statusCode"] == {status}
"""


def test_importing_the_handler() -> None:
    modules = loaded("import imgdiff.api") - loaded("")
    packages = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    assert packages == PACKAGES
    own = {name.partition(".")[2] for name in modules if name.startswith("imgdiff.")}
    assert own == OWN
    assert not modules & HEAVY
    assert "botocore.client" not in modules


def test_health_needs_nothing_more() -> None:
    assert not loaded(invoke("health.json", 200)) & HEAVY


def test_editing_needs_no_core() -> None:
    modules = loaded("from imgdiff.engine import crop, identify, resize")
    assert "imgdiff.engine.edit" in modules
    assert not modules & {"imgdiff.engine.core", "imagecodecs", "isal"}


def test_media_needs_no_engine() -> None:
    modules = loaded(invoke("media.json", 503))
    assert "botocore.session" in modules
    assert not modules & {"numpy", "PIL", "isal", "imgdiff.engine.comparison", "imgdiff.fetch"}
