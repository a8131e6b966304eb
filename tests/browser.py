"""Headless Chromium for tests, spoken to through its DevTools."""

import base64
import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import websocket

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """One page of the browser."""

    def __init__(self, connection: websocket.WebSocket):
        self.connection, self.sent = connection, 0

    def call(self, method: str, **parameters) -> dict:
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        self.connection.send(json.dumps(message))
        while True:  # events come between
            answer = json.loads(self.connection.recv())
            if answer.get("id") == self.sent:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, expression: str):
        """The value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, path: Path, width: int, height: int = 900, dark: bool = False) -> None:
        """Load a file as a screen of that width shows it; a phone's up to 500 pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width <= 500)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=path.resolve().as_uri())
        for _ in range(200):
            if self.evaluate("location.protocol + document.readyState") == "file:complete":
                return
            time.sleep(0.05)
        raise TimeoutError(f"{path} did not load")

    def screenshot(self, path: Path) -> Path:
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))
        return path


@contextmanager
def browser(profile: Path):
    """Start Chromium with its settings in folder `profile`, yield a `Page`, end it."""
    process = subprocess.Popen(
        [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
         "--remote-debugging-port=0", "--remote-allow-origins=*", f"--user-data-dir={profile}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = profile / "DevToolsActivePort"
        for _ in range(600):
            if told.is_file() and told.read_text().count("\n"):
                break
            time.sleep(0.1)
        port = told.read_text().split()[0]
        new = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        target = json.loads(urlopen(new, timeout=60).read())
        connection = websocket.create_connection(target["webSocketDebuggerUrl"], timeout=60)
        yield Page(connection)
        connection.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
