"""Kubernetes' own kinds, strictly, by the schemas of every version that is supported."""

import functools

import kubernetes_validate
from kubernetes_validate import utils

VERSIONS = ["1.28", "1.29", "1.30", "1.31", "1.32", "1.33", "1.34"]

# gate-guard's kinds are stable from here on.
FIRST = {"ValidatingAdmissionPolicy": "1.30", "ValidatingAdmissionPolicyBinding": "1.30"}

# They are read from files of a megabyte, again for every object.
utils.schema_contents = functools.cache(utils.schema_contents)


def versions(kind):
    """Those that the kind is for."""
    return VERSIONS[VERSIONS.index(FIRST.get(kind, VERSIONS[0])) :]


def faults(one, only=None):
    """What the schemas have against an object; `None` where there is none for its kind."""
    said = {}
    for version in only or versions(one["kind"]):
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            return None
        except kubernetes_validate.ValidationError as error:
            where = ".".join(str(part) for part in error.path)
            said.setdefault(f"{where}: {error.message[:300]}", []).append(version)
    return [f"{fault} (Kubernetes {', '.join(by)})" for fault, by in said.items()]
