"""No file in deploy/ is there for nothing, and every component is rendered."""

import yaml

FIELDS = ("resources", "components", "transformers", "configurations")


def read(folder):
    path = folder / "kustomization.yaml"
    return yaml.safe_load(path.read_text()) if path.exists() else None


def used(folder, seen):
    """Every file and folder that a kustomization leads to."""
    if folder in seen:
        return
    seen.add(folder)
    content = read(folder)
    seen.add(folder / "kustomization.yaml")
    entries = [entry for field in FIELDS for entry in content.get(field, [])]
    entries += [patch["path"] for patch in content.get("patches", []) if "path" in patch]
    entries += [path for made in content.get("configMapGenerator", []) for path in made.get("envs", [])]
    for entry in entries:
        path = (folder / entry).resolve()
        if path.is_dir():
            used(path, seen)
        else:
            seen.add(path)


def faults(root, folders):
    seen = set()
    for folder in folders:
        used(folder.resolve(), seen)
    for path in sorted((root / "deploy").resolve().rglob("*")):
        is_read = path.suffix == ".md" or path.parent.name == "samples"
        if path.is_file() and path not in seen and not is_read:
            yield f"{path.relative_to(root.resolve())}: nothing that is rendered leads here"
