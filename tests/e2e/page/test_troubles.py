"""What goes wrong is said in words, beside what it is about; keys and people."""

import re
import subprocess

import pytest
from playwright.sync_api import expect

from face_client import InvalidImage
from tests.e2e.gateway.paged import Paged
from tests.e2e.page.test_pictures import PORTRAIT, WALL
from tests.e2e.served import FACES

TEXT = ("letter.txt", "text/plain", b"Dear reader, this is no picture.")


def test_what_is_no_picture(visit, client):
    there = visit()
    there.drop(PORTRAIT, TEXT)
    there.page.get_by_role("option", name="letter.txt, failed").click()
    with pytest.raises(InvalidImage) as why:
        client.detect(TEXT[2])
    problem = there.page.locator("#picture .problem")
    said = str(why.value).rpartition(" (request")[0] or str(why.value)
    expect(problem).to_contain_text(said.replace("encoded_image", "the file"))
    expect(problem).to_contain_text("request")
    # The other one is answered all the same.
    there.page.get_by_role("option", name="portrait.png, 1 face").click()
    expect(problem).to_be_hidden()
    there.expect_faces(1)


def test_what_is_too_large_is_not_sent(visit, triton):
    with Paged(triton.grpc_url, "--max-body", "100000") as gateway:
        there = visit(gateway.url)
        there.drop(PORTRAIT)
        expect(there.page.locator("#picture .problem")).to_contain_text("the service takes at most 0.1 MB")
        assert there.asked("/v1/detect") == []


def test_a_service_that_is_gone_and_comes_back(visit, triton):
    with Paged(triton.grpc_url) as gone:
        there = visit(gone.url)
    there.drop(PORTRAIT)
    problem = there.page.locator("#picture .problem")
    expect(problem).to_contain_text("The service does not answer")
    with Paged(triton.grpc_url, "--port", gone.port):
        there.page.get_by_role("button", name="Ask again").click()
        there.expect_faces(1)
        expect(problem).to_be_hidden()


@pytest.fixture
def guarded(triton, tmp_path):
    """Address of a gateway that asks for a key, and the key; it may ask once in two seconds."""
    keys = tmp_path / "keys"
    command = [FACES, "page", "--keys", keys, "--new-key", "reader"]
    key = re.search(r"\S{20,}", subprocess.run(command, capture_output=True, text=True, check=True).stdout)[0]
    keys.write_text(keys.read_text().rstrip() + " rate=0.5 burst=1\n")
    with Paged(triton.grpc_url, "--keys", str(keys)) as gateway:
        yield gateway.url, key


def test_a_key_is_asked_for_and_a_busy_service_waited_for(visit, guarded):
    url, key = guarded
    there = visit(url)
    there.drop(PORTRAIT)
    dialog = there.page.get_by_role("dialog")
    dialog.get_by_label("API key").fill("wrong")
    dialog.get_by_role("button", name="Use the key").click()
    expect(dialog.get_by_label("API key")).to_have_value("")
    dialog.get_by_label("API key").fill(key)
    dialog.get_by_label("API key").press("Enter")
    there.expect_faces(1)
    expect(dialog).to_be_hidden()
    there.page.get_by_label("curl", exact=True).check()
    expect(there.page.locator("#call-text")).to_contain_text("Bearer $FACES_KEY")
    assert key not in there.page.content()
    there.drop(("another.png", *PORTRAIT[1:]))
    expect(there.status).to_contain_text("The service is busy. It is asked again in")
    there.expect_faces(1)
    assert there.page.evaluate("[sessionStorage.length, Object.values(localStorage).length]") == [1, 0]
    there.page.get_by_role("button", name="Forget the key").click()
    assert there.page.evaluate("sessionStorage.length") == 0


def test_people_are_enrolled_named_and_forgotten(visit, triton, tmp_path):
    with Paged(triton.grpc_url, "--gallery", str(tmp_path / "people.gallery"), "--random-weights") as gateway:
        there = visit(gateway.url)
        expect(there.page.get_by_text("Only faces that you enrol are kept")).to_be_visible()
        there.drop(PORTRAIT)
        there.expect_faces(1)
        there.page.get_by_role("option", name="Face 1").click()
        there.page.get_by_label("This is").fill("Ada")
        there.page.get_by_label("This is").press("Enter")
        expect(there.page.get_by_role("option", name="Ada")).to_be_visible()
        expect(there.page.locator("#picture .tag")).to_have_text("Ada")
        expect(there.page.locator("#people-list li")).to_have_text(re.compile("^Ada, 1 face"))
        there.page.get_by_role("button", name="Forget Ada").click()
        there.page.get_by_role("button", name="Erase").click()
        expect(there.page.get_by_text("Nobody yet.")).to_be_visible()
        expect(there.page.get_by_role("option", name="Face 1")).to_be_visible()


def test_where_no_names_can_be_had_faces_are_found(visit, triton, tmp_path):
    with Paged(triton.grpc_url, "--gallery", str(tmp_path / "people.gallery")) as gateway:
        there = visit(gateway.url)
        there.drop(PORTRAIT)
        there.expect_faces(1)
        expect(there.page.locator("#trouble")).to_contain_text("Names are not said: the server's FaceNet has random")


def test_one_of_several_faces_is_enrolled(visit, triton, tmp_path):
    with Paged(triton.grpc_url, "--gallery", str(tmp_path / "people.gallery"), "--random-weights") as gateway:
        there = visit(gateway.url)
        there.drop(WALL)
        there.page.get_by_role("option", name="Face 1").first.click()
        there.page.get_by_label("This is").fill("Ada")
        there.page.get_by_role("button", name="Enrol").click()
        expect(there.page.locator("#people-list li")).to_have_text(re.compile("^Ada, 1 face"))
