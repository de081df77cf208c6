"""JSON Schemas of CustomResourceDefinitions, that know no field which is not in there."""

import functools
import json
import subprocess

import jsonschema
import referencing
import yaml
from kubernetes_validate import utils

from .render import ROOT

FOLDERS = {
    "github.com/tektoncd/pipeline": "config/300-crds",
    "github.com/argoproj/argo-workflows/v3": "manifests/base/crds/full",
    "github.com/prometheus-operator/prometheus-operator": "example/prometheus-operator-crd-full",
}

# Of all that these folders have, what is used here.
KINDS = {"Task", "Pipeline", "TaskRun", "PipelineRun", "WorkflowTemplate", "Workflow", "PrometheusRule"}

OBJECT_META = "/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

# What has no meaning in a JSON Schema, or is another program's.
KEPT = {"type", "enum", "pattern", "required", "minimum", "maximum", "minLength", "maxLength", "minItems",
        "maxItems", "minProperties", "maxProperties", "oneOf", "anyOf", "allOf", "not", "uniqueItems"}


def strict(schema, path, opened):
    """A structural schema as a JSON Schema; where it is open is added to `opened`."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        opened.append(path)
        return {}
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: value for key, value in schema.items() if key in KEPT}
    if schema.get("nullable") and "type" in made:
        made["type"] = [made["type"], "null"]
    if "properties" in schema:
        made["properties"] = {
            name: strict(value, f"{path}.{name}", opened) for name, value in schema["properties"].items()
        }
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        made["additionalProperties"] = strict(inner, f"{path}.*", opened)
    elif schema.get("type") == "object":
        made["additionalProperties"] = bool(inner)
    if "items" in schema:
        made["items"] = strict(schema["items"], f"{path}[]", opened)
    return made


def whole(crd, version):
    """An object's schema: metadata's is Kubernetes' own."""
    opened = []
    made = strict(version["schema"]["openAPIV3Schema"], "", opened)
    made["required"] = sorted({"apiVersion", "kind", "metadata", *made.get("required", [])})
    made["additionalProperties"] = False
    made["properties"] |= {
        "apiVersion": {"const": f"{crd['spec']['group']}/{version['name']}"},
        "kind": {"const": crd["spec"]["names"]["kind"]},
        "metadata": {"$ref": OBJECT_META},
    }
    made["$id"] = "https://kubernetes.io/api/ours"
    return made, opened


def module(name):
    """A Go module's folder, in the version that admission/go.mod has."""
    admission = ROOT / "helpers/deploy-check/admission"
    command = ["go", "mod", "download", "-json", name]
    done = subprocess.run(command, cwd=admission, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["Dir"]


def files():
    """Every file with CustomResourceDefinitions."""
    for name, folder in FOLDERS.items():
        yield from sorted((ROOT / module(name) / folder).glob("*.yaml"))
    yield ROOT / "helpers/deploy-check/crds/objectbucketclaim.yaml"


@functools.cache
def schemas():
    """By apiVersion and kind: a validator, and where it is open."""
    definitions = utils.schema_contents(
        "kubernetes-json-schema/v1.34.0-local-strict/_definitions.json", "1.34"
    )
    registry = referencing.Resource.from_contents(definitions) @ referencing.Registry()
    found = {}
    for path in files():
        text = path.read_text()
        if not any(f"kind: {kind}\n" in text for kind in KINDS | {"ObjectBucketClaim"}):
            continue
        for crd in yaml.load_all(text, Loader=yaml.CSafeLoader):
            if crd["kind"] != "CustomResourceDefinition":
                continue
            kind = crd["spec"]["names"]["kind"]
            for version in crd["spec"]["versions"]:
                schema, opened = whole(crd, version)
                validator = jsonschema.Draft202012Validator(schema, registry=registry)
                found[f"{crd['spec']['group']}/{version['name']}", kind] = validator, opened
    return found


def faults(one):
    """What the schema has against an object; `None` where there is none for its kind."""
    known = schemas().get((one["apiVersion"], one["kind"]))
    if known is None:
        return None
    validator, _ = known
    return [
        f"{'.'.join(str(part) for part in error.path)}: {error.message[:300]}"
        for error in validator.iter_errors(one)
    ]


def opened(one):
    """Where the object has something that its schema says nothing of."""
    known = schemas().get((one["apiVersion"], one["kind"]))
    return [path for path in known[1] if is_there(one, path)] if known else []


def is_there(value, path):
    """Whether there is something at `.spec.tasks[].taskSpec`."""
    head, _, rest = path.lstrip(".").partition(".")
    name, _, items = head.partition("[")
    if not isinstance(value, dict):
        return False
    below = list(value.values()) if name == "*" else [value[name]] if name in value else []
    for _ in range(items.count("]")):
        below = [item for inner in below if isinstance(inner, list) for item in inner]
    return any(is_there(inner, rest) for inner in below) if rest else bool(below)
