"""Types that a client's build makes of the contract: what it uses rightly compiles, and what it mistakes does not."""

import asyncio
import json
import re
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from schema import print_contract
from tests.support.node import CLIENTS, run_client

_COMPILER = CLIENTS / "node_modules" / "typescript" / "bin" / "tsc"
_EXAMPLES = Path(__file__).parents[2] / "graphql-examples"

_OPTIONS = {
    "strict": True,
    "noEmit": True,
    "module": "nodenext",
    "target": "es2022",
    "lib": ["es2022"],
    "types": [],
    "noUncheckedIndexedAccess": True,
}

_RIGHT = """
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { AddToGoalDocument, ListMatsDocument, ScoreboardForOverlayDocument } from "./ringside.js";

export function lead(told: ResultOf<typeof ScoreboardForOverlayDocument>): number | null {
  const board = told.scoreboardChanged.scoreboard;
  return board && board.blue && board.red ? board.blue.score - board.red.score : null;
}

export const more: VariablesOf<typeof AddToGoalDocument> = { id: "streamgoal_1", delta: 25 };

export const numbers = (told: ResultOf<typeof ListMatsDocument>): (string | undefined)[] =>
  told.mats.nodes.map((mat) => mat.currentMatch?.number);
"""

_WRONG = """
import type { ResultOf, VariablesOf } from "@graphql-typed-document-node/core";
import { AddToGoalDocument, ListMatsDocument } from "./ringside.js";

export const unasked = (told: ResultOf<typeof ListMatsDocument>) => told.mats.nodes[0]?.createdAt;
export const unchecked = (told: ResultOf<typeof ListMatsDocument>) => told.mats.nodes.map((mat) => mat.currentMatch.id);
export const words: VariablesOf<typeof AddToGoalDocument> = { id: "streamgoal_1", delta: "25" };
export const unsaid: VariablesOf<typeof AddToGoalDocument> = { id: "streamgoal_1" };
"""


@pytest.mark.usefixtures("node")
async def test_types_of_all_examples_are_made_and_say_what_may_be_null(tmp_path: Path) -> None:
    (tmp_path / "schema.graphql").write_text(print_contract())
    # Where the compiler looks for what the types are made with.
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": _OPTIONS, "include": ["*.ts"]}))
    (tmp_path / "right.ts").write_text(_RIGHT)
    (tmp_path / "wrong.ts").write_text(_WRONG)

    made_of = await run_client(
        "types.mjs",
        CONTRACT=str(tmp_path / "schema.graphql"),
        DOCUMENTS=str(_EXAMPLES),
        INTO=str(tmp_path / "ringside.ts"),
    )
    told = await _compile(tmp_path)

    assert made_of == len(list(_EXAMPLES.rglob("*.graphql")))
    assert re.findall(r"^(\w+\.ts)\((\d+),\d+\): error (TS\d+)", told, re.MULTILINE) == [
        ("wrong.ts", "5", "TS2339"),  # no such property
        ("wrong.ts", "6", "TS18047"),  # it may be null
        ("wrong.ts", "7", "TS2322"),  # of another type
        ("wrong.ts", "8", "TS2741"),  # it is missing
    ]


async def _compile(folder: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *("node", str(_COMPILER), "--project", ".", "--pretty", "false"), cwd=folder, stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate()
    assert not errors, errors.decode()
    return output.decode()
