#!/usr/bin/env python3
"""Writes docs/catalogue.md, response codes and alerts as people look them up, from the rows of data/.

usage: catalogue.py [--check]

--check writes nothing and fails when the page is not what the rows say; tools/tidy.py does the same.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "catalogue.md"


def rows(name):
    lines = [line.split("\t") for line in (ROOT / "data" / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return [dict(zip(lines[0], cells)) for cells in lines[1:]]


def cell(text):
    return text.replace("|", "\\|") or "-"


def table(header, lines):
    out = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return out + ["| " + " | ".join(cell(one) for one in line) + " |" for line in lines]


def page():
    rules = [row for file in sorted((ROOT / "data" / "rules").glob("*.tsv")) for row in rows("rules/" + file.name)]
    by_code = {}
    for rule in rules:
        by_code.setdefault(rule["response_code"], []).append(rule["id"])
    out = ["# Response codes and alerts", "",
           "Written by `tools/catalogue.py` from `data/response_codes.tsv`, `data/dcc_alerts.tsv`, `data/alert_codes.tsv` and `data/rules`.",
           "The same on the command line: `wattseal gateway code E41`; over HTTP: `GET /api/v1/codes/E41`.", "",
           "## Response codes", ""]
    out += table(["code", "severity", "meaning", "what to do", "rules that give it", "source"],
                 [[row["code"], row["severity"], row["meaning"], row["action"], ", ".join(f"`{rule}`" for rule in by_code.get(row["code"], [])), row["source"]]
                  for row in rows("response_codes.tsv")])
    out += ["", "## Alerts of the DCC", ""]
    out += table(["code", "type", "severity", "meaning", "what to do", "source"],
                 [[row["code"], row["type"], row["severity"], row["meaning"], row["action"], row["source"]] for row in rows("dcc_alerts.tsv")])
    out += ["", "## Alerts of devices", ""]
    out += table(["code", "severity", "meaning", "what to do", "source"],
                 [[row["code"], row["severity"], row["title"], row["action"], row["source"]] for row in rows("alert_codes.tsv")])
    return "\n".join(out) + "\n"


def is_stale():
    return not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page()


def main():
    if sys.argv[1:] == ["--check"]:
        sys.exit("docs/catalogue.md is not what the rows say: run tools/catalogue.py" if is_stale() else 0)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
