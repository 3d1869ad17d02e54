"""The pages in the real browser: nothing fails, nothing is fetched from elsewhere, everybody can use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from drystone.ledger import runs
from drystone.server import urls

AUDIT = (Path(__file__).parent / "accessibility.js").read_text()


def every_page(project) -> list[str]:
    train = runs.recent(project.ledger, name="train", limit=3)
    return [
        "/",
        "/runs?metric=valid.auc&metric=holdout.auc",
        urls.run(train[0].run),
        urls.run(train[1].run) + "?chart=train.loss&chart=gradient.norm&chart=broken",
        urls.run(runs.recent(project.ledger, kind="test", limit=1)[0].run),
        urls.compare(train[2].run, train[1].run),
        "/pipeline",
        "/models",
        "/models/late-arrival",
        "/models/late-arrival/v2",
        "/data/training/v1",
        "/deployments",
        "/deployments/production",
        "/monitors/production",
        urls.stored(project.objects["data/training.parquet"]),
        "/models/none",
    ]


@pytest.fixture
def context(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    opened = chromium.new_context(viewport={"width": 1280, "height": 900}, **getattr(request, "param", {}))
    yield opened
    opened.close()


def opened(context: BrowserContext, url: str, complaints: list[str]) -> Page:
    page = context.new_page()
    page.on(
        "console",
        lambda message: (
            complaints.append(f"{message.type}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # An icon that was still being fetched when the next page was opened has not failed.
    page.on(
        "requestfailed",
        lambda request: (
            complaints.append(f"not loaded: {request.url}")
            if "ABORTED" not in (request.failure or "")
            else None
        ),
    )
    page.goto(url)
    return page


@pytest.mark.parametrize(
    "context", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
def test_every_page_is_accessible_quiet_and_asks_nobody_else(
    context, project, address: Callable[..., str]
) -> None:
    base, complaints, asked, problems = address(project), list[str](), set[str](), []
    context.on("request", lambda request: asked.add(request.url))
    page = opened(context, base, complaints)
    for path in every_page(project):
        page.goto(base + path)
        problems += [f"{path}: {problem}" for problem in page.evaluate(AUDIT)]
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        problems += [f"{path} unfolded: {problem}" for problem in page.evaluate(AUDIT)]
    assert not problems, "\n".join(sorted(set(problems))[:20])
    assert len(complaints) == 1 and "404" in complaints[0], (
        "only the page that is not there is complained about"
    )
    assert all(url.startswith(f"{base}/") for url in asked)


def test_the_audit_itself_finds_what_it_looks_for(context, project, address: Callable[..., str]) -> None:
    page = opened(context, address(project) + "/runs", [])
    page.evaluate("""() => {
      document.querySelector("thead th:nth-child(3)").removeAttribute("scope");
      document.querySelector("tbody td:nth-child(3)").style.color = "#999";
      document.querySelector("caption").remove();
      document.querySelector(".brand img").removeAttribute("alt");
      document.querySelector(".glyph").removeAttribute("aria-hidden");
      document.querySelector("h1").outerHTML = "<h3>Runs</h3>";
      document.querySelector("tbody input").removeAttribute("aria-label");
      document.querySelector(".top nav ul").style.display = "block";
      document.querySelectorAll("nav a").forEach((one) => { one.style = "padding: 0; line-height: 1" });
    }""")
    found = "\n".join(page.evaluate(AUDIT))
    for words in (
        "has no scope",
        "contrast 2.",
        "no caption",
        "no alternative",
        "drawing has no name",
        "not one h1",
        "headings is skipped",
        "control has no name",
        "smaller than 24 px",
    ):
        assert words in found, found


def test_everything_can_be_done_with_the_keyboard_and_focus_is_seen(
    context, project, address: Callable[..., str]
) -> None:
    page = opened(context, address(project) + "/runs", [])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.reload()
    reached = []
    for _ in range(16):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.textContent.trim() || document.activeElement.name")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached[-1]
    assert reached[1:8] == ["Drystone", "Overview", "Runs", "Pipeline", "Data", "Models", "Deployments"]
    assert reached[8:] == [
        "JSON",
        "name",
        page.locator("select[name=kind]").text_content(),
        page.locator("select[name=status]").text_content(),
        "experiment",
        "metric",
        "Show",
        "run",
    ]
    page.keyboard.press("Space")
    page.locator("tbody input").nth(1).check()
    page.get_by_role("button", name="Compare chosen").press("Enter")
    page.wait_for_url("**/runs/compare?**")
    assert page.locator("h1").text_content() == "train against notebook"


def test_a_filter_and_a_column_are_chosen_by_form_and_live_in_the_address(
    context, project, address: Callable[..., str]
) -> None:
    page = opened(context, address(project) + "/runs", [])
    page.get_by_label("Name").fill("train")
    page.get_by_label("Add a metric column").fill("valid.auc")
    page.get_by_label("Status").select_option("succeeded")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**name=train**")
    assert page.locator("tbody tr").count() == 2
    assert "metric=valid.auc" in page.url
    page.get_by_role("link", name="valid.auc").click()
    page.wait_for_load_state()
    assert "metric" not in page.url and "name=train" in page.url


@pytest.mark.parametrize("context", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_moves_for_those_who_asked_for_that(context, project, address: Callable[..., str]) -> None:
    page = opened(context, address(project), [])
    durations = page.evaluate(
        "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one).transitionDuration)"
    )
    assert set(durations) <= {"0s"}


def test_pages_fit_a_phone_and_the_largest_zoom(context, project, address: Callable[..., str]) -> None:
    page = opened(context, address(project), [])
    page.set_viewport_size({"width": 320, "height": 640})
    for path in every_page(project):
        page.goto(address(project) + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert not page.evaluate(AUDIT), path


def test_hostile_names_do_nothing_in_a_real_browser(context, evil, address: Callable[..., str]) -> None:
    base, complaints, dialogs = address(evil), list[str](), list[str]()
    name = runs.recent(evil.ledger, kind="command", limit=1)[0]
    page = opened(context, base, complaints)
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for path in (
        "/",
        "/runs",
        urls.run(name.run),
        urls.asset("model", name.name),
        urls.asset("model", name.name, 1),
        urls.monitor(name.name),
        urls.deployment(name.name),
    ):
        page.goto(base + path)
        assert page.locator("main script, main b, main iframe").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, path
    assert not complaints and not dialogs


def test_pages_are_made_within_a_blink_with_many_runs(context, crowd, address: Callable[..., str]) -> None:
    page = opened(context, address(crowd) + "/runs", [])
    times = []
    for _ in range(5):
        page.goto(address(crowd) + "/runs?metric=loss")
        times.append(page.evaluate("performance.getEntriesByType('navigation')[0].responseEnd"))
    assert min(times) < 500, "milliseconds, generous because the machine may be busy"
