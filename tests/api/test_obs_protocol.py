"""obs-websocket 5: what an OBS says is read, and what it cannot mean is not."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.workers.obs_protocol import (
    Hello,
    Identified,
    OutputChanged,
    ReplaySaved,
    Response,
    authentication,
    identify,
    parse,
    request,
)
from db.recordings.vocabulary import RecordingKind
from tests.support.obs import CHALLENGE, SALT, proof


def said(operation: int, **data: Any) -> str:
    return orjson.dumps({"op": operation, "d": data}).decode()


STATE = "OBS_WEBSOCKET_OUTPUT_STARTED"
RECORDED = {"outputActive": True, "outputState": STATE, "outputPath": None}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (said(0, obsWebSocketVersion="5.1.0", rpcVersion=1), Hello()),
        (said(0, rpcVersion=1, authentication={"challenge": "c", "salt": "s"}), Hello("s", "c")),
        (said(0, authentication={"challenge": 1}), Hello()),
        (said(2, negotiatedRpcVersion=1), Identified()),
        (
            said(5, eventType="RecordStateChanged", eventData=RECORDED),
            OutputChanged(RecordingKind.RECORDING, "STARTED"),
        ),
        (
            said(5, eventType="RecordStateChanged", eventData={**RECORDED, "outputPath": " /1.mkv "}),
            OutputChanged(RecordingKind.RECORDING, "STARTED", "/1.mkv"),
        ),
        (
            said(5, eventType="StreamStateChanged", eventData=RECORDED),
            OutputChanged(RecordingKind.STREAM, "STARTED"),
        ),
        (said(5, eventType="ReplayBufferSaved", eventData={"savedReplayPath": "/2.mkv"}), ReplaySaved("/2.mkv")),
        (said(5, eventType="ReplayBufferSaved", eventData={}), None),
        (said(5, eventType="RecordStateChanged", eventData={"outputState": "STARTED"}), None),
        (said(5, eventType="CurrentProgramSceneChanged", eventData={"sceneName": "x"}), None),
        (
            said(7, requestId="1", requestStatus={"result": True, "code": 100}, responseData={"a": 1}),
            Response("1", is_ok=True, code=100, data={"a": 1}),
        ),
        (
            said(7, requestId="1", requestStatus={"result": False, "code": 500, "comment": "No."}),
            Response("1", is_ok=False, code=500, comment="No."),
        ),
        (said(7, requestId=1, requestStatus={}), None),
        (said(7, requestId="1"), None),
        (said(9), None),
        ("nonsense", None),
        (b"\xff", None),
        ("[]", None),
        ("{}", None),
        ('{"op": 0, "d": []}', None),
    ],
)
def test_what_an_obs_says_is_read(frame: str | bytes, message: object) -> None:
    assert parse(frame) == message


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), st.lists, max_leaves=5))
def test_nothing_is_said_that_cannot_be_read(value: Any) -> None:
    for operation in range(8):
        for data in (value, {"requestId": value, "requestStatus": value, "eventType": value, "authentication": value}):
            parse(orjson.dumps({"op": operation, "d": data}))
    parse(orjson.dumps({"op": 5, "d": {"eventType": "RecordStateChanged", "eventData": {"outputState": value}}}))


def test_a_password_is_proved_by_its_hash_with_the_salt_hashed_with_the_challenge() -> None:
    assert authentication("opensesame", SALT, CHALLENGE) == proof("opensesame")
    # The worked example of the protocol's description.
    assert (
        authentication(
            "supersecretpassword",
            "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI=",
            "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY=",
        )
        == "1Ct943GAT+6YQUUX47Ia/ncufilbe6+oD6lY+5kaCu4="
    )


def test_whoever_is_not_asked_for_a_password_proves_none() -> None:
    asked = orjson.loads(identify(Hello("s", "c"), "x"))
    unasked = orjson.loads(identify(Hello(), "x"))

    assert unasked == {"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 64}}
    assert set(asked["d"]) == {"rpcVersion", "eventSubscriptions", "authentication"}


def test_a_request_has_an_id() -> None:
    assert orjson.loads(request("StartRecord", "7")) == {
        "op": 6,
        "d": {"requestType": "StartRecord", "requestId": "7", "requestData": {}},
    }
