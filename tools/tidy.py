#!/usr/bin/env python3
"""Checks the code's own shape and fails on what the house forbids. Run from the repository root: tools/tidy.py [--report]

- arrows: an include from one module into another must be listed in tools/storeys.tsv and must name a door (a header directly in
  the module's folder), never a room (a header in a sub-folder)
- dead files: every header is included somewhere; every .cc stands in a module
- banned calls outside base/ and apps/: clocks, random_device, getenv, std::thread (http's I/O threads are the one exception)
- rules: every "id"_rule literal in src/ has a row in data/rules, every row has a literal
- sizes: no source file over 800 lines, no function over 70 lines
- promises and leftovers: words that mark unfinished work
- catalogue: docs/catalogue.md is what tools/catalogue.py makes of the rows
- links: relative links in Markdown files lead somewhere
--report prints each module's file and function sizes as well.
"""
import pathlib
import re
import sys

import catalogue

ROOT = pathlib.Path(__file__).resolve().parent.parent
SRC = ROOT / "src"
FILE_LINES_MAX, FUNCTION_LINES_MAX = 800, 70
problems = []


def problem(where, what):
    problems.append(f"{where}: {what}")


def tsv(path):
    lines = [line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return lines[0], lines[1:]


def strip_comments_and_strings(text):
    """Same length and line breaks, comments and literals blanked."""
    pattern = r'R"(\w*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def functions(text):
    """(name, first line, lines) of every brace block that a parameter list opens at namespace or class level."""
    clean = strip_comments_and_strings(text)
    clean = re.sub(r"^[ \t]*#.*?(?<!\\)$", lambda m: " " * len(m.group(0)), clean, flags=re.M)
    found, depth_of, stack, last = [], [], [], 0
    for match in re.finditer(r"[{};]", clean):
        if match.group(0) == ";":
            last = match.end()
        elif match.group(0) == "{":
            head = clean[last:match.start()].strip()
            plain = not re.match(r"(inline\s+|export\s+)?(namespace|class|struct|enum|union|extern)\b", head)
            is_function = plain and re.search(r"\)\s*(const|noexcept|override|final|&|mutable|->[\w:<>,&*\s]+|:\s.*)*\s*$", head, re.S)
            stack.append((bool(is_function) and not any(f for f, _, _ in stack), match.start(), head))
            last = match.end()
        else:
            if stack:
                is_function, start, head = stack.pop()
                if is_function:
                    first = clean.count("\n", 0, start) + 1
                    name = re.findall(r"([\w:~]+|operator\S+)\s*\(", head)
                    found.append((name[0] if name else "?", first, clean.count("\n", start, match.end()) + 1))
            last = match.end()
    return found


def check_module_files(module, allowed):
    folder = SRC / module
    sizes, lengths = [], []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        text = path.read_text()
        name = path.relative_to(ROOT)
        lines = text.count("\n")
        sizes.append(lines)
        if lines > FILE_LINES_MAX:
            problem(name, f"{lines} lines, at most {FILE_LINES_MAX}")
        check_includes(name, text, module, allowed)
        check_calls(name, text, module)
        for function, first, length in functions(text):
            lengths.append(length)
            if length > FUNCTION_LINES_MAX and not path.name.endswith("_test.cc"):
                problem(f"{name}:{first}", f"{function} has {length} lines, at most {FUNCTION_LINES_MAX}")
    return sizes, lengths


def check_includes(name, text, module, allowed):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'#include "([^"]+)"', line)
        if not found or found.group(1).startswith(("tables/", "tests/")):
            continue
        target = found.group(1)
        other = target.split("/")[0]
        if not (SRC / target).exists():
            problem(f"{name}:{number}", f"includes {target}, which is not there")
        elif other != module and other not in allowed:
            problem(f"{name}:{number}", f"{module} may not open {other} (tools/storeys.tsv)")
        elif other != module and target.count("/") != 1:
            problem(f"{name}:{number}", f"{target} is a room of {other}; use its door")


BANNED = [
    (r"system_clock::|steady_clock::|high_resolution_clock|\btime\s*\(\s*(nullptr|NULL|0)\s*\)|\bgettimeofday\b|\bclock_gettime\b", "reads a clock; take World"),
    (r"std::random_device|\brand\s*\(|\bsrand\s*\(", "makes chance; take World"),
    (r"\bgetenv\s*\(", "reads the environment; main does"),
    (r"std::(j?thread|async)\b", "makes a thread; use base/parallel.h or base/pump.h"),
    (r"\b(system|popen|strcpy|strcat|sprintf|gets|atoi|atol|strtok)\s*\(", "is a call that the house does without"),
]


def check_calls(name, text, module):
    if module in ("base", "apps") or str(name).endswith("_test.cc"):
        return
    clean = strip_comments_and_strings(text)
    for pattern, why in BANNED:
        if module == "http" and "std::(j?thread" in pattern:
            continue
        for match in re.finditer(pattern, clean):
            problem(f"{name}:{clean.count(chr(10), 0, match.start()) + 1}", f"{match.group(0).strip()} {why}")


def check_rules():
    rows = {}
    for path in sorted((ROOT / "data/rules").glob("*.tsv")):
        for cells in tsv(path)[1]:
            rows[cells[0]] = path.name
    used = {}
    for path in sorted(SRC.rglob("*.cc")) + sorted(SRC.rglob("*.h")):
        if path.name.endswith("_test.cc"):
            continue
        code = re.sub(r"//[^\n]*", "", path.read_text())
        for rule in re.findall(r'"([^"\n]+)"_rule', code):
            used.setdefault(rule, path.relative_to(ROOT))
    for rule, where in sorted(used.items()):
        if rule not in rows:
            problem(where, f"rule {rule} has no row in data/rules")
    for rule, where in sorted(rows.items()):
        if rule not in used and rule != "internal":
            problem(f"data/rules/{where}", f"rule {rule} is used nowhere")


def check_dead_headers():
    everything = "\n".join(p.read_text() for folder in ("src", "tests", "bench", "fuzz") for p in (ROOT / folder).rglob("*") if p.suffix in (".h", ".cc"))
    for path in sorted(SRC.rglob("*.h")):
        if f'#include "{path.relative_to(SRC)}"' not in everything:
            problem(path.relative_to(ROOT), "is included nowhere")


def check_words():
    words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|not (yet )?implemented|\bfor now\b")
    for folder in ("src", "tests", "bench", "fuzz", "tools", "data"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in (".h", ".cc", ".py", ".tsv", ".gmt", ".txt", ".mjs") and path != pathlib.Path(__file__).resolve():
                for number, line in enumerate(path.read_text().splitlines(), 1):
                    if words.search(line):
                        problem(f"{path.relative_to(ROOT)}:{number}", f"promises instead of doing: {line.strip()[:80]}")


def check_links():
    for path in sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "data").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text()):
            if not (path.parent / target).exists():
                problem(path.relative_to(ROOT), f"link to {target} leads nowhere")


def check_catalogue():
    if catalogue.is_stale():
        problem("docs/catalogue.md", "is not what the rows say: run tools/catalogue.py")


def main():
    report = "--report" in sys.argv[1:]
    modules = {cells[0]: cells[2].split() for cells in tsv(ROOT / "tools/storeys.tsv")[1]}
    storeys = {cells[0]: int(cells[1]) for cells in tsv(ROOT / "tools/storeys.tsv")[1]}
    for module, uses in modules.items():
        for other in uses:
            if other != "-" and storeys[other] > storeys[module]:
                problem("tools/storeys.tsv", f"{module} looks up to {other}")
    for folder in sorted(p for p in SRC.iterdir() if p.is_dir()):
        if folder.name not in modules:
            problem(folder.relative_to(ROOT), "is no module of tools/storeys.tsv")
            continue
        sizes, lengths = check_module_files(folder.name, modules[folder.name])
        if report and sizes:
            sizes.sort(), lengths.sort()
            print(f"{folder.name:10} {len(sizes):3} files, {sum(sizes):6} lines, median {sizes[len(sizes) // 2]:4}, largest {sizes[-1]:4};"
                  f" {len(lengths):4} functions, p90 {lengths[len(lengths) * 9 // 10] if lengths else 0:3}, longest {lengths[-1] if lengths else 0:3}")
    check_rules()
    check_dead_headers()
    check_words()
    check_links()
    check_catalogue()
    for line in problems:
        print(line)
    print(f"tidy: {len(problems)} problem{'s' if len(problems) != 1 else ''}")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
