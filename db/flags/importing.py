"""What of flags is taken in from files: the codes that scoring programs write."""

from db import import_readers as read
from db.access.viewer import Role
from db.errors import Conflict
from db.flags.codes import checked_code
from db.flags.operations import LONGEST_NAME
from db.flags.tables import FlagMapping
from db.flags.vocabulary import CodeKind
from db.importing import ImportField, TableImport, Values
from db.texts import checked


def _mapping(said: Values) -> Values:
    values = dict(said)
    for name in ("pss_code", "ioc_code"):
        if name in said:
            values[name] = checked_code(said[name], field=name)
    if "country_name" in said:
        values["country_name"] = checked(said["country_name"], "A country", field="country_name", longest=LONGEST_NAME)
    return values


def _only_ours(row: FlagMapping) -> None:
    if not row.is_custom:
        raise Conflict("This code came with Ringside, and stays as it is.", field="pss_code")


FLAG_MAPPINGS = TableImport(
    name="flag-mappings",
    role=Role.OPERATOR,
    model=FlagMapping,
    fields=(
        ImportField(header="pssCode", column="pss_code", read=read.text),
        ImportField(header="iocCode", column="ioc_code", read=read.text),
        ImportField(header="countryName", column="country_name", read=read.text),
    ),
    key=("pss_code",),
    needed=("pss_code", "ioc_code", "country_name"),
    new=lambda _said, now: {
        "iso_code": "",
        "other_names": [],
        "kind": CodeKind.CUSTOM,
        "note": "",
        "is_custom": True,
        "created_at": now,
        "updated_at": now,
    },
    check=_mapping,
    guard=_only_ours,
)
