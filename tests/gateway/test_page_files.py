"""The page's files keep to the policy that browsers hold them to, also where no browser is there to see it."""

import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

STATIC = files("face_gateway") / "static"
MODULES = sorted(path.name for path in STATIC.iterdir() if path.name.endswith(".js"))


class Page(HTMLParser):
    """Its elements: (tag, attributes)."""

    def __init__(self):
        super().__init__()
        self.elements = []
        self.feed((STATIC / "index.html").read_text())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))


def test_nothing_is_inline_and_nothing_is_from_elsewhere():
    for tag, attributes in Page().elements:
        assert tag != "style"
        assert tag != "script" or attributes["src"].startswith("/static/")
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in ("src", "href"):
            assert re.match(r"[/#][^/]|[/#]?$", attributes.get(name) or ""), attributes


def test_ids_are_there_once():
    ids = [attributes["id"] for _, attributes in Page().elements if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", MODULES)
def test_what_a_module_names_is_there(name):
    text = (STATIC / name).read_text()
    for imported in re.findall(r'from "(.*)"', text):
        assert (STATIC / imported).is_file()
    ids = {attributes.get("id") for _, attributes in Page().elements}
    assert set(re.findall(r'byId\("([\w-]+)"\)', text)) <= ids
    assert "innerHTML" not in text
    # The namespace of SVG is a name; nobody asks there.
    assert set(re.findall(r"https?://[\w./]+", text)) <= {"http://www.w3.org/2000/svg"}
