"""Flags: the codes that came with us, how an image is recognised, what of several is shown, and what is refused."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid, NotFound
from db.flags import operations, queries
from db.flags.images import SVG, check_svg, checked_image
from db.flags.recognition import Atlas
from db.flags.scanning import FlagFolder, Refused, scan, scan_configured
from db.flags.tables import Flag, FlagMapping, RecognitionAttempt
from db.flags.vocabulary import CodeKind, FlagState, RecognitionMethod
from db.ids import new_id
from tests.db.stored import NOW, statements_of
from tests.support.flagging import PNG, image_of, store, svg

# The National Olympic Committees, as of 2026.
COMMITTEES = """
AFG ALB ALG AND ANG ANT ARG ARM ARU ASA AUS AUT AZE BAH BAN BAR BDI BEL BEN BER BHU BIH BIZ BLR BOL BOT BRA BRN BRU BUL
BUR CAF CAM CAN CAY CGO CHA CHI CHN CIV CMR COD COK COL COM CPV CRC CRO CUB CYP CZE DEN DJI DMA DOM ECU EGY ERI ESA ESP
EST ETH FIJ FIN FRA FSM GAB GAM GBR GBS GEO GEQ GER GHA GRE GRN GUA GUI GUM GUY HAI HKG HON HUN INA IND IRI IRL IRQ ISL
ISR ISV ITA IVB JAM JOR JPN KAZ KEN KGZ KIR KOR KOS KSA KUW LAO LAT LBA LBN LBR LCA LES LIE LTU LUX MAD MAR MAS MAW MDA
MDV MEX MGL MHL MKD MLI MLT MNE MON MOZ MRI MTN MYA NAM NCA NED NEP NGR NIG NOR NRU NZL OMA PAK PAN PAR PER PHI PLE PLW
PNG POL POR PRK PUR QAT ROU RSA RUS RWA SAM SEN SEY SGP SKN SLE SLO SMR SOL SOM SRB SRI SSD STP SUD SUI SUR SVK SWE SWZ
SYR TAN TGA THA TJK TKM TLS TOG TPE TTO TUN TUR TUV UAE UGA UKR URU USA UZB VAN VEN VIE VIN YEM ZAM ZIM
"""


async def atlas_of(db: Database) -> Atlas:
    async with db.read() as session:
        return await operations.load_atlas(session)


async def mappings_of(db: Database) -> dict[str, FlagMapping]:
    async with db.read() as session:
        return {one.pss_code: one for one in await session.rows(select(FlagMapping))}


async def shown(db: Database, code: str) -> str | None:
    async with db.read() as session:
        flag = await operations.find_shown(session, code)
        return None if flag is None else flag.file_name


# The codes.


async def test_every_olympic_committee_of_today_is_there_and_no_other_is_called_one(db: Database) -> None:
    known = await mappings_of(db)

    committees = {code for code, one in known.items() if one.kind is CodeKind.COMMITTEE}
    assert committees == set(COMMITTEES.split())
    assert len(committees) == 206
    assert {code: known[code].ioc_code for code in committees} == {code: code for code in committees}


async def test_what_was_wrong_with_the_list_is_mended(db: Database) -> None:
    known = await mappings_of(db)

    mended = {code: (known[code].country_name, known[code].kind) for code in _MENDED}
    assert mended == {
        "SYR": ("Syria", CodeKind.COMMITTEE),
        "KHM": ("Khmer Republic", CodeKind.HISTORIC),
        "MAL": ("Malaya", CodeKind.HISTORIC),
        "HBR": ("British Honduras", CodeKind.HISTORIC),
        "NRH": ("Northern Rhodesia", CodeKind.HISTORIC),
        "ESA": ("El Salvador", CodeKind.COMMITTEE),
        "NIU": ("Niue", CodeKind.OTHER),
        "NFK": ("Norfolk Island", CodeKind.OTHER),
        "NMI": ("Northern Mariana Islands", CodeKind.OTHER),
        "ANA": ("Authorized Neutral Athletes", CodeKind.OTHER),
        "RVN": ("South Vietnam", CodeKind.OTHER),
    }
    assert "Republic of China" in known["ROC"].note
    assert "MRN" not in known
    iso = [one.iso_code for one in known.values() if one.iso_code]
    assert len(iso) == len(set(iso))


_MENDED = ("SYR", "KHM", "MAL", "HBR", "NRH", "ESA", "NIU", "NFK", "NMI", "ANA", "RVN")


# Recognition.


@pytest.mark.parametrize(
    ("file_name", "method", "confidence", "code"),
    [
        ("KOR.svg", RecognitionMethod.IOC_CODE, 1.0, "KOR"),
        ("kor.PNG", RecognitionMethod.IOC_CODE, 1.0, "KOR"),
        ("flag-kor.svg", RecognitionMethod.IOC_CODE, 1.0, "KOR"),
        ("deu.svg", RecognitionMethod.ISO_CODE, 0.95, "GER"),
        ("CHE.svg", RecognitionMethod.ISO_CODE, 0.95, "SUI"),
        # Bahrain to us, Brunei to ISO; Cambodia to ISO, the Khmer Republic of old to us; Vietnam and South Vietnam.
        ("BRN.svg", RecognitionMethod.IOC_CODE, 0.8, "BRN"),
        ("KHM.svg", RecognitionMethod.ISO_CODE, 0.8, "CAM"),
        ("vnm.svg", RecognitionMethod.ISO_CODE, 0.8, "VIE"),
        ("South Korea.svg", RecognitionMethod.COUNTRY_NAME, 0.9, "KOR"),
        ("flag_of_the_united-states.png", RecognitionMethod.COUNTRY_NAME, 0.9, "USA"),
        ("Cote d\N{RIGHT SINGLE QUOTATION MARK}Ivoire.svg", RecognitionMethod.COUNTRY_NAME, 0.9, "CIV"),
        ("SÃO TOMÉ & PRÍNCIPE.svg", RecognitionMethod.COUNTRY_NAME, 0.9, "STP"),
        ("Turkiye.svg", RecognitionMethod.COUNTRY_NAME, 0.9, "TUR"),
        ("Guinea.svg", RecognitionMethod.COUNTRY_NAME, 0.9, "GUI"),
        ("equatorial guinea.svg", RecognitionMethod.COUNTRY_NAME, 0.9, "GEQ"),
        ("the gambia.svg", RecognitionMethod.COUNTRY_NAME, 0.9, "GAM"),
        ("RVN.svg", RecognitionMethod.IOC_CODE, 1.0, "VNM"),
        ("01 fra 2024.svg", RecognitionMethod.CODE_IN_NAME, 0.6, "FRA"),
        ("fra_ger.svg", RecognitionMethod.NONE, 0.0, None),
        ("mrn.svg", RecognitionMethod.NONE, 0.0, None),
        ("logo.svg", RecognitionMethod.NONE, 0.0, None),
        (".svg", RecognitionMethod.NONE, 0.0, None),
        ("flag.svg", RecognitionMethod.NONE, 0.0, None),
    ],
)
async def test_a_flag_is_recognised_by_the_name_of_its_file(
    sqlite_db: Database, file_name: str, method: RecognitionMethod, confidence: float, code: str | None
) -> None:
    found = (await atlas_of(sqlite_db)).recognize(file_name)

    assert (found.method, found.confidence, found.ioc_code) == (method, confidence, code)


@given(st.text(max_size=40))
def test_whatever_a_file_is_called_the_answer_is_a_recognition(file_name: str) -> None:
    found = Atlas([]).recognize(file_name)

    assert (found.method, found.ioc_code) == (RecognitionMethod.NONE, None)


async def test_every_country_is_recognised_by_each_of_its_codes_and_names(sqlite_db: Database) -> None:
    atlas, known = await atlas_of(sqlite_db), await mappings_of(sqlite_db)
    today = [one for one in known.values() if one.kind is CodeKind.COMMITTEE]

    missed = [
        (one.pss_code, name)
        for one in today
        for name in (one.pss_code, one.country_name, *one.other_names)
        if atlas.recognize(f"{name}.svg").ioc_code != one.ioc_code
    ]
    assert missed == []


# What is stored and shown.


async def test_of_several_images_of_a_country_the_surest_is_shown_and_the_next_when_it_goes(db: Database) -> None:
    names = ["zz_kor.svg", "South Korea.svg", "KOR.svg"]
    seen = []
    made: dict[str, Flag] = {}
    for name in names:
        made[name] = (await store(db, name, NOW)).flag
        seen.append(await shown(db, "KOR"))
    for name in reversed(names):
        async with db.transaction() as tx:
            await operations.delete_flag(tx, made[name].id, viewer=None, now=NOW)
        seen.append(await shown(db, "KOR"))

    assert seen == [*names, "South Korea.svg", "zz_kor.svg", None]


async def test_an_image_that_is_stored_again_keeps_its_history_and_what_somebody_said(db: Database) -> None:
    first = await store(db, "logo.svg", NOW)
    again = await store(db, "logo.svg", NOW)
    async with db.transaction() as tx:
        said = await operations.recognize_flag(tx, first.flag.id, " fra ", viewer=None, now=NOW)
    replaced = await store(db, "logo.svg", NOW, svg("#ffffff"))

    async with db.read() as session:
        attempts = await session.rows(
            select(RecognitionAttempt).order_by(col(RecognitionAttempt.attempted_at), col(RecognitionAttempt.id))
        )
        image = await operations.find_image(session, first.flag.id)
    assert (first.is_new, first.is_changed, first.flag.state) == (True, False, FlagState.UNRECOGNIZED)
    assert (again.is_new, again.is_changed) == (False, False)
    assert (said.ioc_code, said.code, said.country_name, said.confidence) == ("FRA", "FRA", "France", 1.0)
    assert (replaced.is_changed, replaced.flag.ioc_code, replaced.flag.code) == (True, "FRA", "FRA")
    assert image == svg("#ffffff")
    assert [one.method for one in attempts] == [
        RecognitionMethod.NONE,
        RecognitionMethod.MANUAL,
        RecognitionMethod.NONE,
    ]


async def test_fifty_who_store_one_flag_at_once_store_one(db: Database) -> None:
    await asyncio.gather(*(store(db, "KOR.svg", NOW) for _ in range(50)))

    async with db.read() as session:
        flags = await session.rows(select(Flag))
        attempts = await session.rows(select(RecognitionAttempt))
    assert [(flag.file_name, flag.code) for flag in flags] == [("KOR.svg", "KOR")]
    assert {one.recognized_as for one in attempts} == {"KOR"}


async def test_a_code_of_ours_leads_to_the_flag_of_another_and_goes_again(db: Database) -> None:
    await store(db, "KOR.svg", NOW)
    before = await shown(db, "MRN")
    async with db.transaction() as tx:
        made = await operations.create_mapping(
            tx, pss_code=" mrn", ioc_code="kor", country_name="Marina", viewer=None, now=NOW
        )
    during = await shown(db, "MRN")
    async with db.transaction() as tx:
        await operations.delete_mapping(tx, made.id, viewer=None, now=NOW)

    assert (made.pss_code, made.ioc_code, made.kind, made.is_custom) == ("MRN", "KOR", CodeKind.CUSTOM, True)
    assert (before, during, await shown(db, "MRN")) == (None, "KOR.svg", None)


async def test_there_are_no_more_codes_than_there_may_be(db: Database) -> None:
    known = len(await mappings_of(db))
    made: dict[str, Any] = {"ioc_code": "KOR", "country_name": "Marina", "viewer": None, "now": NOW}

    async with db.transaction() as tx:
        await operations.create_mapping(tx, pss_code="MRN", most=known + 1, **made)
    with pytest.raises(Conflict, match=rf"There are at most {known + 1} codes \(RINGSIDE_MOST_CODES\)"):
        async with db.transaction() as tx:
            await operations.create_mapping(tx, pss_code="MRM", most=known + 1, **made)

    assert len(await mappings_of(db)) == known + 1


async def test_what_cannot_be_a_code_or_is_known_or_came_with_us_is_refused(db: Database) -> None:
    flag = (await store(db, "logo.svg", NOW)).flag
    of_korea = (await mappings_of(db))["KOR"]
    member = Viewer(user_id=new_id(), token_id=new_id(), role=Role.MEMBER)
    terms: dict[str, Any] = {"ioc_code": "KOR", "country_name": "x", "viewer": None, "now": NOW}

    async def refused(kind: type[Exception], operation: Any, *given: Any, **named: Any) -> str:
        with pytest.raises(kind) as refusal:
            async with db.transaction() as tx:
                await operation(tx, *given, **named)
        return str(refusal.value)

    create, recognize = operations.create_mapping, operations.recognize_flag
    assert await refused(Conflict, create, pss_code="KOR", **terms) == "The code KOR is known already."
    for code in ("", "K", "K" * 9, "../x", "KÖR", "K R"):
        assert (await refused(Invalid, create, pss_code=code, **terms)).startswith("A code is 2 to 8")
    assert "stays" in await refused(Conflict, operations.delete_mapping, of_korea.id, viewer=None, now=NOW)
    assert "Nobody knows the code 'MRN'" in await refused(NotFound, recognize, flag.id, "MRN", viewer=None, now=NOW)
    assert await refused(NotFound, recognize, new_id(), "KOR", viewer=None, now=NOW) == "There is no such flag."
    for change in (operations.delete_flag, operations.delete_mapping):
        await refused(Forbidden, change, flag.id, viewer=member, now=NOW)


async def test_the_flags_of_codes_are_read_in_one_statement_each_under_the_code_that_was_asked(db: Database) -> None:
    flag = (await store(db, "KOR.svg", NOW)).flag
    async with db.transaction() as tx:
        await operations.create_mapping(tx, pss_code="MRN", ioc_code="KOR", country_name="Marina", viewer=None, now=NOW)
    viewer = Viewer(user_id=new_id(), token_id=new_id(), role=Role.VIEWER)

    async with db.read() as session:
        with statements_of(db) as run:
            found = await queries.flag_of_code.read(session, viewer, ["KOR", "MRN", "FRA", "NONE", ""])

    assert {code: row.id for code, row in found.items()} == {"KOR": flag.id, "MRN": flag.id}
    assert len(run) == 1


# Images.


@pytest.mark.parametrize(
    "content",
    [
        svg(),
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- drawn here -->\n' + svg(),
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">' + svg(),
        (
            b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
            b'<defs><g id="s"/></defs><use xlink:href="#s" fill="url(#g)"/><style>.a{fill:url(#g)}</style>'
            b'<image href="data:image/png;base64,iVBORw0K"/></svg>'
        ),
        b"<svg/>",
    ],
)
def test_an_svg_that_only_draws_is_taken(content: bytes) -> None:
    assert checked_image("x.SVG", content, largest=100_000).content_type == SVG


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<SCRIPT/>",
        '<x:script xmlns:x="http://www.w3.org/2000/svg"/>',
        '<s xmlns="http://www.w3.org/1999/xhtml"><iframe src="#x"/></s>',
        "<foreignObject/>",
        '<animate attributeName="href" values="javascript:alert(1)"/>',
        '<set attributeName="onload" to="alert(1)"/>',
        '<a href="#x"/>',
        '<g onload="alert(1)"/>',
        '<g oNcLiCk="alert(1)"/>',
        '<use href="https://example.org/x.svg#a"/>',
        '<use xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="other.svg#a"/>',
        '<image href="data:image/svg+xml;base64,PHN2Zy8+"/>',
        '<image href=" javascript:alert(1)"/>',
        '<g style="background:url(https://example.org/x)"/>',
        '<g fill="url( &#39;//example.org/x#y&#39;)"/>',
        "<style>@import 'x.css';</style>",
        "<style>a{b:u\\72l(x)}</style>",
        "<style>@im<!-- -->port 'x.css';</style>",
        "<style>&#64;import 'x.css';</style>",
        "<style><![CDATA[@imp]]>ort 'x.css';</style>",
        "<style>a{b:image-set('x.png' 1x)}</style>",
        '<feImage href="#x"/>',
        '<g xml:base="https://example.org/"><use href="#x"/></g>',
        '<?xml-stylesheet href="x.css"?>',
        "&x;",
    ],
)
def test_an_svg_that_could_run_or_load_something_is_refused(inside: str) -> None:
    with pytest.raises(Invalid):
        check_svg(f'<svg xmlns="http://www.w3.org/2000/svg">{inside}</svg>'.encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html/>",
        b"<svg",
        b'<svg xmlns="http://example.org/other"/>',
        b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>',
        b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg>&a;</svg>',
        b"<svg>" * 101 + b"</svg>" * 101,
        b"<svg>" + b"<g/>" * 50_001 + b"</svg>",
    ],
)
def test_what_is_no_svg_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid):
        check_svg(content)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_they_are_taken_or_refused(content: bytes) -> None:
    for name in ("x.svg", "x.png", "x.webp", "x"):
        try:
            checked_image(name, content, largest=150)
        except Invalid:
            continue


def test_an_image_is_what_it_begins_with_and_must_be_called_so() -> None:
    webp = b"RIFF" + bytes(4) + b"WEBP" + bytes(8)

    assert checked_image("a.png", PNG, largest=100).content_type == "image/png"
    assert checked_image("a.JPEG", b"\xff\xd8\xff\xe0", largest=100).content_type == "image/jpeg"
    assert checked_image("a.gif", b"GIF89a", largest=100).content_type == "image/gif"
    assert checked_image("a.webp", webp, largest=100).content_type == "image/webp"
    for name, content in (("a.jpg", PNG), ("a.png", svg()), ("a.png", b"<html>"), ("a.exe", PNG), ("png", PNG)):
        with pytest.raises(Invalid, match="no image of the kind"):
            checked_image(name, content, largest=1000)
    with pytest.raises(Invalid, match=r"It has 28 bytes; at most 27 are taken \(RINGSIDE_LARGEST_FLAG\)\."):
        checked_image("a.png", PNG, largest=27)


# The folder.


async def test_a_folder_is_looked_through_and_each_file_told_of(db: Database, tmp_path: Path) -> None:
    folder = tmp_path / "flags"
    folder.mkdir()
    for name, content in {
        "KOR.svg": svg(),
        "ger.png": PNG,
        "logo.svg": svg(),
        "evil.svg": b"<svg><script/></svg>",
        "large.svg": b"x" * 2001,
        "notes.txt": b"KOR",
        ".hidden.svg": svg(),
    }.items():
        (folder / name).write_bytes(content)
    (folder / "FRA.svg").mkdir()
    (tmp_path / "secret.svg").write_bytes(svg())
    (folder / "ITA.svg").symlink_to(tmp_path / "secret.svg")
    heard: list[tuple[str, int]] = []

    first = await scan(db, folder, largest=2000, now=NOW, on_file=lambda *told: heard.append(told))
    (folder / "KOR.svg").write_bytes(svg("#ffffff"))
    second = await scan_configured(db, FlagFolder(path=folder, largest=2000), now=NOW)

    assert heard == [(name, 5) for name in ("KOR.svg", "evil.svg", "ger.png", "large.svg", "logo.svg")]
    assert (first.files, first.added, first.changed, first.unchanged, first.recognized) == (5, 3, 0, 0, 2)
    assert first.unrecognized == ["logo.svg"]
    assert first.refused == [
        Refused(file_name="evil.svg", reason="It holds <script>, which could run or load something."),
        Refused(file_name="large.svg", reason="It has 2,001 bytes; at most 2,000 are taken (RINGSIDE_LARGEST_FLAG)."),
    ]
    assert (second.added, second.changed, second.unchanged) == (0, 1, 2)
    assert (await shown(db, "KOR"), await shown(db, "GER"), await shown(db, "ITA")) == ("KOR.svg", "ger.png", None)


async def test_a_folder_that_is_none_and_a_server_that_was_told_of_none_are_refused(
    db: Database, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match=r"There is no folder .* that can be read"):
        await scan(db, tmp_path / "nowhere", now=NOW)
    with pytest.raises(Conflict, match="RINGSIDE_FLAGS_DIRECTORY"):
        await scan_configured(db, FlagFolder(), now=NOW)


async def test_a_folder_that_holds_more_than_is_taken_is_refused_and_so_is_one_image_too_many(
    db: Database, tmp_path: Path
) -> None:
    for code in ("AUT", "GER", "SUI"):
        (tmp_path / f"{code}.svg").write_bytes(svg())

    with pytest.raises(Conflict, match=r"holds 3 images; at most 2 are taken \(RINGSIDE_MOST_FLAGS\)"):
        await scan(db, tmp_path, most=2, now=NOW)
    (tmp_path / "SUI.svg").unlink()
    await scan(db, tmp_path, most=2, now=NOW)
    (tmp_path / "AUT.svg").rename(tmp_path / "SUI.svg")
    with pytest.raises(Conflict, match=r"There are at most 2 flags \(RINGSIDE_MOST_FLAGS\)"):
        await scan(db, tmp_path, most=2, now=NOW)


async def test_a_name_that_cannot_be_stored_is_refused_and_the_next_file_taken(db: Database, tmp_path: Path) -> None:
    (tmp_path / ("x" * 201 + ".svg")).write_bytes(svg())
    (tmp_path / "zaf.svg").write_bytes(svg())

    done = await scan(db, tmp_path, now=NOW)

    assert ([one.reason for one in done.refused], done.added) == (["A file's name has 1 to 200 characters."], 1)
    assert await shown(db, "RSA") == "zaf.svg"
    assert image_of("x.svg").checksum == image_of("y.svg").checksum
