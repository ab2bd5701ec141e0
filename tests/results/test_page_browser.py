"""The page in a real browser: headless Chromium from the system's packages, driven by Selenium."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from results.page import page
from results.store import Store
from tests.results.page_study import CHANCES, fill_page, read_page
from tests.results.test_page_samples import HOSTILE_ANSWERS

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.slow
ARMS = [*CHANCES, "kto"]
PHONE, DESKTOP = (390, 844), (1400, 900)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study in which the arms' answers are hostile."""
    folder = tmp_path_factory.mktemp("browser")
    texts = dict(zip(CHANCES, HOSTILE_ANSWERS.values(), strict=False))
    with Store.open(folder / "store.db") as store:
        fill_page(store, folder, texts)
        (folder / "page.html").write_text(page(*read_page(store, folder)), encoding="utf-8")
    return folder / "page.html"


@pytest.fixture(scope="module")
def browser() -> Iterator["Chrome"]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no browser: install Debian's packages chromium and chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: install the extra 'dev'")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


@pytest.fixture
def shown(browser: "Chrome", file: Path) -> Iterator["Chrome"]:
    """The page freshly opened on a desktop; at the end nothing was complained of and nothing was asked for."""
    browser.get_log("browser")
    browser.get_log("performance")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.set_window_size(*DESKTOP)
    browser.get(file.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert {url.partition("#")[0] for url in asked} == {file.as_uri()}


def find(browser: "Chrome", css: str) -> "WebElement":
    found: WebElement = browser.find_element("css selector", css)
    return found


def order(browser: "Chrome") -> list[str]:
    """The arms that can be seen, from the top."""
    script = """
        return [...document.querySelectorAll('#board tbody')]
          .filter((body) => body.checkVisibility()).map((body) => body.querySelector('.name').textContent)"""
    names: list[str] = browser.execute_script(script)
    return names


def test_the_page_is_read_from_its_top(shown: "Chrome") -> None:
    assert shown.title == "A study of everything · bridgebench"
    assert find(shown, ".lead").text == "1 of 4 compared arms beats sft in alpaca_eval win_rate, and 1 does worse."
    assert order(shown)[0] == "dft" and sorted(order(shown)) == sorted(ARMS)


def test_columns_sort_both_ways_and_say_so(shown: "Chrome") -> None:
    before = order(shown)
    head = shown.find_elements("css selector", "#board thead th")[1]
    assert head.get_attribute("aria-sort") == "descending"
    head.find_element("css selector", "button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    # The arm without a value stays below.
    assert order(shown) == [*reversed(before[:-1]), before[-1]] and before[-1] == "kto"
    name = shown.find_elements("css selector", "#board thead th")[0]
    name.find_element("css selector", "button").click()
    assert order(shown) == sorted(ARMS) and head.get_attribute("aria-sort") is None


def test_rows_are_filtered_by_text_comparison_and_objective(shown: "Chrome") -> None:
    from selenium.webdriver.support.select import Select

    find(shown, "#filter-text").send_keys("SFT-")
    assert sorted(order(shown)) == ["sft-high", "sft-low"]
    assert find(shown, "#filter-count").text == "2 of 6 arms"
    find(shown, "#filter button[type=reset]").click()
    assert len(order(shown)) == len(ARMS)
    for name, value, left in (("objective", "dft", ["dft"]), ("comparison", "short", sorted({*ARMS} - {"base"}))):
        Select(find(shown, f"select[data-filter={name}]")).select_by_value(value)
        assert sorted(order(shown)) == left
        find(shown, "#filter button[type=reset]").click()
        assert len(order(shown)) == len(ARMS)


def test_another_baseline_can_be_chosen(shown: "Chrome") -> None:
    def visible() -> "list[WebElement]":
        return [one for one in shown.find_elements("css selector", "#gains [data-table]") if one.is_displayed()]

    (own,) = visible()
    assert "Differences to sft," in own.text and "chosen after looking" not in own.text
    options = shown.find_elements("css selector", "#baseline option")
    assert {option.text.partition(" ")[0] for option in options} == CHANCES.keys()
    next(option for option in options if option.text == "dft").click()
    (other,) = visible()
    assert "Differences to dft," in other.text and "chosen after looking" in other.text
    assert other.text.count("worse") >= 4


def test_a_row_opens_and_shows_where_it_comes_from(shown: "Chrome") -> None:
    row = find(shown, "#board tbody .provenance")
    assert "bridgebench run small" not in row.text
    row.find_element("css selector", "summary").click()
    for fact in ("bridgebench run small", "0123456789ab", "huggingface", "numpy 2.3.5", "c" * 64):
        assert fact in row.text


def test_sample_answers_open_and_model_output_does_not_run(shown: "Chrome") -> None:
    from selenium.webdriver.common.keys import Keys

    for summary in shown.find_elements("css selector", ".samples > summary"):
        summary.send_keys(Keys.ENTER)
    answers = shown.find_elements("css selector", ".answer")
    assert len(answers) >= 2 * 3 * (len(CHANCES) - 1) and all(one.is_displayed() for one in answers)
    texts = {one.text for one in answers}
    assert any("<script>alert(1)</script>" in text for text in texts)
    assert shown.execute_script("return document.querySelectorAll('script, img, iframe').length") == 1
    width = shown.execute_script("return document.documentElement.scrollWidth")
    assert width <= DESKTOP[0]


def test_the_keyboard_reaches_and_works_everything(shown: "Chrome") -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(key: str) -> None:
        ActionChains(shown).send_keys(key).perform()

    def focused(what: str) -> object:
        return shown.execute_script(f"return document.activeElement.{what}")

    press(Keys.TAB)
    assert focused("className") == "skip" and focused("getBoundingClientRect().left >= 0") is True
    seen: list[object] = []
    for _ in range(60):
        press(Keys.TAB)
        seen.append(focused("tagName"))
        if focused("id") == "filter-text":
            press("d")
            press("f")
            assert order(shown) == ["dft"]
        if focused("tagName") == "SUMMARY":
            break
    assert {"A", "INPUT", "SELECT", "BUTTON", "DIV", "SUMMARY"} <= set(seen)
    outline = shown.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    press(Keys.ENTER)
    assert focused("parentElement.open") is True
    find(shown, "#board thead button").send_keys(Keys.ENTER)
    assert find(shown, "#board thead th").get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(shown: "Chrome", scheme: str) -> None:
    width, height = PHONE
    metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": True}
    shown.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    shown.execute_script("for (const one of document.querySelectorAll('details')) one.open = true;")
    assert shown.execute_script("return document.documentElement.scrollWidth") == width
    outside = """
        const inScroller = (e) => e.closest('.scroll, .hidden, .skip');
        return [...document.querySelectorAll('body *')].filter(
          (e) => e.checkVisibility() && !inScroller(e) && e.getBoundingClientRect().right > innerWidth + 1).length"""
    assert shown.execute_script(outside) == 0
    assert find(shown, "#board thead button").is_displayed()
    heights = [one.rect["height"] for one in shown.find_elements("css selector", "summary") if one.is_displayed()]
    assert heights and min(heights) >= 24, "a finger's target, after WCAG 2.5.8"
    tree = shown.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    said = {node["name"]["value"] for node in tree if node["role"]["value"] == "columnheader" and not node["ignored"]}
    assert {"detectable", "so it is", "verdict"} <= said


def test_the_page_prints(shown: "Chrome") -> None:
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not find(shown, "#filter").is_displayed() and not find(shown, "nav").is_displayed()
    assert find(shown, "#board").is_displayed() and find(shown, "figure svg").is_displayed()
    printed = shown.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False})
    shown.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF-") and pdf.count(b"/Type /Page\n") >= 2


def test_the_page_reads_without_its_script(shown: "Chrome") -> None:
    shown.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        shown.refresh()
        assert not find(shown, "#filter").is_displayed() and not find(shown, "#choose").is_displayed()
        assert find(shown, "#board").is_displayed() and find(shown, "#gains table").is_displayed()
    finally:
        shown.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
