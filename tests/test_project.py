"""The project's own papers: they say what is so."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from api.settings import Settings

_ROOT = Path(__file__).parents[1]
_README = (_ROOT / "README.md").read_text()
_SETTINGS = (_ROOT / "docs" / "settings.md").read_text()
_LOCK = (_ROOT / "requirements.lock").read_text()
_PAPERS = [
    "README.md",
    "CHANGELOG.md",
    "DECISIONS.md",
    "graphql-examples/README.md",
    *sorted(str(page.relative_to(_ROOT)) for page in (_ROOT / "docs").glob("*.md")),
    "tests/faults/README.md",
    "requirements.lock",
    ".ci/run",
]
_CLIENTS = _ROOT / "tests" / "clients"


def _project() -> dict[str, Any]:
    return tomllib.loads((_ROOT / "pyproject.toml").read_text())


def test_every_setting_is_named_with_its_default() -> None:
    shown = dict(re.findall(r"^\| `RINGSIDE_(\w+)` \| `([^`]*)` \|", _SETTINGS, re.MULTILINE))

    assert shown == {name.upper(): _shown(field.default) for name, field in Settings.model_fields.items()}


def _shown(default: object) -> str:
    if isinstance(default, list):
        return ",".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


@pytest.mark.parametrize("paper", _PAPERS)
def test_papers_point_at_what_exists(paper: str) -> None:
    linked = {target for target in re.findall(r"\]\(([^)]+)\)", (_ROOT / paper).read_text()) if "://" not in target}

    assert [target for target in linked if not _is_there(_ROOT / paper, target)] == []


def _is_there(paper: Path, target: str) -> bool:
    """Say whether a file is there and, behind a #, a heading of that name."""
    name, _, place = target.partition("#")
    found = paper.parent / name if name else paper
    if not place or not found.exists():
        return found.exists()
    headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
    return place in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("paper", _PAPERS)
def test_papers_name_no_machine(paper: str) -> None:
    text = (_ROOT / paper).read_text()

    assert re.findall(r"/root/|/work/|/home/|/opt/|file://|index-url|find-links", text) == []


@pytest.mark.parametrize("paper", [paper for paper in _PAPERS if paper.endswith(".md")])
def test_the_files_that_papers_name_are_there(paper: str) -> None:
    text = (_ROOT / paper).read_text()
    named = re.findall(r"(?<![\w./-])(?:api|schema|db|tests|graphql-examples)/[\w./-]+\.\w+", text)

    assert [name for name in named if not (_ROOT / name).exists()] == []


def test_what_runs_is_pinned_with_hashes() -> None:
    pinned = dict(re.findall(r"^([\w.-]+)==([\w.]+)", _LOCK, re.MULTILINE))
    hashes = re.findall(r"^([\w.-]+)==[^#]*?--hash=sha256:[0-9a-f]{64}", _LOCK, re.MULTILINE)
    needed = {_name(requirement) for requirement in _project()["project"]["dependencies"]}

    assert needed - pinned.keys() == set()
    assert set(hashes) == pinned.keys()


def test_the_lock_names_no_place_to_install_from() -> None:
    lines = [line for line in _LOCK.splitlines() if not line.lstrip().startswith("#")]

    assert [line for line in lines if line.startswith("-") or "://" in line or " @ " in line] == []


def test_the_clients_of_the_tests_are_pinned_with_hashes_and_name_no_place_to_install_from() -> None:
    packages = json.loads((_CLIENTS / "package-lock.json").read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}

    assert installed
    assert {name for name, package in installed.items() if not package["integrity"].startswith("sha512-")} == set()
    assert {name for name, package in installed.items() if "resolved" in package} == set()


def _name(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def test_ci_types_the_commands_of_the_readme() -> None:
    script = (_ROOT / ".ci" / "run").read_text()

    assert "set -euo pipefail" in script
    assert "export CI=true" in script
    assert all(f"uv run {tool}" in script for tool in ("ruff format --check", "ruff check", "mypy", "pytest"))
    assert "uv run pytest" in _README
    assert (_ROOT / ".ci" / "run").stat().st_mode & 0o111
