"""The camera: a real browser that sees what it may, and whatever a page tries, nothing else."""

import asyncio
import hashlib
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from api.outbound import Guard
from api.workers.camera import Camera, NoCamera, NotTaken
from tests.support.house import eventually
from tests.support.pauses import leap
from tests.support.pictures import HTML, LIMITS, browsers, hidden, page, studio
from tests.support.web import Answer

_PNG = b"\x89PNG\r\n\x1a\n"
_FORBIDDEN = ("This address lies in a network that this server does not ask in.", False)


async def _refusal(camera: Camera, url: str) -> tuple[str, bool]:
    with pytest.raises(NotTaken) as refused:
        await camera.take(url)
    return refused.value.error, refused.value.may_retry


async def _stop(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


def _processes() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


async def test_a_picture_is_of_the_window_and_the_same_each_time() -> None:
    async with studio() as opened:
        opened.web.answers |= {
            "/": page("<h1>Finals</h1><img src='/dot.svg' width=50 height=50><div style='height:9000px'>"),
            "/dot.svg": Answer(
                body=b"<svg xmlns='http://www.w3.org/2000/svg'><circle cx='9' cy='9' r='9'/></svg>",
                headers={"content-type": "image/svg+xml"},
            ),
        }
        first, second = [await opened.camera.take(opened.web.url("/")) for _ in range(2)]

        assert (first.width, first.height) == (320, 240)
        assert first.content.startswith(_PNG)
        assert hashlib.sha256(first.content).digest() == hashlib.sha256(second.content).digest()
        assert opened.web.paths().count("/dot.svg") == 2
        assert opened.camera.begun == 1
        # Whoever is asked is told by the browser who asks, and nothing of us.
        assert "cookie" not in opened.web.asked[-1].headers
        assert not any(name.startswith("proxy-") for one in opened.web.asked for name in one.headers)


async def test_what_a_page_leads_to_is_asked_only_where_anything_may_be_asked() -> None:
    tries = """
      <link rel=preconnect href='http://HOST'><link rel=dns-prefetch href='//inside.example'>
      <link rel=stylesheet href='http://HOST/css'><img src='http://HOST/image'><img src='/redirected'>
      <img src='http://localhost:PORT/'><img src='http://inside.example:PORT/'><img src='https://HOST/tls'>
      <img src='http://2130706433:PORT/'><img src='http://[::ffff:127.0.0.1]:PORT/'><img src='http://0x7f.1:PORT/'>
      <iframe src='http://HOST/frame'></iframe><iframe src='file:///etc/hosts'></iframe>
      <object data='http://HOST/object'></object><video src='http://HOST/video' autoplay></video>
      <form id=form method=post action='http://HOST/form' target=inner></form><iframe name=inner></iframe>
      <script src='http://HOST/script'></script>
      <script>
        const quietly = (what) => { try { what(); } catch {} };
        quietly(() => fetch('http://HOST/fetch', {mode: 'no-cors'}).catch(() => 0));
        quietly(() => new WebSocket('ws://HOST/socket'));
        quietly(() => new EventSource('http://HOST/events'));
        quietly(() => navigator.sendBeacon('http://HOST/beacon', 'x'));
        quietly(() => new WebTransport('https://HOST/transport').ready.catch(() => 0));
        quietly(() => new Worker(URL.createObjectURL(new Blob(["fetch('http://HOST/w').catch(() => 0)"]))));
        quietly(() => form.submit());
        quietly(() => window.open('http://HOST/window'));
        quietly(() => {
          const call = new RTCPeerConnection({iceServers: [
            {urls: ['turn:HOST?transport=tcp', 'turn:HOST'], username: 'u', credential: 'c'}, {urls: 'stun:HOST'}]});
          call.createDataChannel('x');
          call.createOffer().then((offer) => call.setLocalDescription(offer));
        });
      </script>"""
    async with hidden() as nobody, studio("inside.example") as opened:
        there = f"http://{nobody.host}/"
        body = tries.replace("HOST", nobody.host).replace("PORT", str(nobody.port))
        opened.web.answers |= {
            "/": page(body),
            "/redirected": Answer(status=302, headers={"location": there}),
            "/slow": Answer(drip=b" "),
        }
        shot = await opened.camera.take(opened.web.url("/"))

        assert shot.content.startswith(_PNG)
        assert "/redirected" in opened.web.paths()
        assert nobody.calls == 0

        # Where it may be asked, it is: so all of that was tried.
        opened.camera.guard = replace(opened.camera.guard, allowed={opened.web.host, nobody.host})
        await opened.camera.take(opened.web.url("/"))
        assert nobody.calls > 10


async def test_a_page_in_a_network_of_our_own_is_not_shown() -> None:
    async with hidden() as nobody, studio("inside.example") as opened:
        there = f"http://{nobody.host}/"
        opened.web.answers |= {
            "/redirect": Answer(status=302, headers={"location": there}),
            "/refresh": page(f"<meta http-equiv=refresh content='0;url={there}'>"),
            "/script": page(f"<script>location = '{there}'</script>"),
        }
        straight = [there, "http://inside.example/", "https://127.0.0.1:8443/", opened.web.url("/redirect")]
        assert [await _refusal(opened.camera, url) for url in straight] == [_FORBIDDEN] * 4
        # Of what leads there by itself that is shown which it was before, or nothing.
        for path in ("/refresh", "/script"):
            with suppress(NotTaken):
                await opened.camera.take(opened.web.url(path))

        assert nobody.calls == 0


async def test_what_is_no_page_says_why() -> None:
    download = {"content-type": "application/zip", "content-disposition": "attachment"}
    cases = [
        (Answer(status=404), "Its server answers with the status 404.", False),
        (Answer(status=403), "Its server answers with the status 403.", False),
        (Answer(status=429), "Its server answers with the status 429.", True),
        (Answer(status=500, headers=HTML, body=b"no"), "Its server answers with the status 500.", True),
        (Answer(breaks_off=True), "Its server answers with the status 502.", True),
        (Answer(headers=download, body=b"x"), "It is no page but something to be downloaded.", False),
        (Answer(status=302, headers={"location": "file:///etc/passwd"}), "This address cannot be asked for.", False),
        (Answer(status=302, headers={"location": "/page"}), "The page leads from address to address.", False),
    ]
    async with studio() as opened:
        told = []
        for answer, _, _ in cases:
            opened.web.answers["/page"] = answer
            told.append(await _refusal(opened.camera, opened.web.url("/page")))

    assert told == [(error, may_retry) for _, error, may_retry in cases]


async def test_what_never_ends_costs_its_time_and_is_shown_as_far_as_it_came() -> None:
    # What does not come is waited for half of the time; the other half is for a browser that has little of a machine.
    async with studio(seconds=15.0) as opened:
        opened.web.answers |= {"/": page("<h1>Here</h1><img src='/drip'>"), "/drip": Answer(drip=b" ")}

        assert (await opened.camera.take(opened.web.url("/"))).content.startswith(_PNG)

        # What never comes need not be waited for as long as what takes its time on a machine that does much else.
        opened.camera.limits = replace(opened.camera.limits, seconds=2.0)
        opened.web.answers["/"] = page("<script>for (;;) {}</script>")
        assert await _refusal(opened.camera, opened.web.url("/")) == ("The page took too long.", True)
        opened.camera.limits = LIMITS
        opened.web.answers["/"] = page("Here again")
        assert (await opened.camera.take(opened.web.url("/"))).width == 320


async def test_a_page_and_a_picture_may_be_so_large_and_no_larger() -> None:
    async with studio(page_bytes=500_000) as opened:
        opened.web.answers |= {
            "/": page("<script src='/endless'></script>"),
            "/endless": Answer(headers={"content-type": "text/javascript"}, drip=b"x" * 65_536),
        }
        assert await _refusal(opened.camera, opened.web.url("/")) == ("The page is larger than 500,000 bytes.", False)

    async with studio(bytes=100) as opened:
        opened.web.answers["/"] = page("Small")
        assert await _refusal(opened.camera, opened.web.url("/")) == ("The picture is larger than 100 bytes.", False)


async def test_a_browser_that_dies_is_begun_again_and_none_stays() -> None:
    async with studio(most_of_browser=4) as opened:
        opened.web.answers["/"] = page("Here")
        await opened.camera.take(opened.web.url("/"))
        for process in browsers():
            process.kill()
            process.wait()

        async def is_taken() -> bool:
            # The one that finds it dead, if it is not known yet, is worth another try.
            with suppress(NotTaken):
                return (await opened.camera.take(opened.web.url("/"))).width == 320
            return False

        await eventually(is_taken, "another picture")
        assert (opened.camera.begun, opened.camera.is_idle) == (2, True)
        # After so many it is begun anew, so that what leaks of it goes.
        for _ in range(2):
            await opened.camera.take(opened.web.url("/"))
        assert opened.camera.begun == 3
    assert browsers() == []


async def test_of_a_browser_half_begun_or_half_ended_nothing_stays() -> None:
    before = _processes()
    async with studio() as opened:
        opened.web.answers["/"] = page("Here")
        beginning = asyncio.create_task(opened.camera.take(opened.web.url("/")))
        await eventually(lambda: _processes() != before, "the first of its processes")
        # Then it is there and its pipes are connected, and whoever began it waits for its first word.
        for _ in range(20):
            await asyncio.sleep(0)
        await _stop(beginning)
        await opened.camera.close()
        await eventually(lambda: _processes() == before, "the end of what was begun")

        await opened.camera.take(opened.web.url("/"))
        ending = asyncio.create_task(opened.camera.close())
        await asyncio.sleep(0)
        await _stop(ending)
        await eventually(lambda: _processes() == before, "the end of all of it")

        assert (await opened.camera.take(opened.web.url("/"))).width == 320


async def test_a_browser_is_ended_when_nobody_has_wanted_a_picture_for_a_while() -> None:
    async with studio() as opened:
        opened.web.answers["/"] = page("Here")
        left = []
        for is_wanted in (True, True, False):
            if is_wanted:
                await opened.camera.take(opened.web.url("/"))
            leap(opened.camera.limits.idle_seconds * 0.6)
            await opened.camera.rest()
            left.append(opened.camera.is_idle)

    assert left == [True, True, False]


async def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright", None)

    with pytest.raises(NoCamera) as missing:
        await Camera(Guard()).take("https://example.org/")

    assert missing.value.error == (
        "This server takes no screenshots: install ringside[screenshots] and Chromium on it."
    )


async def test_without_a_browser_it_says_which_setting_names_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    errors = []
    for named in ("", str(tmp_path / "chromium")):
        with pytest.raises(NoCamera) as missing:
            await Camera(Guard(), program=named).take("https://example.org/")
        errors.append(missing.value.error)

    assert errors == [
        "This server has no Chromium: install it, or name it in RINGSIDE_CHROMIUM.",
        "There is no Chromium where RINGSIDE_CHROMIUM says.",
    ]


async def test_a_browser_that_does_not_start_says_so_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\necho a library is missing >&2\necho and so is another >&2\nexit 1\n")
    program.chmod(0o700)
    camera = Camera(Guard(), program=str(program))

    with pytest.raises(NoCamera, match="Chromium does not start"):
        await camera.take("https://example.org/")
    await camera.close()

    told = [record.getMessage() for record in caplog.records if record.name == "api.workers.camera"]
    sentence = "Chromium does not start on this server: its log says why."
    assert told == [f"{sentence} Its own words: a library is missing / and so is another"]
