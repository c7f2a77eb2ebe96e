"""The page in a real Chromium: typing, picking, sliding, dialogs, by mouse and by keyboard, narrow and wide."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_shop import serving

from darec.serving.settings import ServingSettings

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no chromium here: apt-get install chromium chromium-driver"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.implicitly_wait(0)
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def site(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log")
    with serving(ServingSettings(bundle=str(bundle), log=str(log))) as url:
        yield url


class Page:
    """What a test does with a page."""

    def __init__(self, browser: Any, site: str) -> None:
        self.browser, self.site = browser, site

    def open(self, path: str = "/", width: int = 1600, *, dark: bool = False) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})
        self.browser.get(self.site + path)

    def js(self, code: str, *arguments: Any) -> Any:
        return self.browser.execute_script(f"return {code}", *arguments)

    def until(self, code: str) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, 8, 0.03).until(lambda _: self.js(code), code)

    def element(self, selector: str) -> Any:
        self.until(f"!!document.querySelector({selector!r})")
        return self.browser.find_element("css selector", selector)

    def keys(self, *keys: str) -> None:
        self.browser.switch_to.active_element.send_keys(*keys)

    def titles(self) -> list[str]:
        found: list[str] = self.js(
            "[...document.querySelectorAll('.card h2')].map(e => e.textContent)"
        )
        return found


@pytest.fixture
def page(browser: Any, site: str) -> Iterator[Page]:
    yield Page(browser, site)
    errors = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    # An answer of 404 or 422 is told on the page, and by the browser on its console.
    assert not [entry for entry in errors if "status of 4" not in entry["message"]]


def test_picking_and_sliding_changes_the_list(page: Page) -> None:
    page.open()
    box = page.element("#add")
    box.send_keys("tent no. 1")
    page.until("document.querySelectorAll('#add-options [data-id]').length == 3")
    assert box.get_attribute("aria-expanded") == "true"
    page.element("#add-options [data-id=i11]").click()
    page.until("document.querySelectorAll('.card').length == 12")
    assert page.js("location.search") == "?liked=i11" and box.get_attribute("value") == ""
    assert "Because you like Tent No. 11" in page.element("#results h1").text
    before = page.titles()
    slider = page.element("#diversity")
    page.js(
        "arguments[0].value = 1, arguments[0].dispatchEvent(new Event('input', {bubbles: true}))",
        slider,
    )
    page.until("location.search.includes('diversity=1')")
    assert page.titles() != before and page.js("document.querySelector('output').value") == "1.0"
    page.element(".card .acts button").click()  # I like this
    page.until("document.querySelectorAll('#liked .chip').length == 2")
    page.until("document.activeElement.id == 'results'")  # the button that was pressed is gone
    assert page.js("document.querySelector('#status').textContent").startswith("12 items, first ")
    page.element("#liked .chip button").click()
    page.until("document.querySelectorAll('#liked .chip').length == 1")
    page.browser.back()
    page.until("document.querySelectorAll('#liked .chip').length == 2")


def test_all_of_it_goes_by_keyboard(page: Page) -> None:
    from selenium.webdriver.common.keys import Keys

    page.open()
    page.keys(Keys.TAB)
    assert page.js("document.activeElement.className") == "skip"
    page.element("#add").send_keys("boots")
    page.until("document.querySelectorAll('#add-options [data-id]').length > 2")
    page.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert (
        page.js("document.activeElement.getAttribute('aria-activedescendant')") == "add-options-0"
    )
    page.keys(Keys.ESCAPE)
    assert page.js("document.querySelector('#add-options').hidden")
    page.keys("!", Keys.BACKSPACE)
    page.until("!document.querySelector('#add-options').hidden")
    page.keys(Keys.ARROW_DOWN, Keys.ENTER)
    page.until("document.querySelectorAll('.card').length == 12")
    link = page.element(".card .acts a[href^='/change']")
    page.js("arguments[0].focus()", link)
    page.keys(Keys.ENTER)
    page.until("document.querySelector('#dialog').open")
    assert page.js("document.activeElement.id") == "dialog-title"
    assert "too" in page.js("document.activeElement.textContent")
    assert page.js("document.querySelectorAll('.changes li').length") == 12
    page.keys(Keys.ESCAPE)
    page.until("!document.querySelector('#dialog').open")
    assert page.js("document.activeElement === arguments[0]", link), "the focus comes back"


def test_a_user_and_one_that_is_none(page: Page) -> None:
    page.open()
    page.js("document.querySelector('[name=mode][value=user]').click()")
    box = page.element("#user")
    page.until("document.querySelector('#user').offsetParent !== null")
    box.send_keys("u1")
    page.until("document.querySelectorAll('#user-options [data-id]').length == 6")
    page.element("#user-options [data-id=u12]").click()
    page.until("document.querySelectorAll('.card').length == 12")
    assert page.element("#results h1").text == "For u12"
    page.element(".card .acts a[href^='/similar']").click()
    page.until("document.querySelector('#dialog').open")
    page.element(".close").click()
    page.until("!document.querySelector('#dialog').open")
    box.clear()
    box.send_keys("nobody\n")
    assert "no user 'nobody'" in page.element("#results [role=alert]").text


@pytest.mark.parametrize("width", [380, 1600])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_and_can_be_read(page: Page, width: int, dark: bool) -> None:
    for path in (
        "/",
        "/?liked=i1&liked=i7",
        "/?user=u3",
        "/change?liked=i1&item=i2",
        "/?user=nobody",
    ):
        page.open(path, width, dark=dark)
        assert page.js("document.documentElement.scrollWidth") <= width, path
        low = page.js(f"({CONTRAST})()")
        assert low == [], (path, low)
        nameless = page.js(
            "[...document.querySelectorAll('input:not([type=hidden]), button, a')].filter(e => "
            "!(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length)))"
            ".map(e => e.outerHTML)"
        )
        assert nameless == [], path
        assert page.js("document.querySelectorAll('h1').length") == 1
        ids = page.js("[...document.querySelectorAll('[id]')].map(e => e.id)")
        assert len(ids) == len({*ids})


# Every text against what is behind it, by WCAG 2: 4.5 to 1, or 3 to 1 where it is large.
CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.offsetParent || e.closest('svg')) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    const ratio = (a + .05) / (b + .05);
    if (ratio < least) low.push([e.className || e.tagName, e.textContent.slice(0, 30), ratio]);
  }
  return low;
}"""
