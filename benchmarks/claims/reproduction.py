"""Measuring claims, and writing down what was found."""

from __future__ import annotations

import json
import os
import platform
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from moo.benchmarks.claims import alignment, bayes, benchmarks, foundation, gflownet, indicators, morl
from moo.benchmarks.claims.claim import Claim, Measurement
from moo.checks import unknown_name
from moo.choosing import versions
from moo.registry import resolve
from moo.storage import read_json, write_json

CLAIMS: dict[str, tuple[Claim, ...]] = {
    "foundation": foundation.CLAIMS,
    "indicators": indicators.CLAIMS,
    "gflownet": gflownet.CLAIMS,
    "morl": morl.CLAIMS,
    "alignment": alignment.CLAIMS,
    "bayes": bayes.CLAIMS,
    "benchmarks": benchmarks.CLAIMS,
}


def machine() -> str:
    """Processor, cores, system."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line for line in cpuinfo.read_text().splitlines() if line.startswith("model name"))
        name = next(lines, f": {name}").partition(":")[2].strip()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def reproduce(
    name: str, path: Path, *, quick: bool = False, say: Callable[[str], object] = print
) -> list[dict[str, Any]]:
    """Measure the claims of one name, those measured before at the same versions excepted.

    Args:
        name: Of a group of claims.
        path: The JSON file that holds what was measured; written after each claim.
        quick: The smaller forms.
        say: Called with lines for people.

    Returns:
        One record per claim: what, required, measured, verdict, machine; `error` where measuring failed.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in CLAIMS:
        raise ValueError(unknown_name("claims", name, CLAIMS))
    before = {record["what"]: record for record in read_json(path)["claims"]} if path.exists() else {}
    records = []
    for claim in CLAIMS[name]:
        if quick and claim.quick is None:
            continue
        record = before.get(claim.what)
        current = {"versions": versions(), "machine": machine(), "quick": quick, "required": _required(claim, quick)}
        if record is None or "error" in record or any(record.get(key) != value for key, value in current.items()):
            say(f"measuring: {claim.what} ...")
            record = {**asdict(claim), **current, **_measure(claim, quick)}
        records.append(record)
        kept = [old for what, old in before.items() if what not in {new["what"] for new in records}]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"name": name, "claims": records + kept})
        for line in describe(record):
            say(line)
    return records


def _required(claim: Claim, quick: bool) -> str:
    return str(claim.quick) if quick else claim.required


def _measure(claim: Claim, quick: bool) -> dict[str, Any]:
    function = resolve({claim.what: claim.measure}, claim.what, "claim")
    try:
        found: Measurement = function(quick=quick)
        plain: dict[str, Any] = json.loads(json.dumps({**asdict(found), "verdict": found.verdict}))
    except Exception as error:
        return {"verdict": f"error: {type(error).__name__}: {error}", "error": traceback.format_exc()}
    return plain


def describe(record: Mapping[str, Any]) -> list[str]:
    """A claim's record in lines."""
    lines = [record["what"], f"  against   {record['against']}", f"  required  {record['required']}"]
    if "error" not in record:
        lines.append(f"  measured  median {record['median']}, worst {record['worst']}, seeds {record['seeds']}")
    return [*lines, f"  verdict   {record['verdict']}", f"  machine   {record['machine']}", ""]


def exit_code(records: list[dict[str, Any]]) -> int:
    """0 where every claim is met, 2 where some are short or not measured, 1 on an error."""
    if any("error" in record for record in records):
        return 1
    return 0 if all(record["verdict"] == "met" for record in records) else 2
