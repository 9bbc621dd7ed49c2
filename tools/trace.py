#!/usr/bin/env python3
"""Paragraph of the government response -> rows of data/ -> tests, and the proof that it is so.

usage: tools/trace.py [--paragraph 51] [--json]   print what meets a paragraph, or all
       tools/trace.py --write                     write docs/traceability.md
       tools/trace.py --check                     fail when something does not add up or the document is stale (./run lint)

data/obligations.tsv says what each paragraph of chapter 3 (35 to 69) obliges and where it is met. Checked:
- every paragraph stands there; what is built or partly built names a test, what is not yet or partly built says what is missing
- every row and every test that is named exists
- every row of data/ that cites one of these paragraphs is named under it, so that a new row cannot be forgotten
Tests are those that are named, and those that mention the identifier of a row that is named.
"""
import argparse
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PARAGRAPHS = range(35, 70)
SECTIONS = {35: "3.1 Introduction to SMKI", 42: "3.2 Policy Management Authority and assurance", 44: "3.3 The SMKI Service", 51: "3.4 Certificate Policies",
            62: "3.5 The SMKI Repository", 67: "3.6 Recovery"}
# Tables whose rows may be named, by the kind that stands before the identifier.
TABLES = {"limit": "limits.tsv", "lint": "lints.tsv", "act": "acts.tsv", "profile": "certificate_profiles.tsv", "eligibility": "certificate_eligibility.tsv",
          "credit": "service_credits.tsv", "row": "key_reuse.tsv",
          "document": "document_kinds.tsv", "seat": "pma_seats.tsv", "resolution": "resolution_kinds.tsv", "set": "document_set.tsv",
          "scope": "assessment_scopes.tsv"}
STANDINGS = {"built": "built", "part": "in part", "not-yet": "not yet", "informs": "obliges nothing"}


def tsv(path):
    lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def cited(source):
    """Paragraphs that a source column names: ¶57, ¶82-84. What follows "¶47 gives none" is cited, too."""
    found = set()
    for first, last in re.findall(r"¶(\d+)(?:-(\d+))?", source):
        found.update(range(int(first), int(last or first) + 1))
    return found


def read_rows():
    """kind:id -> paragraphs that the row cites."""
    rows = {}
    for kind, name in TABLES.items():
        for row in tsv(ROOT / "data" / name):
            key = f"{kind}:{next(iter(row.values()))}"
            rows[key] = rows.get(key, set()) | cited(row["source"])
    for path in sorted((ROOT / "data" / "rules").glob("*.tsv")):
        for row in tsv(path):
            rows[f"rule:{row['id']}"] = cited(row["source"])
    return rows


def read_tests():
    """Suite.Name -> text of the test."""
    tests = {}
    for path in sorted([*(ROOT / "src").rglob("*_test.cc"), *(ROOT / "tests").rglob("*_test.cc")]):
        text = path.read_text(encoding="utf-8")
        starts = list(re.finditer(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", text, re.M))
        for one, following in zip(starts, [*starts[1:], None]):
            tests[f"{one.group(1)}.{one.group(2)}"] = text[one.end():following.start() if following else len(text)]
    return tests


def words(cell):
    return [] if cell == "-" else cell.split()


def tests_of(obligation, tests):
    named = words(obligation["tests"])
    for row in words(obligation["rows"]):
        identifier = row.split(":", 1)[1]
        named += [name for name, text in tests.items() if name not in named and f'"{identifier}"' in text]
    return named


def check(obligations, rows, tests):
    problems = []
    for number in PARAGRAPHS:
        if not any(int(one["paragraph"]) == number for one in obligations):
            problems.append(f"paragraph {number} is not in data/obligations.tsv")
    for one in obligations:
        where = f"obligation {one['id']}"
        for row in words(one["rows"]):
            if row not in rows:
                problems.append(f"{where}: there is no row {row}")
        for test in words(one["tests"]):
            if test not in tests:
                problems.append(f"{where}: there is no test {test}")
        if one["standing"] not in STANDINGS:
            problems.append(f"{where}: standing {one['standing']} is none of {', '.join(STANDINGS)}")
        if one["standing"] in ("built", "part") and not tests_of(one, tests):
            problems.append(f"{where} is {one['standing']} and no test shows it")
        if one["standing"] in ("not-yet", "part") and one["note"] == "-":
            problems.append(f"{where} is {one['standing']} and does not say what is missing")
        if one["standing"] in ("not-yet", "informs") and (one["rows"] != "-" or one["tests"] != "-"):
            problems.append(f"{where} is {one['standing']} and names rows or tests")
    for row, paragraphs in rows.items():
        for number in paragraphs & set(PARAGRAPHS):
            if not any(int(one["paragraph"]) == number and row in words(one["rows"]) for one in obligations):
                problems.append(f"row {row} cites paragraph {number} and no obligation of it names the row")
    return problems


def traced(obligation, tests):
    return {"paragraph": int(obligation["paragraph"]), "id": obligation["id"], "obligation": obligation["obligation"],
            "standing": obligation["standing"], "rows": words(obligation["rows"]), "tests": tests_of(obligation, tests),
            "note": "" if obligation["note"] == "-" else obligation["note"]}


def document(obligations, tests):
    counts = {standing: sum(one["standing"] == standing for one in obligations) for standing in STANDINGS}
    out = ["# From paragraph to row to test", "",
           "Made by `tools/trace.py --write` from `data/obligations.tsv`, the rows' own sources and the tests; `./run lint` fails when it is stale. What",
           "chapter 3 of the government response (3.1 to 3.6) obliges, in our words.", "",
           ", ".join(f"{counts[standing]} {text}" for standing, text in STANDINGS.items()) + ".", ""]
    for one in obligations:
        number = int(one["paragraph"])
        if number in SECTIONS and SECTIONS[number] is not None and f"## {SECTIONS[number]}" not in out:
            out += ["" if out[-1] else None, f"## {SECTIONS[number]}", "", "| ¶ | obligation | standing | rows | tests |", "|---|---|---|---|---|"]
            out = [line for line in out if line is not None]
        found = traced(one, tests)
        standing = STANDINGS[one["standing"]] + (f": {found['note']}" if found["note"] else "")
        named = words(one["tests"])
        more = [test for test in found["tests"] if test not in named]
        shown = [f"`{test}`" for test in (named + more)[:max(4, len(named))]]
        if len(found["tests"]) > len(shown):
            shown.append(f"and {len(found['tests']) - len(shown)} more")
        out.append(f"| {number} | {found['obligation']} | {standing} | {', '.join(f'`{row}`' for row in found['rows'])} | {', '.join(shown)} |")
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paragraph", help="only this one, such as 51 or ¶51")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    obligations, rows, tests = tsv(ROOT / "data" / "obligations.tsv"), read_rows(), read_tests()
    path = ROOT / "docs" / "traceability.md"
    if given.write:
        path.write_text(document(obligations, tests), encoding="utf-8")
    if given.check or given.write:
        problems = check(obligations, rows, tests)
        if not path.exists() or path.read_text(encoding="utf-8") != document(obligations, tests):
            problems.append("docs/traceability.md is stale: tools/trace.py --write")
        for one in problems:
            print(one)
        print(f"trace: {len(problems)} problems")
        return 1 if problems else 0
    wanted = given.paragraph.lstrip("¶") if given.paragraph else None
    found = [traced(one, tests) for one in obligations if wanted in (None, one["paragraph"])]
    if wanted and not found:
        print(f"there is no obligation of paragraph {wanted}; known are {PARAGRAPHS.start} to {PARAGRAPHS.stop - 1}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return 0
    for one in found:
        print(f"¶{one['paragraph']} {one['obligation']}\n  {STANDINGS[one['standing']]}{': ' + one['note'] if one['note'] else ''}")
        for kind in ("rows", "tests"):
            if one[kind]:
                print(f"  {kind}: {', '.join(one[kind])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
