"""A copy of what is rendered, to change something in."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from .render import COMBINATIONS, ROOT


@contextmanager
def copied():
    with tempfile.TemporaryDirectory() as temporary:
        # kustomize wants paths without symbolic links.
        root = Path(temporary).resolve()
        for part in ("deploy", "docs/alerts", COMBINATIONS):
            shutil.copytree(ROOT / part, root / part)
        yield root


def edit(path, old, new):
    """Replaces something that must be there."""
    text = path.read_text()
    if old not in text:
        raise ValueError(f"{path}: there is no {old!r}")
    path.write_text(text.replace(old, new))
