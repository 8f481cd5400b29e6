"""What the pages say that a program can check: links, and the table of request parameters."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from face_cascade import DetectionParameters, InvalidInput

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *(page for folder in ("client", "deploy") for page in sorted((ROOT / folder).rglob("README.md"))),
]
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def anchors(page):
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in _LINK.findall(_CODE.sub("", page.read_text())):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_extras_are_quoted(page):
    """zsh takes a bare `.[extra]` for a pattern."""
    commands = re.findall(r"pip install [^`\n]*", page.read_text())
    assert [
        command for command in commands if re.search(r"\[", re.sub(r"([\"']).*?\1", "", command.partition("#")[0]))
    ] == []


def test_the_table_of_parameters_is_the_servers():
    text = (ROOT / "docs" / "api.md").read_text()
    table = text[text.index("| name | default | range |") :].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    described = {name: row for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert set(described) == {field.name for field in fields(DetectionParameters)}
    for field in fields(DetectionParameters):
        _, default, values, _ = described[field.name]
        assert default.strip("`") == str(field.default).lower(), field.name
        if limits := re.fullmatch(r"([\d.]+) … ([\d.]+)", values):
            for value, beyond in zip(map(float, limits.groups()), (-0.001, 1), strict=True):
                DetectionParameters.parse({field.name: value})
                with pytest.raises(InvalidInput):
                    DetectionParameters.parse({field.name: value + beyond})
