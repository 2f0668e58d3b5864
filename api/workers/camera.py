"""A camera: a browser without a window, which takes a picture of an address as somebody without log-ins sees it.

Each picture has a world and a way out of its own, closed when it is taken. The browser is begun when somebody wants a
picture, and ended when nobody has for a while.
"""

import asyncio
import logging
import shutil
import struct
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from api.outbound import Guard
from api.workers.egress import Egress, EgressLimits, egress

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page, Playwright, Response

_log = logging.getLogger(__name__)

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_NOT_INSTALLED = "This server takes no screenshots: install ringside[screenshots] and Chromium on it."
_NO_PROGRAM = "This server has no Chromium: install it, or name it in RINGSIDE_CHROMIUM."
_CLOSE_SECONDS = 5.0
# So long whoever is cancelled waits for what goes on without him.
_STOP_SECONDS = 2 * _CLOSE_SECONDS
_PNG_HEAD = 24
_FORBIDDEN = "This address lies in a network that this server does not ask in."
# All names are looked up, and all connections made, by the proxy: what would go around it leads nowhere.
_ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--no-pings",
    "--renderer-process-limit=4",
    "--js-flags=--max-old-space-size=256",
)
# Calls between browsers know ways of their own, and windows that a page opens are none of its picture.
_ALONE = """
for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection']) { delete globalThis[name]; }
globalThis.open = () => null;
"""


@dataclass(frozen=True, kw_only=True)
class CameraLimits:
    """What a picture may cost. `seconds` is all of it; what is not there after a half of that is left out."""

    width: int = 1280
    height: int = 800
    seconds: float = 30.0
    bytes: int = 5 * 1024 * 1024
    page_bytes: int = 50 * 1024 * 1024
    # After how many pictures the browser is begun anew.
    most_of_browser: int = 50
    idle_seconds: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture, as PNG."""

    content: bytes
    width: int
    height: int


class NotTaken(Exception):
    """A picture could not be taken. `may_retry` says if it may be there another time."""

    def __init__(self, error: str, *, may_retry: bool) -> None:
        super().__init__(error)
        self.error = error
        self.may_retry = may_retry


class NoCamera(Exception):
    """This server cannot take pictures. `error` is a sentence that says what it lacks."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class Camera:
    """Takes pictures, several at once if it is asked to."""

    guard: Guard = field(default_factory=Guard)
    limits: CameraLimits = field(default_factory=CameraLimits)
    # The browser's program; where none is named, the first that is found.
    program: str = ""
    has_sandbox: bool = True

    def __post_init__(self) -> None:
        """Begin without a browser."""
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._beginning = asyncio.Lock()
        self._under_way = 0
        self._taken = 0
        # By the loop's clock, when the last picture was.
        self._used_at = 0.0
        # How often a browser was begun.
        self.begun = 0

    async def take(self, url: str) -> Shot:
        """Take a picture of an address. Raises `NotTaken` and `NoCamera`."""
        self._under_way += 1
        try:
            browser = await self._ready()
            limits = EgressLimits(bytes=self.limits.page_bytes)
            async with egress(self.guard, limits) as way_out:
                return await self._picture(browser, way_out, url)
        finally:
            self._under_way -= 1
            self._taken += 1
            self._used_at = asyncio.get_running_loop().time()
            if self._taken >= self.limits.most_of_browser and not self._under_way:
                await self.close()

    async def close(self) -> None:
        """End the browser, to the last of it also if this is cancelled. The next picture begins another."""
        async with self._beginning:
            browser, self._browser = self._browser, None
            playwright, self._playwright = self._playwright, None
            self._taken = 0
            await _to_its_end(_end(browser, playwright))

    @property
    def is_idle(self) -> bool:
        """Whether there is a browser, and no picture for it to take."""
        return self._browser is not None and not self._under_way

    async def rest(self) -> None:
        """End the browser if nobody has wanted a picture for a while."""
        if self.is_idle and asyncio.get_running_loop().time() - self._used_at > self.limits.idle_seconds:
            await self.close()

    async def _ready(self) -> "Browser":
        async with self._beginning:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            try:
                # Brought by an extra that is large, and that most do without.
                from playwright import async_api as library  # noqa: PLC0415
            except ImportError as error:
                raise NoCamera(_NOT_INSTALLED) from error
            program = _found(self.program)
            if self._playwright is None:
                self._playwright = await _begun(library.async_playwright().start())
            try:
                self._browser = await self._playwright.chromium.launch(
                    executable_path=program,
                    chromium_sandbox=self.has_sandbox,
                    args=list(_ARGUMENTS),
                    # The browser's own errands lead nowhere: each picture has its own way out.
                    proxy={"server": "http://127.0.0.1:9"},
                    handle_sigint=False,
                    handle_sigterm=False,
                    handle_sighup=False,
                )
            except library.Error as error:
                not_started = NoCamera(_not_started(error.message))
                _log.warning("%s Its own words: %s", not_started.error, _own_words(error.message))
                raise not_started from error
            self.begun += 1
            return self._browser

    async def _picture(self, browser: "Browser", way_out: Egress, url: str) -> Shot:
        from playwright import async_api as library  # noqa: PLC0415 -- as above

        context: BrowserContext | None = None
        try:
            async with asyncio.timeout(self.limits.seconds):
                context = await browser.new_context(
                    viewport={"width": self.limits.width, "height": self.limits.height},
                    proxy={"server": way_out.url, "bypass": "<-loopback>"},
                    accept_downloads=False,
                    service_workers="block",
                    reduced_motion="reduce",
                )
                await context.add_init_script(_ALONE)
                return self._shot(await self._shown(await context.new_page(), way_out, url))
        except (TimeoutError, library.TimeoutError) as error:
            raise NotTaken("The page took too long.", may_retry=True) from error
        except library.Error as error:
            raise _judged(way_out, url, error.message) from error
        finally:
            if context is not None:
                with suppress(TimeoutError, library.Error):
                    async with asyncio.timeout(_CLOSE_SECONDS):
                        await context.close()

    async def _shown(self, page: "Page", way_out: Egress, url: str) -> bytes:
        """Return the picture of a page, with as much of it as is there in time."""
        from playwright import async_api as library  # noqa: PLC0415 -- as above

        half = self.limits.seconds * 500
        answers: list[Response] = []
        page.on("response", lambda answer: answers.append(answer) if _is_of_page(answer, page) else None)
        try:
            await page.goto(url, wait_until="commit", timeout=half)
        except library.Error as error:
            # An error without a page to it is no answer to the browser; to us it is.
            if "ERR_HTTP_RESPONSE_CODE_FAILURE" not in error.message or not answers:
                raise
        if answers and answers[-1].status >= HTTPStatus.BAD_REQUEST:
            raise _refused(way_out, answers[-1].url, answers[-1].status)
        # Of a page that never ends, what is there by then.
        with suppress(library.TimeoutError):
            await page.wait_for_load_state("load", timeout=half)
        if way_out.is_too_much:
            raise NotTaken(f"The page is larger than {self.limits.page_bytes:,} bytes.", may_retry=False)
        return await page.screenshot(type="png", animations="disabled", caret="hide", scale="css", timeout=half)

    def _shot(self, content: bytes) -> Shot:
        if len(content) > self.limits.bytes:
            raise NotTaken(f"The picture is larger than {self.limits.bytes:,} bytes.", may_retry=False)
        width, height = struct.unpack(">II", content[16:_PNG_HEAD])
        return Shot(content=content, width=width, height=height)


async def _begun(work: Coroutine[Any, Any, "Playwright"]) -> "Playwright":
    """Begin Playwright, and end it once it is begun if we are cancelled meanwhile: nobody else knows its process."""
    beginning = asyncio.create_task(work)
    try:
        return await asyncio.shield(beginning)
    except asyncio.CancelledError:
        await asyncio.wait([asyncio.create_task(_end_begun(beginning))], timeout=_STOP_SECONDS)
        raise


async def _end_begun(beginning: "asyncio.Task[Playwright]") -> None:
    with suppress(*_troubles()):
        await _end(None, await beginning)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Do something, also if we are cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_STOP_SECONDS)
        raise


async def _end(browser: "Browser | None", playwright: "Playwright | None") -> None:
    try:
        if browser is not None:
            await _in_time(browser.close())
    finally:
        if playwright is not None:
            await _in_time(playwright.stop())


async def _in_time(ending: Awaitable[None]) -> None:
    # A browser that has crashed is ended already.
    with suppress(TimeoutError, *_troubles()):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await ending


def _is_of_page(answer: "Response", page: "Page") -> bool:
    """Say whether an answer is to the page itself, and no frame or part of it."""
    return answer.request.is_navigation_request() and answer.frame == page.main_frame


def _found(named: str) -> str:
    """Return the browser's program. Raises `NoCamera`."""
    if named:
        if not Path(named).is_file():
            raise NoCamera("There is no Chromium where RINGSIDE_CHROMIUM says.")
        return named
    found = next((path for path in map(shutil.which, _PROGRAMS) if path is not None), None)
    if found is None:
        raise NoCamera(_NO_PROGRAM)
    return found


def _not_started(error: str) -> str:
    if "no-sandbox" in error or "sandbox" in error.lower():
        return (
            "Chromium does not start with its sandbox: run the server as a user that is not root, or set "
            "RINGSIDE_CHROMIUM_SANDBOX=false."
        )
    return "Chromium does not start on this server: its log says why."


def _own_words(error: str) -> str:
    """Put what the browser itself said on one line: Playwright's account of a start fills a page."""
    said = [line.partition("[err] ")[2].strip() for line in error.splitlines() if "[err] " in line]
    # It stands in there twice.
    return " / ".join(dict.fromkeys(said)) or error.partition("\n")[0]


def _refused(way_out: Egress, url: str, status: int) -> NotTaken:
    if status == HTTPStatus.FORBIDDEN and _host_of(url) in way_out.refused:
        return NotTaken(_FORBIDDEN, may_retry=False)
    may_retry = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    return NotTaken(f"Its server answers with the status {status}.", may_retry=may_retry)


def _judged(way_out: Egress, url: str, error: str) -> NotTaken:
    """Say what is wrong by what the browser says, without its own words: they name what is none of anybody's."""
    if way_out.is_too_much:
        return NotTaken("The page is larger than it may be.", may_retry=False)
    if "ERR_TUNNEL_CONNECTION_FAILED" in error and way_out.refused:
        return NotTaken(_FORBIDDEN, may_retry=False)
    for sign, meaning in _FOR_GOOD.items():
        if sign in error:
            return NotTaken(meaning, may_retry=False)
    _log.info("a picture of %s was not taken: %s", _host_of(url), error.partition("\n")[0][:200])
    return NotTaken("The page cannot be reached, or the browser gave up on it.", may_retry=True)


def _host_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _troubles() -> tuple[type[Any], ...]:
    try:
        from playwright import async_api as library  # noqa: PLC0415 -- as above
    except ImportError:
        return ()
    return (library.Error,)


_FOR_GOOD = {
    "ERR_TOO_MANY_REDIRECTS": "The page leads from address to address.",
    "ERR_ABORTED": "It is no page but something to be downloaded.",
    "Download is starting": "It is no page but something to be downloaded.",
    "ERR_CERT": "Its certificate is not one to be trusted.",
    "ERR_UNSAFE": "This address cannot be asked for.",
    "ERR_INVALID": "This address cannot be asked for.",
    "ERR_UNKNOWN_URL_SCHEME": "This address cannot be asked for.",
}
