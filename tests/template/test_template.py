"""What the stack is built from, grants, limits, protects and watches."""

import ast
import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.shared import constants

from imgdiff import worker
from imgdiff.operations import OPERATIONS
from imgdiff.settings import Settings
from tests.security.test_bombs import LARGEST_PAIR
from tests.stack import REGION, TEMPLATE, transform

ENVIRONMENT = {
    *(setting.name.upper() for setting in fields(Settings)),
    "AWS_ENDPOINT_URL",
    "OPENBLAS_NUM_THREADS",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
}

# What Lambda itself sets.
OF_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
}

UNCHECKED_HASH = 0b01
ELF_X86_64, ELF_AARCH64 = 62, 183
LIBC_OF_THE_LAYERS_WHEELS = (2, 28)

Stack = dict[str, Any]


def of_type(stack: Stack, kind: str) -> dict[str, Any]:
    return {name: found for name, found in stack["Resources"].items() if found["Type"] == kind}


def properties(stack: Stack, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stack["Resources"][name]["Properties"]
    return found


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def target(resource: Any) -> str:
    match resource:
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case {"Ref": name}:
            return f"${{{name}}}"
    return str(resource)


# Roles


MACHINE = (
    "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:%s:${AWS::StackName}-batches"
)
BUS = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
RESULTS, BATCHES, BUCKETS = (
    f"${{ResultsBucket.Arn}}/{prefix}/*" for prefix in ("results", "batches", "buckets")
)
TRACES = {("xray:PutTelemetryRecords", "*"), ("xray:PutTraceSegments", "*")}
ALLOWED = {
    "ApiRole": {
        *TRACES,
        ("logs:CreateLogStream", "${ApiLogs.Arn}"),
        ("logs:PutLogEvents", "${ApiLogs.Arn}"),
        ("s3:GetObject", "${MediaBucket.Arn}/media/*"),
        ("s3:PutObject", "${MediaBucket.Arn}/media/*"),
        ("s3:ListBucket", "${MediaBucket.Arn}"),
        ("s3:PutObject", BATCHES),
        ("s3:GetObject", BATCHES),
        ("s3:GetObject", RESULTS),
        ("s3:GetObject", BUCKETS),
        ("s3:ListBucket", "${ResultsBucket.Arn}"),
        ("states:StartExecution", MACHINE % "stateMachine"),
        ("states:DescribeExecution", MACHINE % "execution" + ":*"),
        ("dynamodb:GetItem", "${KeysTable.Arn}"),
        ("dynamodb:UpdateItem", "${KeysTable.Arn}"),
    },
    "WorkerRole": {
        *TRACES,
        ("logs:CreateLogStream", "${WorkerLogs.Arn}"),
        ("logs:PutLogEvents", "${WorkerLogs.Arn}"),
        ("sqs:DeleteMessage", "${InboxQueue.Arn}"),
        ("sqs:GetQueueAttributes", "${InboxQueue.Arn}"),
        ("sqs:ReceiveMessage", "${InboxQueue.Arn}"),
        ("s3:GetObject", "${InboxBucket.Arn}/*"),
        ("s3:GetObjectVersion", "${InboxBucket.Arn}/*"),
        ("s3:ListBucket", "${InboxBucket.Arn}"),
        *(
            (f"s3:{verb}Object", to)
            for verb in ("Delete", "Get", "Put")
            for to in (BUCKETS, RESULTS)
        ),
        ("s3:GetObject", BATCHES),
        ("s3:PutObject", BATCHES),
        ("s3:ListBucket", "${ResultsBucket.Arn}"),
        ("events:PutEvents", BUS),
        ("states:StartExecution", MACHINE % "stateMachine"),
    },
    "BatchRole": {
        *TRACES,
        ("logs:CreateLogStream", "${BatchLogs.Arn}"),
        ("logs:PutLogEvents", "${BatchLogs.Arn}"),
        ("s3:GetObject", "${InboxBucket.Arn}/*"),
        ("s3:GetObjectVersion", "${InboxBucket.Arn}/*"),
        ("s3:ListBucket", "${InboxBucket.Arn}"),
        ("s3:GetObject", "${MediaBucket.Arn}/media/*"),
        ("s3:GetObject", BUCKETS),
        ("s3:ListBucket", "${MediaBucket.Arn}"),
        ("dynamodb:GetItem", "${KeysTable.Arn}"),
        *(
            (action, to)
            for action in ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
            for to in (BATCHES, RESULTS)
        ),
        ("s3:ListBucket", "${ResultsBucket.Arn}"),
    },
    "BatchStateMachineRole": {
        *TRACES,
        ("logs:CreateLogDelivery", "*"),
        ("logs:DeleteLogDelivery", "*"),
        ("logs:DescribeLogGroups", "*"),
        ("logs:DescribeResourcePolicies", "*"),
        ("logs:GetLogDelivery", "*"),
        ("logs:ListLogDeliveries", "*"),
        ("logs:PutResourcePolicy", "*"),
        ("logs:UpdateLogDelivery", "*"),
        ("xray:GetSamplingRules", "*"),
        ("xray:GetSamplingTargets", "*"),
        ("lambda:InvokeFunction", "${BatchFunction.Arn}:*"),
        ("s3:AbortMultipartUpload", BATCHES),
        ("s3:GetObject", BATCHES),
        ("s3:ListMultipartUploadParts", BATCHES),
        ("s3:PutObject", BATCHES),
        ("states:StartExecution", MACHINE % "stateMachine"),
        ("states:DescribeExecution", MACHINE % "execution" + ":*"),
        ("states:DescribeExecution", MACHINE % "execution" + "/*"),
        ("states:StopExecution", MACHINE % "execution" + ":*"),
        ("states:StopExecution", MACHINE % "execution" + "/*"),
    },
}
FUNCTIONS = {"ApiFunction": "ApiRole", "WorkerFunction": "WorkerRole", "BatchFunction": "BatchRole"}
EVERY_FUNCTION = pytest.mark.parametrize("name", FUNCTIONS)


def statements(stack: Stack, role: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in properties(stack, role)["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("role", ALLOWED)
def test_a_role_allows_what_is_done_with_it_and_no_more(stack: Stack, role: str) -> None:
    granted = statements(stack, role)
    allowed = {
        (action, target(resource))
        for statement in granted
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }

    assert {statement["Effect"] for statement in granted} == {"Allow"}
    assert allowed == ALLOWED[role]


def test_the_worker_sends_events_as_nobody_else(stack: Stack) -> None:
    [granted] = [each for each in statements(stack, "WorkerRole") if "Condition" in each]

    assert granted["Action"] == "events:PutEvents"
    assert granted["Condition"] == {"StringEquals": {"events:source": "imgdiff"}}


@pytest.mark.parametrize("role", ["WorkerRole", "BatchRole"])
def test_buckets_that_are_read_are_granted_as_told(role: str) -> None:
    arns = ["arn:aws:s3:::theirs", "arn:aws:s3:::theirs/screens/*"]
    stack = transform(TEMPLATE, InputBucketArns=",".join(arns))
    [granted] = [each for each in statements(stack, role) if each["Resource"] == arns]
    variables = properties(stack, "WorkerFunction")["Environment"]["Variables"]

    assert granted["Effect"] == "Allow"
    assert set(granted["Action"]) == {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}
    assert variables["INPUT_ARNS"] == ",".join(arns)


def test_buckets_of_callers_own_are_granted_as_told() -> None:
    arns = ["arn:aws:s3:::theirs", "arn:aws:s3:::theirs/results/*"]
    stack = transform(TEMPLATE, CallerBucketArns=",".join(arns))
    [granted] = [
        statement
        for policy in properties(stack, "ApiRole")["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] == arns
    ]

    assert granted["Effect"] == "Allow"
    assert set(granted["Action"]) == {"s3:GetObject", "s3:PutObject", "s3:ListBucket"}


@EVERY_FUNCTION
def test_without_subnets_nothing_of_a_network_is_granted(stack: Stack, name: str) -> None:
    assert "VpcConfig" not in properties(stack, name)
    assert "ec2:" not in json.dumps(properties(stack, FUNCTIONS[name]))


@pytest.mark.parametrize("name", ["ApiFunction", "BatchFunction"])
def test_in_a_vpc_lambda_makes_the_interfaces_and_the_code_may_not(name: str) -> None:
    stack = transform(
        TEMPLATE, SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-3", FetchIpv6="true"
    )
    [allow, deny] = [
        statement
        for statement in statements(stack, FUNCTIONS[name])
        if "ec2:" in json.dumps(statement)
    ]

    assert properties(stack, name)["VpcConfig"] == {
        "SubnetIds": ["subnet-1", "subnet-2"],
        "SecurityGroupIds": ["sg-3"],
        "Ipv6AllowedForDualStack": "true",
    }
    assert (allow["Effect"], deny["Effect"], deny["Action"]) == ("Allow", "Deny", "ec2:*")
    assert {"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"} <= set(allow["Action"])
    assert deny["Condition"] == {"Null": {"lambda:SourceFunctionArn": False}}


def test_a_function_has_the_role_written_for_it_and_nothing_is_granted_elsewhere(
    stack: Stack,
) -> None:
    roles = of_type(stack, "AWS::IAM::Role")
    assert roles.keys() == ALLOWED.keys()
    for name, role in roles.items():
        [trust] = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        service = "lambda" if name in FUNCTIONS.values() else "states"
        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert "ManagedPolicyArns" not in role["Properties"]
    for name, written in FUNCTIONS.items():
        assert properties(stack, name)["Role"] == {"Fn::GetAtt": [written, "Arn"]}
    assert not of_type(stack, "AWS::IAM::Policy")
    assert not of_type(stack, "AWS::IAM::ManagedPolicy")


def test_only_this_api_may_invoke_the_function(stack: Stack) -> None:
    permissions = of_type(stack, "AWS::Lambda::Permission").values()

    assert permissions
    for permission in permissions:
        granted = permission["Properties"]
        assert granted["FunctionName"] == {"Ref": "ApiFunctionAliaslive"}
        assert granted["Principal"] == "apigateway.amazonaws.com"
        assert {"Ref": "Api"} in granted["SourceArn"]["Fn::Sub"][1].values()


# The API


def test_routes(stack: Stack) -> None:
    paths = properties(stack, "Api")["Body"]["paths"]
    routes = {
        (method, path): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method == "x-amazon-apigateway-any-method" or method.isalpha()
    }

    assert routes.keys() == {
        *((method.lower(), each.path) for each in OPERATIONS for method in each.methods),
        ("get", "/"),
        ("get", "/openapi.json"),
        ("get", "/media/{id}"),
        ("get", "/batches/{id}"),
        ("post", "/batches"),
        ("get", "/health"),
        ("x-amazon-apigateway-any-method", "/$default"),
    }
    for route, operation in routes.items():
        integration = operation["x-amazon-apigateway-integration"]
        assert integration["payloadFormatVersion"] == "2.0", route
        assert "${ApiFunctionAliaslive}" in integration["uri"]["Fn::Sub"], route
    assert routes["x-amazon-apigateway-any-method", "/$default"]["isDefaultRoute"] is True


def test_every_origin_may_call_and_read_the_figures(stack: Stack) -> None:
    cors = properties(stack, "Api")["Body"]["x-amazon-apigateway-cors"]

    assert cors["allowOrigins"] == ["*"]
    assert set(cors["allowHeaders"]) == {
        "authorization",
        "content-type",
        "www-authenticate",
        "x-api-key",
    }
    assert set(cors["allowMethods"]) == {"GET", "POST", "OPTIONS"}
    assert set(cors["exposeHeaders"]) == {
        "retry-after",
        "x-request-id",
        "x-imgdiff-diff",
        "x-imgdiff-changed-pixels",
    }


def test_requests_are_throttled_as_told() -> None:
    stack = transform(TEMPLATE, ThrottleRate="7", ThrottleBurst="9")
    [stage] = of_type(stack, "AWS::ApiGatewayV2::Stage").values()
    settings = stage["Properties"]["DefaultRouteSettings"]

    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == ("7", "9")


def test_the_access_log_tells_a_request_but_no_key(stack: Stack) -> None:
    [stage] = of_type(stack, "AWS::ApiGatewayV2::Stage").values()
    fields = json.loads(stage["Properties"]["AccessLogSettings"]["Format"])
    harmless = {
        "$context.requestId",
        "$context.requestTimeEpoch",
        "$context.identity.sourceIp",
        "$context.routeKey",
        "$context.httpMethod",
        "$context.status",
        "$context.responseLength",
        "$context.responseLatency",
        "$context.integrationLatency",
        "$context.integrationStatus",
        "$context.integrationErrorMessage",
        "$context.error.message",
    }

    assert set(fields.values()) <= harmless
    assert {"requestId", "routeKey", "status", "responseLatency"} <= fields.keys()


# The functions


@EVERY_FUNCTION
def test_environment(stack: Stack, name: str) -> None:
    assert properties(stack, name)["Environment"]["Variables"].keys() == ENVIRONMENT


def variables_read(source: str) -> set[str]:
    """The variables of the environment that code names; ``*`` where it hands all of them on."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    named = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="environ" | "environb" | "getenv") | ast.Name(id="environ"):
                pass
            case _:
                continue
        around = parents[node]
        match around if not isinstance(around, ast.Attribute) else parents[around]:
            case (
                ast.Call(args=[ast.Constant(value=str(variable)), *_])
                | ast.Subscript(slice=ast.Constant(value=str(variable)))
                | ast.Compare(left=ast.Constant(value=str(variable)))
            ):
                named.add(variable)
            case _:
                named.add("*")
    return named


def test_reading_the_environment_is_found_however_it_is_written() -> None:
    ways = """
import os
os.environ["A"], os.environ.get("B", ""), os.getenv("C"), "D" in os.environ, environ["E"]
"""

    assert variables_read(ways) == {*"ABCDE"}
    assert variables_read("read(os.environ)") == {"*"}


def test_code_reads_no_variable_but_settings_and_lambdas_own() -> None:
    package = TEMPLATE.parent / "functions" / "imgdiff"
    read = {
        str(path.relative_to(package)): variables_read(path.read_text())
        for path in package.rglob("*.py")
    }

    # All of them are handed to `Settings`, which `ENVIRONMENT` is made of, and by one module alone.
    assert {name for name, variables in read.items() if "*" in variables} == {
        "composition.py",
        "settings.py",
    }
    assert {*OF_LAMBDA, "*"} == set().union(*read.values())


def test_powertools_reads_what_is_set_for_it() -> None:
    known = {value for value in vars(constants).values() if isinstance(value, str)}

    assert {name for name in ENVIRONMENT if name.startswith("POWERTOOLS_")} <= known


@pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
@EVERY_FUNCTION
def test_every_number_that_a_parameter_allows_is_a_setting(
    source: Stack, name: str, bound: str
) -> None:
    numbers = {
        parameter: str(rule[bound])
        for parameter, rule in source["Parameters"].items()
        if bound in rule
    }
    stack = transform(TEMPLATE, **numbers)
    variables = properties(stack, name)["Environment"]["Variables"]

    # Names and addresses of resources, which are texts then, are references here.
    settings = Settings.from_env(
        {each: value if isinstance(value, str) else "any" for each, value in variables.items()}
    )
    assert settings.max_image_bytes == int(numbers["MaxImageBytes"])


@pytest.mark.parametrize("name", ["WorkerFunction", "BatchFunction"])
def test_whom_nobody_called_links_to_the_api(name: str) -> None:
    [link, told] = [
        properties(stack, name)["Environment"]["Variables"]["MEDIA_BASE_URL"]
        for stack in (transform(TEMPLATE), transform(TEMPLATE, MediaBaseUrl="https://img.example"))
    ]

    assert link == {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
    assert told == "https://img.example"


@pytest.mark.parametrize(
    ("variable", "parameter", "value"),
    [
        ("MEDIA_BASE_URL", "MediaBaseUrl", "https://img.example"),
        ("MAX_IMAGE_BYTES", "MaxImageBytes", "1234"),
        ("MAX_IMAGE_PIXELS", "MaxImagePixels", "4321"),
        ("FETCH_TIMEOUT_SECONDS", "FetchTimeoutSeconds", "3"),
        ("FETCH_ALLOWED_PORTS", "FetchAllowedPorts", "80,8080"),
        ("FETCH_ALLOWED_HOSTS", "FetchAllowedHosts", "example.com,*.example.org"),
        ("FETCH_ALLOWED_NETWORKS", "FetchAllowedNetworks", "10.1.0.0/16"),
        ("FETCH_IPV6", "FetchIpv6", "true"),
        ("LINK_EXPIRES_SECONDS", "LinkExpiresSeconds", "77"),
        ("POWERTOOLS_LOG_LEVEL", "LogLevel", "ERROR"),
    ],
)
def test_a_parameter_reaches_the_function(variable: str, parameter: str, value: str) -> None:
    stack = transform(TEMPLATE, **{parameter: value})

    assert properties(stack, "ApiFunction")["Environment"]["Variables"][variable] == value


@EVERY_FUNCTION
def test_the_runtime_passes_on_every_level_that_is_logged(name: str) -> None:
    stack = transform(TEMPLATE, LogLevel="DEBUG")
    logging = properties(stack, name)["LoggingConfig"]

    assert (logging["LogFormat"], logging["ApplicationLogLevel"]) == ("JSON", "DEBUG")


def test_the_function_ends_before_the_api_gives_up_and_after_both_fetches(
    source: Stack, stack: Stack
) -> None:
    timeout = properties(stack, "ApiFunction")["Timeout"]

    assert 2 * source["Parameters"]["FetchTimeoutSeconds"]["MaxValue"] < timeout < 30


def test_a_pair_of_the_inbox_has_the_time_of_both_fetches_and_ends_before_the_function(
    source: Stack, stack: Stack
) -> None:
    fetch = source["Parameters"]["FetchTimeoutSeconds"]["MaxValue"]
    timeout = properties(stack, "WorkerFunction")["Timeout"]

    assert 2 * fetch < worker._PAIR_SECONDS < timeout - worker._REPLY_SECONDS


def test_a_snapshot_is_of_functions_that_can_have_one_and_as_told(stack: Stack) -> None:
    told = transform(TEMPLATE, SnapStart="PublishedVersions")

    for name in ("ApiFunction", "WorkerFunction"):
        assert properties(stack, name)["SnapStart"] == {"ApplyOn": "None"}
        assert properties(told, name)["SnapStart"] == {"ApplyOn": "PublishedVersions"}
        assert "EphemeralStorage" not in properties(told, name)
    # There is none with more than 512 MB of storage.
    assert properties(told, "BatchFunction")["EphemeralStorage"]["Size"] > 512
    assert "SnapStart" not in properties(told, "BatchFunction")


@EVERY_FUNCTION
def test_memory_is_as_told(name: str) -> None:
    stack = transform(TEMPLATE, MemorySize="3008")

    assert properties(stack, name)["MemorySize"] == "3008"


def test_the_largest_pair_fits_into_the_memory(source: Stack) -> None:
    default = {name: each["Default"] for name, each in source["Parameters"].items()}
    # Beside the files, of which fetching holds two copies for a moment, and the idle process.
    needed = LARGEST_PAIR + 2 * 2 * default["MaxImageBytes"] + 150_000_000

    # It is measured with as many pixels.
    assert default["MaxImagePixels"] == 25_000_000
    assert needed < 0.7 * default["MemorySize"] * 2**20


@EVERY_FUNCTION
def test_calls_are_traced(stack: Stack, name: str) -> None:
    assert properties(stack, name)["TracingConfig"] == {"Mode": "Active"}


@EVERY_FUNCTION
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_the_layer_is_of_the_functions_architecture(architecture: str, name: str) -> None:
    stack = transform(TEMPLATE, Architecture=architecture)
    function = properties(stack, name)
    [(layer_name, layer)] = of_type(stack, "AWS::Lambda::LayerVersion").items()

    assert function["Architectures"] == [architecture]
    assert function["Layers"] == [{"Ref": layer_name}]
    assert layer["Properties"]["CompatibleArchitectures"] == [architecture]
    assert layer["Properties"]["CompatibleRuntimes"] == [function["Runtime"]]


# What `sam build` makes of them


def make(directory: str, *arguments: str) -> str:
    interpreter, compiler = Path(sys.executable).parent, TEMPLATE.parent / ".tools" / "zig"
    path = os.pathsep.join([str(interpreter), str(compiler / "bin"), os.environ["PATH"]])
    return subprocess.run(
        ["make", *arguments],
        cwd=TEMPLATE.parent / directory,
        env={**os.environ, "PATH": path, "ZIG_GLOBAL_CACHE_DIR": str(compiler / "cache")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.parametrize(
    ("architecture", "machine", "other"),
    [("arm64", "aarch64", "x86_64"), ("x86_64", "x86_64", "aarch64")],
)
def test_a_layer_is_built_for_its_architecture(
    source: Stack, architecture: str, machine: str, other: str
) -> None:
    [name] = [
        name
        for name, resource in source["Resources"].items()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
        and resource["Properties"]["CompatibleArchitectures"] == [architecture]
    ]
    recipe = make("layers/dependencies", "--dry-run", f"build-{name}", "ARTIFACTS_DIR=built")

    assert f"manylinux2014_{machine}" in recipe
    assert f"manylinux2014_{other}" not in recipe


@EVERY_FUNCTION
def test_every_function_is_built_alike(name: str) -> None:
    recipe = make("functions", "--dry-run", f"build-{name}", "ARTIFACTS_DIR=built")

    assert recipe == make("functions", "--dry-run", "build-ApiFunction", "ARTIFACTS_DIR=built")


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the function and answer where it is."""
    folder = tmp_path_factory.mktemp("function")
    make("functions", "build-ApiFunction", f"ARTIFACTS_DIR={folder}")
    return folder


def test_a_function_is_the_package_with_bytecode_that_is_never_checked(
    source: Stack, function: Path
) -> None:
    modules = {
        resource["Properties"]["Handler"].rpartition(".")[0]
        for name, resource in source["Resources"].items()
        if name in FUNCTIONS
    }
    sources = [path.relative_to(function) for path in function.rglob("*.py")]

    assert [path.name for path in function.iterdir()] == ["imgdiff"]
    assert {Path(module.replace(".", "/")).with_suffix(".py") for module in modules} <= {*sources}
    for path in sources:
        header = Path(cache_from_source(str(function / path))).read_bytes()[:8]
        assert int.from_bytes(header[4:], "little") == UNCHECKED_HASH, path


def test_a_function_has_the_core_for_both_architectures_and_no_other(function: Path) -> None:
    cores = {path.name: path.read_bytes() for path in function.rglob("*.so")}

    assert not list(function.rglob("*.c"))
    assert {name: int.from_bytes(data[18:20], "little") for name, data in cores.items()} == {
        "core-Linux-x86_64.so": ELF_X86_64,
        "core-Linux-aarch64.so": ELF_AARCH64,
    }


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_core_needs_no_more_than_the_runtimes_libc(function: Path, machine: str) -> None:
    data = (function / "imgdiff" / "engine" / f"core-Linux-{machine}.so").read_bytes()
    libraries = set(re.findall(rb"\0([^\0]+\.so[.\d]*)(?=\0)", data))
    versions = {
        tuple(map(int, found.split(b"."))) for found in re.findall(rb"GLIBC_([\d.]+)", data)
    }

    assert libraries <= {b"libc.so.6", b"libm.so.6", b"ld-linux-aarch64.so.1"}
    assert max(versions) <= LIBC_OF_THE_LAYERS_WHEELS


# What is stored

EVERY_BUCKET = pytest.mark.parametrize("name", ["MediaBucket", "InboxBucket", "ResultsBucket"])


def test_every_bucket_is_told_of_here_and_no_policy_lets_anyone_in(stack: Stack) -> None:
    buckets = of_type(stack, "AWS::S3::Bucket").keys()
    policies = of_type(stack, "AWS::S3::BucketPolicy")

    assert buckets == {*EVERY_BUCKET.args[1]}
    assert policies.keys() == {f"{name}Policy" for name in buckets}
    for policy in policies.values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Deny"


@EVERY_BUCKET
def test_a_bucket_is_private_and_encrypted(stack: Stack, name: str) -> None:
    bucket = properties(stack, name)
    [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    [ownership] = bucket["OwnershipControls"]["Rules"]

    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert ownership == {"ObjectOwnership": "BucketOwnerEnforced"}


@EVERY_BUCKET
def test_a_bucket_is_reached_over_tls_only(stack: Stack, name: str) -> None:
    policy = properties(stack, f"{name}Policy")
    [statement] = policy["PolicyDocument"]["Statement"]

    assert policy["Bucket"] == {"Ref": name}
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == "s3:*"
    assert {target(resource) for resource in statement["Resource"]} == {
        f"${{{name}.Arn}}",
        f"${{{name}.Arn}}/*",
    }
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}


def test_media_expire_as_told() -> None:
    stack = transform(TEMPLATE, MediaExpiryDays="3")
    rules = properties(stack, "MediaBucket")["LifecycleConfiguration"]["Rules"]
    [expiry] = [rule for rule in rules if "ExpirationInDays" in rule]

    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert (expiry["Prefix"], expiry["ExpirationInDays"]) == ("media/", "3")
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_results_expire_as_told() -> None:
    stack = transform(TEMPLATE, ResultExpiryDays="3")
    rules = properties(stack, "ResultsBucket")["LifecycleConfiguration"]["Rules"]
    days = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}

    assert {rule["Status"] for rule in rules} == {"Enabled"}
    assert days == {"results/": "3", "buckets/": "3", "batches/": 30}


def test_the_inbox_keeps_what_is_new_for_ever_and_what_is_old_for_a_while(stack: Stack) -> None:
    inbox = properties(stack, "InboxBucket")
    rules = inbox["LifecycleConfiguration"]["Rules"]

    assert inbox["VersioningConfiguration"] == {"Status": "Enabled"}
    assert not any("ExpirationInDays" in rule for rule in rules)
    assert {"NoncurrentDays": 30} in [rule.get("NoncurrentVersionExpiration") for rule in rules]


@pytest.mark.parametrize("name", ["MediaBucket", "ResultsBucket"])
def test_a_page_of_any_origin_may_read_what_links_lead_to_and_no_more(
    stack: Stack, name: str
) -> None:
    [rule] = properties(stack, name)["CorsConfiguration"]["CorsRules"]

    assert rule["AllowedOrigins"] == ["*"]
    assert set(rule["AllowedMethods"]) == {"GET", "HEAD"}


def test_the_table_is_encrypted_and_can_be_restored(stack: Stack) -> None:
    table = properties(stack, "KeysTable")

    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


@pytest.mark.parametrize("name", ["MediaBucket", "InboxBucket", "ResultsBucket", "KeysTable"])
def test_data_outlives_the_stack(stack: Stack, name: str) -> None:
    resource = stack["Resources"][name]

    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


# Logs and alarms


def test_every_log_group_forgets_as_told() -> None:
    stack = transform(TEMPLATE, LogRetentionDays="7")
    groups = of_type(stack, "AWS::Logs::LogGroup")
    [stage] = of_type(stack, "AWS::ApiGatewayV2::Stage").values()

    assert {group["Properties"]["RetentionInDays"] for group in groups.values()} == {"7"}
    used = {properties(stack, name)["LoggingConfig"]["LogGroup"]["Ref"] for name in FUNCTIONS}
    assert len(used) == len(FUNCTIONS)
    others = {
        stage["Properties"]["AccessLogSettings"]["DestinationArn"]["Fn::GetAtt"][0],
        *(
            destination["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0]
            for machine in of_type(stack, "AWS::StepFunctions::StateMachine").values()
            for destination in machine["Properties"]["LoggingConfiguration"]["Destinations"]
        ),
    }
    assert used | others == groups.keys()


def test_alarms_watch_the_api_and_the_functions_the_queue_and_batches(stack: Stack) -> None:
    alarms = [alarm["Properties"] for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values()]
    watched = {
        (
            alarm["Namespace"],
            alarm["MetricName"],
            alarm.get("Statistic") or alarm["ExtendedStatistic"],
            *((each["Name"], target(each["Value"])) for each in alarm["Dimensions"]),
        )
        for alarm in alarms
    }

    dead, waiting = "${InboxDeadLetters.QueueName}", "${InboxQueue.QueueName}"
    assert watched == {
        ("AWS/ApiGateway", "5xx", "Sum", ("ApiId", "${Api}")),
        ("AWS/ApiGateway", "Latency", "p95", ("ApiId", "${Api}")),
        ("AWS/Lambda", "Errors", "Sum", ("FunctionName", "${ApiFunction}")),
        ("AWS/Lambda", "Throttles", "Sum", ("FunctionName", "${ApiFunction}")),
        ("AWS/Lambda", "Errors", "Sum", ("FunctionName", "${WorkerFunction}")),
        ("AWS/Lambda", "Errors", "Sum", ("FunctionName", "${BatchFunction}")),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", ("QueueName", dead)),
        ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", ("QueueName", waiting)),
        ("AWS/States", "ExecutionsFailed", "Sum", ("StateMachineArn", "${BatchStateMachine}")),
        ("AWS/Events", "InvocationsFailedToBeSentToDlq", "Sum", ("RuleName", "${InboxRule}")),
        ("AWS/States", "ExecutionsTimedOut", "Sum", ("StateMachineArn", "${BatchStateMachine}")),
    }
    assert {alarm["TreatMissingData"] for alarm in alarms} == {"notBreaching"}


def test_alarms_notify_the_topic_if_there_is_one(stack: Stack) -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
    told = of_type(transform(TEMPLATE, AlarmTopicArn=topic), "AWS::CloudWatch::Alarm")
    silent = of_type(stack, "AWS::CloudWatch::Alarm")

    assert {name: alarm["Properties"]["AlarmActions"] for name, alarm in told.items()} == (
        {name: [topic] for name in silent}
    )
    assert not any("AlarmActions" in alarm["Properties"] for alarm in silent.values())


def test_the_latency_that_alarms_is_as_told() -> None:
    stack = transform(TEMPLATE, LatencyAlarmMilliseconds="1500")

    assert properties(stack, "LatencyAlarm")["Threshold"] == "1500"


# Parameters and outputs


def test_every_parameter_is_described_and_bounded(source: Stack) -> None:
    for name, parameter in source["Parameters"].items():
        assert parameter["Description"], name
        if "AllowedValues" in parameter:
            assert parameter["Default"] in parameter["AllowedValues"], name
        elif parameter["Type"] == "Number":
            assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"], name
        else:
            assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"]), name


def test_the_console_groups_every_parameter_once(source: Stack) -> None:
    groups = source["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]

    assert sorted(grouped) == sorted(source["Parameters"])


@pytest.mark.parametrize(
    ("parameter", "value", "allowed"),
    [
        ("MediaBaseUrl", "https://img.example", True),
        ("MediaBaseUrl", "http://127.0.0.1:8080/base/path", True),
        ("MediaBaseUrl", "https://img.example/", False),
        ("MediaBaseUrl", "https://img.example/a/", False),
        ("MediaBaseUrl", "https://img.example/a?b", False),
        ("MediaBaseUrl", "ftp://img.example", False),
        ("MediaBaseUrl", "img.example", False),
        ("FetchAllowedPorts", "80,443,8080", True),
        ("FetchAllowedPorts", "80,", False),
        ("FetchAllowedHosts", "example.com,*.example.org,10.1.2.3", True),
        ("FetchAllowedHosts", "https://example.com", False),
        ("FetchAllowedNetworks", "10.1.0.0/16,fd12:3456::/32", True),
        ("FetchAllowedNetworks", "10.1.0.0", False),
        ("SubnetIds", "subnet-0a1b", True),
        ("SecurityGroupIds", "subnet-0a1b", False),
        ("AlarmTopicArn", "arn:aws:sns:eu-central-1:123456789012:alarms", True),
        ("AlarmTopicArn", "arn:aws-us-gov:sns:us-gov-west-1:123456789012:a_b-C", True),
        ("AlarmTopicArn", "arn:aws:sqs:eu-central-1:123456789012:alarms", False),
        ("AlarmTopicArn", "alarms", False),
    ],
)
def test_patterns(source: Stack, parameter: str, value: str, *, allowed: bool) -> None:
    pattern = source["Parameters"][parameter]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, value)) is allowed


def test_every_output_is_described(stack: Stack) -> None:
    assert stack["Outputs"].keys() == {
        "ApiUrl",
        "ApiFunctionName",
        "DashboardUrl",
        "MediaBucketName",
        "KeysTableName",
        "WorkerFunctionArn",
        "InboxBucketName",
        "ResultsBucketName",
        "InboxQueueUrl",
        "InboxDeadLettersUrl",
        "BatchStateMachineArn",
    }
    assert all(output["Description"] for output in stack["Outputs"].values())


# The stack, as far as moto builds it


def test_the_deployed_function_has_its_limits_and_resources(outputs: dict[str, str]) -> None:
    function = boto3.client("lambda", region_name=REGION).get_function_configuration(
        FunctionName=outputs["ApiFunctionName"]
    )
    variables = function["Environment"]["Variables"]

    assert (function["Runtime"], function["Timeout"]) == ("python3.13", 29)
    assert function["MemorySize"] == 1769
    assert variables["MEDIA_BUCKET"] == outputs["MediaBucketName"]
    assert variables["KEYS_TABLE"] == outputs["KeysTableName"]


def test_the_deployed_bucket_is_encrypted(outputs: dict[str, str]) -> None:
    encryption = boto3.client("s3", region_name=REGION).get_bucket_encryption(
        Bucket=outputs["MediaBucketName"]
    )
    [rule] = encryption["ServerSideEncryptionConfiguration"]["Rules"]

    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_deployed_table_is_keyed_by_the_keys_hash(outputs: dict[str, str]) -> None:
    table = boto3.client("dynamodb", region_name=REGION).describe_table(
        TableName=outputs["KeysTableName"]
    )["Table"]

    assert table["KeySchema"] == [{"AttributeName": "key_sha256", "KeyType": "HASH"}]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_deployed_log_groups_are_of_this_stack(outputs: dict[str, str]) -> None:
    assert outputs
    groups = boto3.client("logs", region_name=REGION).describe_log_groups()["logGroups"]

    assert {group["logGroupName"] for group in groups} == {
        "/aws/lambda/imgdiff-api",
        "/aws/lambda/imgdiff-worker",
        "/aws/lambda/imgdiff-batch",
        "/aws/vendedlogs/imgdiff-access",
        "/aws/vendedlogs/states/imgdiff-batches",
    }
