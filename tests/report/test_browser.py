import needs
import pytest
from report.browser import open_browser

pytestmark = needs.chromium

COLUMN = "[...document.querySelectorAll('#agreement tbody tr')].map(row => row.cells[{}].textContent)"
WIDER = """return [...document.querySelectorAll('body *')]
  .filter(part => !part.closest('.scroll') && !part.closest('pre') && part.getBoundingClientRect().right > innerWidth)
  .map(part => part.outerHTML.slice(0, 80))"""
LOADED = """const all = [...document.querySelectorAll('audio, img')];
  return all.length > 0 && all.every(part => part.duration > 0 || part.naturalWidth > 0)"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_all_loads_without_an_error_and_fits(browser, page, width, scheme):
    browser.view(page, width, scheme)
    assert browser.wait(LOADED)
    assert browser.run("return document.querySelectorAll('audio').length") == 9
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.run(WIDER) == []
    assert width < 1280 or browser.run(
        "const t = document.querySelector('#agreement .scroll'); return t.scrollWidth <= t.clientWidth"
    )
    assert browser.console() == []


def test_paper_and_ink_change_places_in_the_dark(browser, page):
    shades = []
    for scheme in ("light", "dark"):
        browser.view(page, 1280, scheme)
        look = "const s = getComputedStyle(document.documentElement); return [s.backgroundColor, s.color]"
        shades.append([sum(map(int, colour[4:-1].split(","))) for colour in browser.run(look)])
    (light_paper, light_ink), (dark_paper, dark_ink) = shades
    assert light_paper - light_ink > 450
    assert dark_ink - dark_paper > 450


def test_a_table_sorts_by_click_and_by_key(browser, page):
    browser.view(page, 1280, "light")
    before = browser.run(f"return {COLUMN.format(0)}")
    heading = "document.querySelectorAll('#agreement th')[{}]"
    browser.run(f"{heading.format(0)}.querySelector('button').click()")
    assert browser.run(f"return {COLUMN.format(0)}") == sorted(before)
    assert browser.run(f"return {heading.format(0)}.ariaSort") == "ascending"
    browser.run(f"{heading.format(2)}.querySelector('button').focus()")
    for _ in range(2):
        browser.devtools("Input.dispatchKeyEvent", type="keyDown", key="Enter", code="Enter", text="\r")
        browser.devtools("Input.dispatchKeyEvent", type="keyUp", key="Enter", code="Enter")
    rho = [float(cell.split()[0]) for cell in browser.run(f"return {COLUMN.format(2)}")]
    assert rho == sorted(rho)
    assert [browser.run(f"return {heading.format(i)}.ariaSort") for i in (0, 2)] == ["none", "ascending"]


def test_copying_says_what_it_did(browser, page):
    browser.view(page, 400, "dark")
    browser.run("document.querySelector('#winners .copy').click()")
    assert browser.wait("return /copied|selected/.test(document.getElementById('status').textContent)")
