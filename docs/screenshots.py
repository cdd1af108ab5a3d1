"""Takes the README's pictures from a running demo: `python -m docs.screenshots http://127.0.0.1:8501`.

One picture per role of the page that it lands on, one each of the fraud and the identity page, and two as a phone shows them.
Needs Debian's Chromium.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).resolve().parent / "images"
CHROMIUM = "/usr/bin/chromium"
DESKTOP = (1280, 800)
PHONE = (360, 640)
SETTLE_MS = 1500  # maps and charts draw after the page has been sent

# file name, demo account, window, page (empty: where the account lands)
PICTURES = (
    ("teacher", "T12345", DESKTOP, ""),
    ("verifier", "V001", DESKTOP, ""),
    ("senior-verifier", "SV001", DESKTOP, ""),
    ("supervisor", "SUP001", DESKTOP, ""),
    ("officer", "MCO001", DESKTOP, ""),
    ("district-admin", "DADMIN001", DESKTOP, ""),
    ("state-admin", "ADMIN001", DESKTOP, ""),
    ("auditor", "AUD001", DESKTOP, ""),
    ("fraud", "DADMIN001", DESKTOP, "/fraud"),
    ("identity", "ADMIN001", DESKTOP, "/identity"),
    ("teacher-phone", "T12345", PHONE, ""),
    ("officer-phone", "MCO001", PHONE, ""),
)


def take(browser: Browser, address: str, name: str, account: str, window: tuple[int, int], page_path: str) -> Path:
    """Sign in as the demo account and keep what it lands on, or the page with that path."""
    page = browser.new_page(viewport={"width": window[0], "height": window[1]})
    page.goto(f"{address}/auth/login?next={page_path or '/'}")
    page.locator(f"button[name=demo][value={account}]").click()
    page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning'] .shell-bar")
    page.wait_for_timeout(SETTLE_MS)
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    page.close()
    return path


def main(arguments: list[str]) -> int:
    """Take all pictures, or those named after the address."""
    address, wanted = arguments[0].rstrip("/"), set(arguments[1:])
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name, account, window, page_path in PICTURES:
            if not wanted or name in wanted:
                sys.stdout.write(f"{take(browser, address, name, account, window, page_path)}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
