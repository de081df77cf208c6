"""The image is set in one place."""

from .copy import copied, edit
from .render import kustomizations, kustomize, load

OURS = "cluster-profiler-job"
ELSEWHERE = "elsewhere/cluster-profiler-job:marked"

# As they are written here, and to be replaced by whoever has one.
PLACEHOLDERS = {"workload:latest"}


def images(value):
    """Every image, wherever it stands."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "image" and isinstance(inner, str):
                yield inner
            else:
                yield from images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from images(inner)


def faults():
    with copied() as root:
        place = root / "deploy/components/image/kustomization.yaml"
        edit(place, f"newName: {OURS}", "newName: elsewhere/cluster-profiler-job")
        edit(place, "newTag: latest", "newTag: marked")
        for folder in kustomizations(root):
            for image in images(load(kustomize(folder))):
                if image != ELSEWHERE and image not in PLACEHOLDERS:
                    yield f"{folder.relative_to(root)}: {image} is not set by components/image"
