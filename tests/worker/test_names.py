"""Any file name on Linux goes into the catalog as text, and leads back to the file."""

import json
import os

from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine, literal, select

from catalog.database import reading
from worker.names import is_inside, path_of_text, text_of_path

# Bytes at random hardly ever form the very characters that stand for bytes: these are drawn on purpose.
STAND_INS = st.text(st.characters(min_codepoint=0xEF00, max_codepoint=0xF010), min_size=1).map(str.encode)
NAMES = st.lists(st.binary(min_size=1, max_size=20) | STAND_INS, min_size=1, max_size=5).map(b"".join)


@given(NAMES)
@example(b"\xff\xfe.jpg")
@example("\uef80.jpg".encode())
@example("\uefff\udc80".encode(errors="surrogatepass"))
def test_every_name_comes_back_byte_for_byte(name: bytes) -> None:
    stored = text_of_path(os.fsdecode(name))
    assert os.fsencode(path_of_text(stored)) == name


@given(NAMES)
def test_a_stored_name_is_text_for_json_and_utf8(name: bytes) -> None:
    stored = text_of_path(os.fsdecode(name))
    assert stored.encode("utf-8").decode("utf-8") == stored
    assert json.loads(json.dumps(stored)) == stored


@given(NAMES, NAMES)
def test_two_names_are_never_stored_alike(one: bytes, other: bytes) -> None:
    assert (text_of_path(os.fsdecode(one)) == text_of_path(os.fsdecode(other))) == (one == other)


def test_readable_names_stay_as_they_are() -> None:
    for name in ("shirt.jpg", "größe XL.png", "外套.webp", "a\nb.gif"):
        assert text_of_path(name) == name


def test_both_databases_take_a_name_that_is_no_utf8(catalog_engine: Engine) -> None:
    stored = text_of_path(os.fsdecode(b"caf\xe9 \xff\n.jpg"))
    with reading(catalog_engine) as session:
        assert session.scalar(select(literal(stored))) == stored


def test_a_sibling_with_the_same_beginning_is_not_inside() -> None:
    assert is_inside("/photos/a.jpg", "/photos")
    assert is_inside("/photos", "/photos")
    assert is_inside("/a.jpg", "/")
    assert not is_inside("/photos-old/a.jpg", "/photos")
    assert not is_inside("/", "/photos")
