"""What a PATH stands for: sources, parts of them, and what is refused before anything is written."""

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from catalog.database import reading
from tests.worker.pictures import draw_picture
from tests.worker.service import count_rows, enqueue_paths, images, tag_paths
from worker.errors import UsageError
from worker.folders import Skips
from worker.places import Place, images_of, known_places, resolve_places, survey


def resolve(engine: Engine, *paths: Path | str, pattern: str | None = None) -> list[Place]:
    with reading(engine) as session:
        return resolve_places(session, [str(path) for path in paths], pattern=pattern)


def keys(place: Place) -> list[str]:
    return sorted(file.key for file in images_of(place, Skips()))


def test_a_folder_is_a_source(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "sub" / "a.png")
    (place,) = resolve(catalog_engine, tmp_path / "photos")
    assert place == Place(str(tmp_path / "photos"), "", "", None)
    assert keys(place) == ["sub/a.png"]
    assert place.shown == str(tmp_path / "photos")


def test_a_link_to_a_folder_and_a_path_with_dots_are_the_folder(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    (tmp_path / "link").symlink_to("photos")
    expected = resolve(catalog_engine, tmp_path / "photos")
    assert resolve(catalog_engine, tmp_path / "link") == expected
    assert resolve(catalog_engine, f"{tmp_path}/photos/../link/.") == expected
    assert resolve(catalog_engine, tmp_path / "photos", f"{tmp_path}/link/") == expected


def test_a_link_to_a_file_is_a_file_where_the_link_stands(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "orig.png")
    draw_picture(tmp_path / "elsewhere" / "private.png")
    (tmp_path / "photos" / "alias.png").symlink_to("orig.png")
    (tmp_path / "photos" / "leads-out.png").symlink_to("../elsewhere/private.png")
    for export in ("monday", "tuesday"):
        (tmp_path / "photos" / f"{export}.csv").write_text("sku,image\nA,orig.png\n")

    shown = []
    for target in ("monday.csv", "tuesday.csv"):
        (tmp_path / "photos" / "current.csv").unlink(missing_ok=True)
        (tmp_path / "photos" / "current.csv").symlink_to(target)
        shown += [place.shown for place in resolve(catalog_engine, tmp_path / "photos" / "current.csv")]
    (alias,), (outside,) = (
        resolve(catalog_engine, tmp_path / "photos" / name) for name in ("alias.png", "leads-out.png")
    )

    assert set(shown) == {str(tmp_path / "photos" / "current.csv")}
    assert [file.sku for file in images_of(alias, Skips())] == ["alias"]
    assert outside.root == str(tmp_path / "photos")
    tag_paths(catalog_engine, tmp_path / "photos" / "leads-out.png")
    assert {key: image.failure_code for key, image in images(catalog_engine).items()} == {
        "leads-out.png": "outside_root"
    }


def test_a_relative_path_is_taken_from_the_current_folder(
    catalog_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    monkeypatch.chdir(tmp_path)
    assert resolve(catalog_engine, "photos")[0].root == str(tmp_path / "photos")


def test_a_path_inside_another_is_left_out(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "sub" / "a.png")
    draw_picture(tmp_path / "photos-old" / "b.png")
    paths = (tmp_path / "photos" / "sub", tmp_path / "photos", tmp_path / "photos-old",
             tmp_path / "photos" / "sub" / "a.png")  # fmt: skip
    assert [place.shown for place in resolve(catalog_engine, *paths)] == [
        str(tmp_path / "photos"), str(tmp_path / "photos-old"),
    ]  # fmt: skip


def test_a_folder_inside_a_known_source_is_a_part_of_it(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "sub" / "a.png")
    draw_picture(tmp_path / "photos" / "sub.png")
    enqueue_paths(catalog_engine, tmp_path / "photos")
    (place,) = resolve(catalog_engine, tmp_path / "photos" / "sub")
    assert place == Place(str(tmp_path / "photos"), "", "sub", None)
    assert keys(place) == ["sub/a.png"]
    (file,) = resolve(catalog_engine, tmp_path / "photos" / "sub" / "a.png")
    assert file.is_file
    assert keys(file) == ["sub/a.png"]
    again = enqueue_paths(catalog_engine, tmp_path / "photos" / "sub")
    assert (again.counts.images, again.counts.products) == (1, 1)
    assert len(images(catalog_engine)) == 2


def test_what_walks_pass_over_is_no_part_of_the_source_around_it(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "a.png")
    draw_picture(tmp_path / "photos" / ".drafts" / "sub" / "b.png", 1)
    draw_picture(tmp_path / "photos" / ".c.png", 2)
    enqueue_paths(catalog_engine, tmp_path / "photos")

    (place,) = resolve(catalog_engine, tmp_path / "photos" / ".drafts" / "sub")

    assert place == Place(str(tmp_path / "photos" / ".drafts" / "sub"), "", "", None)
    with pytest.raises(UsageError, match=r"\.c\.png: a hidden file, which every walk over its folder passes over"):
        resolve(catalog_engine, tmp_path / "photos" / ".c.png")


def test_an_empty_path_is_not_this_folder(catalog_engine: Engine) -> None:
    with reading(catalog_engine) as session, pytest.raises(UsageError, match="a path is empty"):
        resolve_places(session, [""], pattern=None)


def test_a_folder_named_like_an_image_is_a_folder_there_too(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "red.jpg" / "a.png")
    enqueue_paths(catalog_engine, tmp_path / "photos")
    (place,) = resolve(catalog_engine, tmp_path / "photos" / "red.jpg")
    assert keys(place) == ["red.jpg/a.png"]
    assert enqueue_paths(catalog_engine, tmp_path / "photos" / "red.jpg").counts.images == 1


def test_a_folder_around_a_known_source_comes_with_it_and_leaves_its_photos_to_it(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    photos, summer = tmp_path / "photos", tmp_path / "photos" / "2026" / "summer"
    draw_picture(photos / "a.png")
    draw_picture(summer / "b.png", 1)
    draw_picture(summer / "more" / "c.png", 2)
    draw_picture(tmp_path / "photos" / "2026" / "summer-sale" / "d.png", 3)
    tag_paths(catalog_engine, summer, pattern="(?P<sku>[^/]+)[.]png$")
    outer, inner = sorted(resolve(catalog_engine, photos), key=lambda place: place.full)
    assert (keys(outer), keys(inner)) == (["2026/summer-sale/d.png", "a.png"], ["b.png", "more/c.png"])
    assert inner.pattern == "(?P<sku>[^/]+)[.]png$"
    assert survey([outer, inner]) == 4
    tag_paths(catalog_engine, photos)
    tag_paths(catalog_engine, photos / "2026")
    assert sorted(images(catalog_engine)) == ["2026/summer-sale/d.png", "a.png", "b.png", "more/c.png"]
    with reading(catalog_engine) as session:
        assert sorted(key for place in known_places(session) for key in keys(place)) == sorted(images(catalog_engine))


def test_a_folder_all_of_whose_photos_are_another_sources_is_not_empty(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "sub" / "a.png")
    tag_paths(catalog_engine, tmp_path / "photos" / "sub")
    run = tag_paths(catalog_engine, tmp_path / "photos")
    assert (run.images, run.unchanged) == (1, 1)
    (tmp_path / "photos" / "sub" / "a.png").unlink()
    with pytest.raises(UsageError, match="photos: no image found"):
        enqueue_paths(catalog_engine, tmp_path / "photos")


def test_a_source_inside_a_known_one_takes_its_photos_over(catalog_engine: Engine, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    draw_picture(photos / "a.png")
    draw_picture(photos / "A-1" / "front.png", 1)
    draw_picture(photos / "A-10" / "side.png", 2)
    tag_paths(catalog_engine, photos)
    run = tag_paths(catalog_engine, photos / "A-1", pattern="(?P<sku>[^/]+)[.]png$")
    assert (run.images, run.unchanged) == (1, 1)
    assert sorted(images(catalog_engine)) == ["A-10/side.png", "a.png", "front.png"]
    assert tag_paths(catalog_engine, photos).unchanged == 3
    assert count_rows(catalog_engine)["image"] == 3


def test_the_known_rule_goes_on_inside_its_source(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "photos" / "A1" / "front.png")
    pattern = "(?P<sku>[^/]+)/[^/]+$"
    enqueue_paths(catalog_engine, tmp_path / "photos", pattern=pattern)
    (place,) = resolve(catalog_engine, tmp_path / "photos" / "A1")
    assert (place.root, place.pattern) == (str(tmp_path / "photos"), pattern)
    with reading(catalog_engine) as session:
        assert known_places(session) == [Place(str(tmp_path / "photos"), "", "", pattern)]


def test_one_image_is_a_place(catalog_engine: Engine, tmp_path: Path) -> None:
    path = draw_picture(tmp_path / "photos" / "a.png")
    draw_picture(tmp_path / "photos" / "b.png", 1)
    (place,) = resolve(catalog_engine, path)
    assert keys(place) == ["a.png"]
    assert enqueue_paths(catalog_engine, path).counts.images == 1
    (file,) = images_of(place, Skips())
    assert file.size_bytes == path.stat().st_size
    (file,) = images_of(place, Skips(), look=False)
    assert file.size_bytes == -2


def test_a_manifest_is_a_source_beside_the_folder(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a.png")
    (tmp_path / "shop.csv").write_text("sku,image\nX,a.png\n")
    (place,) = resolve(catalog_engine, tmp_path / "shop.csv")
    assert (place.manifest, place.shown) == ("shop.csv", str(tmp_path / "shop.csv"))
    assert keys(place) == ["a.png"]
    assert len(resolve(catalog_engine, tmp_path / "shop.csv", tmp_path)) == 2


@pytest.mark.parametrize("name", ["größe", "two words", "two\nlines", os.fsdecode(b"\xff\xfe")])
def test_odd_folder_names_come_back_from_the_catalog(catalog_engine: Engine, tmp_path: Path, name: str) -> None:
    draw_picture(tmp_path / name / name / "a.png")
    enqueue_paths(catalog_engine, tmp_path / name)
    with reading(catalog_engine) as session:
        (place,) = known_places(session)
    assert place.root == str(tmp_path / name)
    (file,) = images_of(place, Skips())
    assert file.size_bytes > 0


def refusals(folder: Path) -> list[tuple[list[str], str | None, str]]:
    """Paths, pattern, and how the line goes on."""
    draw_picture(folder / "repeated" / "A" / "front.jpg")
    draw_picture(folder / "repeated" / "B" / "front.jpg", 1)
    draw_picture(folder / "mixed" / "A" / "x.jpg")
    draw_picture(folder / "mixed" / "x.png", 1)
    draw_picture(folder / "fine" / "a.jpg")
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").touch()
    (folder / "shop.csv").write_text("sku,photo\n")
    (folder / "two.csv").write_text("sku,image\nA,fine/a.jpg\nB,fine/a.jpg\n")
    (folder / "none.csv").write_text("sku,image\n,fine/a.jpg\n")
    (folder / "words.csv").write_text("sku,root,image,label\nA,/elsewhere,a.jpg,\nB,/elsewhere,b.jpg,\n")
    (folder / "notes.txt").touch()
    fine = str(folder / "fine")
    return [
        ([fine, str(folder / "repeated")], None,
         r"the name 'front' stands in several folders \(\S+/[AB], \S+/[AB]\).* --sku '.* the folder of front"),
        ([fine, str(folder / "mixed")], None, r"the name 'x' stands in several folders \(\S+/mixed\S*, \S+/mixed\S*\)"),
        ([fine, str(folder / "nowhere")], None, r".*/nowhere: no such folder or file"),
        ([fine, str(folder / "empty")], None, r".*/empty: no image found; skipped 1: no image by its name"),
        ([fine, str(folder / "notes.txt")], None, r".*/notes\.txt: neither a folder, nor an image, nor a manifest"),
        ([fine, str(folder / "shop.csv")], None, r"manifest .*shop\.csv has no column image; there are: sku, photo"),
        ([fine, str(folder / "none.csv")], None, r".*none\.csv: no image found; skipped 1: row without sku"),
        ([fine, str(folder / "words.csv")], None, r".*words\.csv: none of its 2 images is there: they are sought"),
        ([fine], "(", r"--sku '\(' is no regular expression"),
        ([fine], "(.)", r"--sku '\(\.\)' needs a named group"),
        ([fine], r"(?P<sku>\d{9})", r".*/fine: no image found; skipped 1: no SKU by the pattern"),
        ([str(folder / "two.csv")], "(?P<sku>.)", r".*two\.csv: a manifest names its SKUs itself"),
    ]  # fmt: skip


def test_what_is_refused_leaves_the_catalog_as_it_was(catalog_engine: Engine, tmp_path: Path) -> None:
    for paths, pattern, line in refusals(tmp_path):
        with pytest.raises(UsageError, match=f"^{line}") as caught:
            enqueue_paths(catalog_engine, *map(Path, paths), pattern=pattern)
        assert "\n" not in str(caught.value)
        assert set(count_rows(catalog_engine).values()) == {0}, line


def test_a_repeated_stem_is_no_matter_where_the_pattern_tells_them_apart(
    catalog_engine: Engine, tmp_path: Path
) -> None:
    refusals(tmp_path)
    enqueued = enqueue_paths(catalog_engine, tmp_path / "repeated", pattern="(?P<sku>[^/]+)/[^/]+$")
    assert (enqueued.counts.images, enqueued.counts.products) == (2, 2)


def test_views_of_one_product_in_one_folder_are_no_repetition(catalog_engine: Engine, tmp_path: Path) -> None:
    for name in ("A_1.jpg", "A_2.jpg", "A.png", "A.jpg"):
        draw_picture(tmp_path / name)
    (place,) = resolve(catalog_engine, tmp_path)
    assert survey([place]) == 4


def test_a_name_that_two_folders_of_one_command_repeat_is_refused(catalog_engine: Engine, tmp_path: Path) -> None:
    draw_picture(tmp_path / "a" / "front.jpg")
    draw_picture(tmp_path / "b" / "front.jpg")
    places = [place for name in "ab" for place in resolve(catalog_engine, tmp_path / name)]
    with pytest.raises(UsageError, match=r"the name 'front' stands in several folders .* --sku"):
        survey(places)
