"""The contact sheet in a real browser: ticking, setting, downloading; and what may stand on it."""

import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from catalog.sheets import Sheet, SheetProduct, group_products
from tests.worker.browser import Page, running_chromium
from tests.worker.command_line import CommandLine
from tests.worker.pictures import draw_folder, draw_picture, truncate
from worker import contact_sheet
from worker.contact_sheet import Limits, write_contact_sheet
from worker.errors import UsageError

LIMITS = Limits(max_pixels=20_000_000, max_file_bytes=5_000_000)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LABELS = ("Shirt", "Coat", "Boot", "Sandal", "Sneaker")
HOSTILE = (
    "</script><script>document.title='broken'</script>", "'\"><img src=x onerror=\"document.title='broken'\">",
    "two\r\nlines\rand a\ttab", "שמלה-\u202e-cod", "=1+1", "-2", "@x", "a,b;\"c\"", "{{ 7 * 7 }}", "x" * 300, " edge ",
    "\uef80\u2028é😀",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    downloads = tmp_path_factory.mktemp("downloads")
    with running_chromium(downloads) as driver:
        yield Page(driver, downloads)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        draw_picture(tmp_path / "photos" / f"{number}.jpg", number, size=(300, 400))
    return tmp_path / "photos"


def product(
    sku: str, guess: str | None, confidence: float | None = 0.9, *, photos: Path | None = None,
    image: str | None = None, category: str | None = None, mistake: bool = False, failure: str | None = None,
    title: str | None = None,
) -> SheetProduct:  # fmt: skip
    return SheetProduct(
        sku=sku, title=title, guess=guess, confidence=confidence, others=(("Coat", 0.04),), reason="unsure",
        category=category, category_label=category, by_person=False, overruled=None, mistake=mistake,
        root=str(photos) if photos else None, image=image, failure=failure,
    )  # fmt: skip


def write(
    file: Path, *products: SheetProduct, labels: tuple[str, ...] = LABELS, limits: Limits = LIMITS
) -> tuple[int, int]:
    sheet = Sheet("Products that wait", "hangtag review", group_products(products), labels)
    return write_contact_sheet(str(file), sheet, limits=limits, now=NOW, progress=lambda _done, _total: None)


@pytest.fixture
def sheet(photos: Path, tmp_path: Path) -> Path:
    """Seven boots, one of which the shop has as a sandal, then three shirts, then one without a guess."""
    boots = [product(f"B{n}", "Boot", 0.99 - n / 100, photos=photos, image="0.jpg") for n in range(6)]
    mistake = product("M1", "Boot", 0.7, photos=photos, image="1.jpg", category="Sandal", mistake=True)
    shirts = [product(f"S{n}", "Shirt", 0.9 - n / 10, photos=photos, image="2.jpg") for n in range(3)]
    file = tmp_path / "sheet.html"
    write(file, *boots, mistake, *shirts, product("N1", None, None))
    return file


@pytest.fixture
def page(browser: Page, sheet: Path) -> Page:
    return browser.open(sheet)


def test_the_page_shows_groups_with_the_surest_mistakes_first(page: Page) -> None:
    assert page.skus == ["M1", "B0", "B1", "B2", "B3", "B4", "B5", "S0", "S1", "S2", "N1"]
    assert page.texts("h2 .count") == ["7 products, 1 likely mistake", "3 products", "1 product"]
    assert page.card("M1").text.splitlines() == ["shop: Sandal", "M1", "Boot 0.70", "or Coat 0.04"]
    assert page.card("N1").text.splitlines()[:3] == ["No picture: the product has no photo", "N1", "no guess"]


def test_the_page_needs_nothing_but_itself(page: Page, sheet: Path) -> None:
    page.click("B0")
    page.find(".chip").click()
    assert page.ask("performance.getEntriesByType('resource').filter(e => !e.name.startsWith('data:')).length") == 0
    assert page.complaints() == []
    text = sheet.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href|action)=\"(?!data:)", text)
    assert "http" not in text.replace('http-equiv="Content-Security-Policy"', "")


def test_its_policy_stops_a_script_that_is_not_its_own(page: Page) -> None:
    page.ask("void document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"document.title=1\">')")
    page.ask("void document.body.append(Object.assign(document.createElement('script'), {text: 'document.title=1'}))")
    notes = [note["message"] for note in page.complaints()]
    assert len([note for note in notes if "Content Security Policy" in note]) == 2
    assert page.driver.title != "1"


def test_products_ticked_with_the_mouse_are_set_and_downloaded(page: Page) -> None:
    page.click("B1")
    page.click("B3", shift=True)
    assert page.ticked == ["B1", "B2", "B3"]
    page.click("B2")
    assert page.ticked == ["B1", "B3"]
    assert page.find("#ticked").text == "2 ticked"
    assert not page.find("#download").is_enabled()
    page.find(".chip[data-label*=Coat]").click()
    assert page.set_labels == {"B1": "Coat", "B3": "Coat"}
    assert page.ticked == []
    page.driver.find_elements("css selector", ".tick-all")[1].click()
    assert page.ticked == ["S0", "S1", "S2"]
    page.find("#as-guessed").click()
    assert page.find("#download").text == "Download CSV (5)"
    page.find("#download").click()
    content = page.downloaded()
    assert content == b"sku,label\r\nB1,Coat\r\nB3,Coat\r\nS0,Shirt\r\nS1,Shirt\r\nS2,Shirt\r\n"


def test_everything_can_be_done_from_the_keyboard(page: Page) -> None:
    page.press(Keys.ARROW_RIGHT)  # the first key shows where one is
    assert page.focused == "M1"
    page.press("l", Keys.ARROW_RIGHT, "h", " ")
    assert (page.focused, page.ticked) == ("B0", ["B0"])
    page.press_with_shift(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.ticked == ["B0", "B1", "B2"]
    page.press("2")
    assert page.set_labels == dict.fromkeys(("B0", "B1", "B2"), "Coat")
    page.press(Keys.END, Keys.HOME, "s")  # without a tick it is this product, and the next follows
    assert page.set_labels["M1"] == "Sandal"
    assert page.focused == "B3"
    page.press("/", "sne", Keys.ENTER)
    assert page.set_labels["B3"] == "Sneaker"
    assert page.focused == "B4"
    page.press("g", Keys.HOME, "u")
    assert page.set_labels == {"B0": "Coat", "B1": "Coat", "B2": "Coat", "B3": "Sneaker", "B4": "Boot"}
    page.press(Keys.ENTER)
    rows = page.downloaded_rows()
    assert rows == [["sku", "label"], ["B0", "Coat"], ["B1", "Coat"], ["B2", "Coat"], ["B3", "Sneaker"], ["B4", "Boot"]]
    page.press("d")
    assert page.downloaded_rows() == rows
    page.press(Keys.HOME, "a")
    assert len(page.ticked) == 7
    page.press(Keys.ESCAPE)
    assert page.ticked == []


def test_the_arrows_lead_up_and_down_through_rows_and_groups(page: Page) -> None:
    across = page.ask(
        "[...document.querySelectorAll('.card')].filter(c => c.offsetTop === "
        "document.querySelector('.card').offsetTop).length"
    )
    assert across == 6
    page.press("l", "l", "j")
    assert page.focused == "B5"  # the only one in that row
    page.press("j", "l")
    assert page.focused == "S1"
    page.press("j", Keys.ARROW_DOWN, "k")
    assert page.focused == "S0"
    page.press("l", "l", Keys.ARROW_UP, Keys.ARROW_UP, "k")
    assert page.focused == "M1"
    page.press("l", "l")
    page.press("j", "k", Keys.ARROW_LEFT)
    assert page.focused == "M1"


def test_one_product_is_in_the_tab_order_and_a_range_is_ticked_with_shift_and_space(page: Page) -> None:
    assert page.ask("[...document.querySelectorAll('.card input')].filter(i => i.tabIndex === 0).length") == 1
    page.press(Keys.HOME, " ", "l", "l")
    page.press_with_shift(" ")
    assert page.ticked == ["M1", "B0", "B1"]


def test_a_label_that_is_none_is_refused(page: Page) -> None:
    page.click("B0")
    for typed, answer in (("Hat", "No label begins with “Hat”"), ("s", "3 labels begin so: Shirt, Sandal, Sneaker"),
                          (" ", "Type a label first")):  # fmt: skip
        page.find("#label").clear()
        page.find("#label").send_keys(typed, Keys.ENTER)
        assert page.status == answer
        assert page.set_labels == {}
    page.find("#label").clear()
    page.find("#label").send_keys("SHIRT", Keys.ENTER)
    assert page.set_labels == {"B0": "Shirt"}


def test_without_a_tick_a_click_on_a_label_sets_nothing(page: Page) -> None:
    page.find(".chip").click()
    assert (page.set_labels, page.status) == ({}, "Tick some pictures first")


def test_what_was_set_survives_a_reload(page: Page) -> None:
    page.click("S1")
    page.find(".chip[data-label*=Boot]").click()
    page.driver.refresh()
    assert page.set_labels == {"S1": "Boot"}
    assert page.find("#download").text == "Download CSV (1)"
    page.press("d")
    assert page.downloaded_rows() == [["sku", "label"], ["S1", "Boot"]]


def test_the_help_opens_and_closes_and_keys_do_nothing_meanwhile(page: Page) -> None:
    page.press("?")
    assert page.find("#keys").is_displayed()
    page.press("l", "g")
    assert page.set_labels == {}
    page.press(Keys.ESCAPE)
    assert not page.find("#keys").is_displayed()


def test_a_screen_reader_is_told_what_a_box_and_a_group_are(page: Page) -> None:
    box = page.card("B0").find_element("css selector", "input")
    assert box.aria_role == "checkbox"
    assert "B0 Boot 0.99" in " ".join(box.accessible_name.split())
    assert page.find("section").accessible_name == "Boot 7 products, 1 likely mistake"
    assert page.find("#label").accessible_name == "Label"
    assert page.find("#status").aria_role == "status"
    page.press("?")
    buttons = [button.accessible_name for button in page.driver.find_elements("css selector", "button")]
    assert "Keys" not in buttons  # a dialog that is open hides what is behind it from a screen reader
    assert [name for name in buttons if name] == ["Close"]
    page.press(Keys.ESCAPE)
    *others, close = [button.accessible_name for button in page.driver.find_elements("css selector", "button")]
    assert all(others)
    assert close == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_seen_in_light_and_in_dark(page: Page, scheme: str) -> None:
    media = [{"name": "prefers-color-scheme", "value": scheme}]
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    page.press("l")
    pixels = np.asarray(Image.open(BytesIO(page.driver.get_screenshot_as_png())).convert("L"))
    assert len(np.unique(pixels)) > 30
    background = int(np.bincount(pixels[:, :15].ravel()).argmax())
    assert background > 200 if scheme == "light" else background < 60
    assert page.ask("document.querySelector('img').naturalWidth") == 120
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_hostile_names_are_shown_as_text_and_come_back_as_they_were(
    browser: Page, photos: Path, tmp_path: Path
) -> None:
    labels = (*HOSTILE, "Shirt")
    products = [
        product(sku, sku, 0.9 - n / 100, photos=photos, image="0.jpg", category=sku, mistake=True, title=sku)
        for n, sku in enumerate(HOSTILE)
    ]
    write(tmp_path / "hostile.html", *products, labels=labels)
    page = browser.open(tmp_path / "hostile.html")
    assert page.driver.title == f"Products that wait ({len(HOSTILE)})"
    assert page.skus == list(HOSTILE)
    assert len(page.driver.find_elements("css selector", "script")) == 1
    assert page.texts(".card .sku")[2:4] == ["two\\r\\nlines\\rand a\\ttab", "שמלה-\\u202e-cod"]
    assert page.ask("document.documentElement.scrollWidth <= innerWidth")
    page.press(Keys.HOME, *["g"] * len(HOSTILE), "d")
    assert page.downloaded_rows() == [["sku", "label"], *([sku, sku] for sku in HOSTILE)]
    page.click("=1+1")
    page.find("#label").send_keys("two lines and", Keys.ENTER)
    page.find("#download").click()
    assert ["=1+1", HOSTILE[2]] in page.downloaded_rows()
    assert page.complaints() == []


def test_a_photo_that_cannot_be_shown_says_why(photos: Path, tmp_path: Path) -> None:
    truncate(photos / "1.jpg")
    (photos / "notes.jpg").write_text("no picture")
    (photos / "out.jpg").symlink_to("/etc/hostname")
    (photos / "bytes.jpg").write_bytes(bytes(5_000_001))
    draw_picture(photos / "large.png", size=(5000, 4001))
    reasons = {
        "0.jpg": "", "1.jpg": "the JPEG file ends before its picture does", "notes.jpg": "the content is not an image",
        "out.jpg": "the link leads out of its folder", "bytes.jpg": "5000001 bytes, at most 5000000 are read",
        "large.png": "5000 x 4001 is 20,005,000 pixels, at most 20,000,000 are decoded", "gone.jpg": "no such file",
    }  # fmt: skip
    found = {
        name: contact_sheet.draw_picture(product("a", "Boot", photos=photos, image=name), LIMITS) for name in reasons
    }
    assert {name: picture.reason for name, picture in found.items()} == reasons
    assert (found["0.jpg"].width, found["0.jpg"].height) == (120, 160)
    assert all(bool(picture.uri) == (not picture.reason) for picture in found.values())
    failed = product("b", "Boot", photos=photos, image="2.jpg", failure="the decoder died of SIGSEGV")
    assert contact_sheet.draw_picture(failed, LIMITS).reason == "the decoder died of SIGSEGV"
    file = tmp_path / "sheet.html"
    size_bytes, without_picture = write(
        file, *(product(name, "Boot", photos=photos, image=name) for name in reasons), failed
    )
    assert (size_bytes, without_picture) == (file.stat().st_size, 7)
    assert "No picture: the decoder died of SIGSEGV" in file.read_text(encoding="utf-8")


def test_a_note_stands_in_the_place_of_the_other_guesses(tmp_path: Path) -> None:
    file = tmp_path / "sheet.html"
    write(file, replace(product("a", "Boot"), note="was <Coat>"), product("b", "Boot"))

    page = file.read_text(encoding="utf-8")

    assert page.count("was &lt;Coat&gt;") == 1
    assert page.count("or <bdi>Coat</bdi>") == 1


def test_a_guess_without_a_category_goes_by_the_models_name_and_is_never_set(tmp_path: Path) -> None:
    file = tmp_path / "sheet.html"
    write(file, replace(product("a", None), unnamed="Bag", confidence=0.98))

    page = file.read_text(encoding="utf-8")

    assert "<bdi>Without a category</bdi>" in page
    assert "<bdi>Bag</bdi> <i>0.98</i>" in page
    assert 'data-guess="null"' in page


def test_pictures_are_written_as_they_are_drawn(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (160, 160, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    some = [product(f"P{n}", "Boot", photos=tmp_path, image="noise.png") for n in range(500)]
    write(tmp_path / "first.html", some[0])  # what is loaded once is not counted
    tracemalloc.start()
    try:
        size_bytes, _ = write(tmp_path / "sheet.html", *some)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size_bytes > 8_000_000
    assert peak_bytes < 2_000_000


def test_a_page_that_cannot_be_written_leaves_the_one_before(sheet: Path, photos: Path) -> None:
    before = sheet.read_bytes()

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    groups = group_products([product("a", "Boot", photos=photos, image="0.jpg")])
    with pytest.raises(KeyboardInterrupt):
        write_contact_sheet(str(sheet), Sheet("x", "x", groups, []), limits=LIMITS, now=NOW, progress=interrupt)
    assert sheet.read_bytes() == before
    write(sheet, product("a", "Boot"))
    assert sheet.read_bytes() != before
    assert sorted(path.name for path in sheet.parent.iterdir()) == ["photos", "sheet.html"]


def test_a_list_is_not_written_over_by_a_page(tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("sku,label\n")
    with pytest.raises(UsageError, match=r"words\.csv is there and is no page; it is left as it is"):
        write(tmp_path / "words.csv", product("a", "Boot"))
    assert (tmp_path / "words.csv").read_text() == "sku,label\n"


@pytest.mark.parametrize(
    ("file", "words"), [("/dev/null", "is no regular file"), ("nowhere/sheet.html", "No such file or directory")]
)
def test_a_place_that_takes_no_file_is_named(tmp_path: Path, file: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        write(tmp_path / file, product("a", "Boot"))


def test_review_and_find_write_sheets_of_a_real_catalog(
    command_line: CommandLine, browser: Page, tmp_path: Path
) -> None:
    photos = draw_folder(tmp_path / "photos", 40)
    command_line.tag(photos)
    waiting = [row["sku"] for row in command_line.rows("review", "--all")]
    shown = [row["sku"] for row in command_line.rows("find", "--all")]
    assert len(waiting) > 2
    (photos / "P000_1.jpg").unlink()
    (photos / "P000_2.png").unlink()

    done = command_line.run("review", "--html", tmp_path / "review.html", "--limit", "2")
    assert (done.returncode, done.stdout) == (0, "")
    first, second, more = done.stderr.splitlines()
    assert first.startswith(f"{tmp_path / 'review.html'}: 2 products")
    assert second.startswith(f"{len(waiting)} products wait in all; a page with --all would have about ")
    assert more.startswith("More: hangtag review --limit 2 --html ")
    assert len(browser.open(tmp_path / "review.html").skus) == 2

    done = command_line.run("find", "--all", "--html", tmp_path / "find.html")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"{tmp_path / 'find.html'}: {len(shown)} products, 1 without a picture, ")
    page = browser.open(tmp_path / "find.html")
    assert sorted(page.skus) == sorted(shown)
    assert page.texts(".none") == ["No picture: no such file"]
    assert page.texts("header code") == ["hangtag find --all"]

    done = command_line.run("find", "--sku", "nothing", "--html", tmp_path / "empty.html")
    assert done.stderr.splitlines()[0] == "Nothing found."
    assert browser.open(tmp_path / "empty.html").texts(".empty") == ["Nothing here: no product fits."]
    page.press("l", "j", "a", "g", "d", " ")
    assert page.complaints() == []

    done = command_line.run("find", "--json", "--html", tmp_path / "x.html")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--html and --json exclude each other" in done.stderr
    done = command_line.run("find", "--html", tmp_path / "nowhere" / "x.html")
    assert (done.returncode, done.stderr) == (
        2, f"hangtag: cannot write {tmp_path / 'nowhere' / 'x.html'}: No such file or directory\n",
    )  # fmt: skip
