#!/usr/bin/env python3
"""Compiles data/ into C++ initialisers: tables/<name>.inc, one line a row, every column a string literal.

usage: tablegen.py DATA_DIR OUTPUT_DIR

data/<name>.tsv        -> tables/<name>.inc
data/rules/*.tsv       -> tables/rules.inc, all files joined (ids must be unique over all of them)
data/gbcs/*.gmt        -> tables/gbcs_templates.inc, {"file", "text"} with the text in raw literals

A table has a header line, then rows of exactly as many tab-separated columns; lines that start with '#' are comments. What is
wrong is reported as file:line and fails the build. A file is rewritten only when its content changes.
"""
import pathlib
import sys

PIECE = 12000  # characters of one raw literal; compilers must accept 65,536 but joined pieces keep far away from that


def fail(where, why):
    sys.exit(f"{where}: {why}")


def rows_of(path):
    header, rows = None, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if header is None:
            header = cells
            if header[-2:] != ["source", "in_force_from"]:
                fail(f"{path}:{number}", "the last two columns must be source and in_force_from")
        elif len(cells) != len(header):
            fail(f"{path}:{number}", f"{len(cells)} columns, the header has {len(header)}")
        else:
            rows.append((number, cells))
    if header is None:
        fail(path, "no header line")
    return header, rows


def literal(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def row_line(cells):
    return "{" + ", ".join(literal(cell) for cell in cells) + "},\n"


def write(path, text):
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def rules(files):
    lines, seen = [], {}
    for path in files:
        header, rows = rows_of(path)
        if header != ["id", "response_code", "http_status", "explanation", "fix", "source", "in_force_from"]:
            fail(path, "columns differ from data/rules/README.md")
        for number, cells in rows:
            if cells[0] in seen:
                fail(f"{path}:{number}", f"rule {cells[0]} already stands at {seen[cells[0]]}")
            seen[cells[0]] = f"{path}:{number}"
            lines.append(cells)
    return "".join(row_line(cells) for cells in sorted(lines))


def templates(files):
    out = []
    for path in files:
        text = path.read_text(encoding="utf-8")
        if ')gmt"' in text:
            fail(path, "holds the end of a raw literal")
        pieces = [text[i:i + PIECE] for i in range(0, len(text), PIECE)] or [""]
        out.append("{" + literal(path.name) + ",\n" + "\n".join(f'R"gmt({piece})gmt"' for piece in pieces) + "},\n")
    return "".join(out)


def main():
    data, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(data.glob("*.tsv")):
        write(out / (path.stem + ".inc"), "".join(row_line(cells) for _, cells in rows_of(path)[1]))
    write(out / "rules.inc", rules(sorted((data / "rules").glob("*.tsv"))))
    write(out / "gbcs_templates.inc", templates(sorted((data / "gbcs").glob("*.gmt"))))


if __name__ == "__main__":
    main()
