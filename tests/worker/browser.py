"""A real browser without a window, and a contact sheet in it as a person uses it."""

import csv
import io
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DOWNLOAD_S = 10.0


def find_program(*names: str) -> str:
    """The path of the first of these programs; the tests are not skipped without."""
    path = next((path for name in names if (path := shutil.which(name))), None)
    assert path is not None, f"the tests need {' or '.join(names)}: on Debian, the packages chromium, chromium-driver"
    return path


@contextmanager
def running_chromium(downloads: Path) -> Iterator[Chrome]:
    """A headless Chromium that downloads into a folder without asking."""
    options = ChromeOptions()
    # Its sandbox refuses root, and containers have a small /dev/shm.
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "window-size=1200,900"):
        options.add_argument(f"--{argument}")
    options.binary_location = find_program(*BROWSERS)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    # With both paths given, Selenium looks for nothing and downloads nothing.
    service = Service(find_program("chromedriver"), log_output=subprocess.DEVNULL)
    driver = Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


@dataclass
class Page:
    """A contact sheet that is open."""

    driver: Chrome
    downloads: Path

    def open(self, file: Path) -> "Page":
        self.driver.get(file.absolute().as_uri())
        return self

    def find(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def ask(self, script: str) -> Any:  # noqa: ANN401  (of whatever type the script gives)
        return self.driver.execute_script(f"return {script}")

    def press(self, *keys: str) -> None:
        """Keys one after another, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def press_with_shift(self, *keys: str) -> None:
        ActionChains(self.driver).key_down(Keys.SHIFT).send_keys(*keys).key_up(Keys.SHIFT).perform()

    def click(self, sku: str, *, shift: bool = False) -> None:
        """A click on the picture of a product."""
        chain = ActionChains(self.driver)
        if shift:
            chain.key_down(Keys.SHIFT)
        chain.click(self.card(sku).find_element(By.CSS_SELECTOR, ".photo"))
        if shift:
            chain.key_up(Keys.SHIFT)
        chain.perform()

    def card(self, sku: str) -> WebElement:
        cards = self.driver.find_elements(By.CSS_SELECTOR, ".card")
        return next(card for card in cards if card.find_element(By.CSS_SELECTOR, ".sku").text == sku)

    @property
    def skus(self) -> list[str]:
        """Every product in the page's order."""
        found: list[str] = self.ask("[...document.querySelectorAll('.card')].map(c => JSON.parse(c.dataset.sku))")
        return found

    @property
    def ticked(self) -> list[str]:
        """The products whose box is ticked."""
        found: list[str] = self.ask(
            "[...document.querySelectorAll('.card:has(:checked)')].map(c => JSON.parse(c.dataset.sku))"
        )
        return found

    @property
    def focused(self) -> str | None:
        """The product that has the focus."""
        found: str | None = self.ask(
            "document.activeElement.closest('.card') && JSON.parse(document.activeElement.closest('.card').dataset.sku)"
        )
        return found

    @property
    def set_labels(self) -> dict[str, str]:
        """What the cards say was set, by SKU."""
        found: dict[str, str] = self.ask(
            "Object.fromEntries([...document.querySelectorAll('.done')].map(c => "
            "[JSON.parse(c.dataset.sku), c.querySelector('.set').textContent]))"
        )
        return {sku: text.removeprefix("→ ") for sku, text in found.items()}

    @property
    def status(self) -> str:
        """What the page said last."""
        return self.find("#status").text

    def complaints(self) -> list[dict[str, Any]]:
        """What the browser noted since the last call: errors, and what the page's policy forbade."""
        found: list[dict[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return found

    def downloaded(self) -> bytes:
        """The content of the file that was downloaded last, and is taken away."""
        deadline = time.monotonic() + DOWNLOAD_S
        # Chromium holds the name with an empty file until the content is whole.
        while not (files := [file for file in self.downloads.glob("*.csv") if file.stat().st_size]):
            assert time.monotonic() < deadline, "nothing was downloaded"
            time.sleep(0.02)
        content = files[0].read_bytes()
        files[0].unlink()
        return content

    def downloaded_rows(self) -> list[list[str]]:
        """Its rows as Python's own reader has them."""
        return list(csv.reader(io.StringIO(self.downloaded().decode("utf-8"), newline="")))
