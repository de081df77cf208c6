"""What a user would apply: kustomizations as kubectl renders them, and samples as they lie there."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
COMBINATIONS = "helpers/deploy-check/combinations"


@dataclass(frozen=True)
class Render:
    """Objects that are applied together, and where they come from."""

    name: str
    objects: list

    def of_kind(self, *kinds):
        return [one for one in self.objects if one["kind"] in kinds]


def load(text):
    """The objects of a YAML text. A key that is there twice is an error."""
    return [one for one in yaml.load_all(text, Loader=Unique) if one]


class Unique(yaml.CSafeLoader):
    """YAML takes the last of two equal keys without a word."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"{node.start_mark}: twice: {', '.join(sorted(twice))}")
        return super().construct_mapping(node, deep)


def kustomize(folder):
    """The text that `kubectl apply -k` would apply."""
    command = [os.environ["KUBECTL"], "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{folder}: {done.stderr.strip()}")
    return done.stdout


def kustomizations(root):
    """The folders that somebody applies: all overlays, and what is used beside them."""
    overlays = sorted(path.parent for path in (root / "deploy/overlays").glob("*/kustomization.yaml"))
    others = ["fetch", "undo", "tekton", "tekton/sidecar", "argo"]
    combined = sorted((root / COMBINATIONS).iterdir())
    return overlays + [root / "deploy" / other for other in others] + combined


def samples(root):
    """Files that are applied one by one."""
    found = [path for path in root.glob("deploy/**/samples/*.yaml")]
    return sorted(found + list(root.glob("docs/alerts/*.yaml")))


def render(root=ROOT):
    """All of it."""
    rendered = [(path, kustomize(path)) for path in kustomizations(root)]
    rendered += [(path, path.read_text()) for path in samples(root)]
    return [Render(str(path.relative_to(root)), load(text)) for path, text in rendered]


def title(one):
    """What an object is called in a message."""
    metadata = one.get("metadata", {})
    return f"{one.get('kind')} {metadata.get('name') or metadata.get('generateName')}"
