"""Benchmark problems by name: `PROBLEMS` lists them, `get_problem` makes one.

A problem is one entry here (a string, resolved when used, so that listing imports nothing heavy) and a class that
fulfils the contract of `moo/base.py`.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, cast

from moo.checks import unknown_name
from moo.registry import format_spec, parse_spec, resolve

if TYPE_CHECKING:
    from moo.base import Problem

PROBLEMS: dict[str, str] = {
    "zdt1": "moo.problems.zdt:ZDT1",
    "zdt2": "moo.problems.zdt:ZDT2",
    "zdt3": "moo.problems.zdt:ZDT3",
    "zdt4": "moo.problems.zdt:ZDT4",
    "zdt5": "moo.problems.zdt:ZDT5",
    "zdt6": "moo.problems.zdt:ZDT6",
    "fonseca-fleming": "moo.problems.fonseca_fleming:FonsecaFleming",
    "dtlz1": "moo.problems.dtlz:DTLZ1",
    "dtlz2": "moo.problems.dtlz:DTLZ2",
    "dtlz3": "moo.problems.dtlz:DTLZ3",
    "dtlz4": "moo.problems.dtlz:DTLZ4",
    "dtlz5": "moo.problems.dtlz:DTLZ5",
    "dtlz6": "moo.problems.dtlz:DTLZ6",
    "dtlz7": "moo.problems.dtlz:DTLZ7",
    "re21": "moo.problems.real_world_two:RE21",
    "re22": "moo.problems.real_world_two:RE22",
    "re23": "moo.problems.real_world_two:RE23",
    "re24": "moo.problems.real_world_two:RE24",
    "re25": "moo.problems.real_world_two:RE25",
    "re31": "moo.problems.real_world_three:RE31",
    "re32": "moo.problems.real_world_three:RE32",
    "re33": "moo.problems.real_world_three:RE33",
    "re34": "moo.problems.real_world_three:RE34",
    "re35": "moo.problems.real_world_three:RE35",
    "re36": "moo.problems.real_world_three:RE36",
    "re37": "moo.problems.real_world_three:RE37",
    "re41": "moo.problems.real_world_many:RE41",
    "re42": "moo.problems.real_world_many:RE42",
    "re61": "moo.problems.real_world_many:RE61",
    "re91": "moo.problems.real_world_many:RE91",
    "cre21": "moo.problems.real_world_three:CRE21",
    "cre22": "moo.problems.real_world_three:CRE22",
    "cre23": "moo.problems.real_world_three:CRE23",
    "cre24": "moo.problems.real_world_three:CRE24",
    "cre25": "moo.problems.real_world_three:CRE25",
    "cre31": "moo.problems.real_world_many:CRE31",
    "cre32": "moo.problems.real_world_many:CRE32",
    "cre51": "moo.problems.real_world_many:CRE51",
    "wfg1": "moo.problems.wfg:WFG1",
    "wfg2": "moo.problems.wfg:WFG2",
    "wfg3": "moo.problems.wfg:WFG3",
    "wfg4": "moo.problems.wfg:WFG4",
    "wfg5": "moo.problems.wfg:WFG5",
    "wfg6": "moo.problems.wfg:WFG6",
    "wfg7": "moo.problems.wfg:WFG7",
    "wfg8": "moo.problems.wfg:WFG8",
    "wfg9": "moo.problems.wfg:WFG9",
    "c1-dtlz1": "moo.problems.constrained_dtlz:C1DTLZ1",
    "c1-dtlz3": "moo.problems.constrained_dtlz:C1DTLZ3",
    "c2-dtlz2": "moo.problems.constrained_dtlz:C2DTLZ2",
    "c3-dtlz1": "moo.problems.constrained_dtlz:C3DTLZ1",
    "c3-dtlz4": "moo.problems.constrained_dtlz:C3DTLZ4",
    "mw1": "moo.problems.mw:MW1",
    "mw2": "moo.problems.mw:MW2",
    "mw3": "moo.problems.mw:MW3",
    "mw4": "moo.problems.mw:MW4",
    "mw5": "moo.problems.mw:MW5",
    "mw6": "moo.problems.mw:MW6",
    "mw7": "moo.problems.mw:MW7",
    "mw8": "moo.problems.mw:MW8",
    "mw9": "moo.problems.mw:MW9",
    "mw10": "moo.problems.mw:MW10",
    "mw11": "moo.problems.mw:MW11",
    "mw12": "moo.problems.mw:MW12",
    "mw13": "moo.problems.mw:MW13",
    "mw14": "moo.problems.mw:MW14",
    "hypergrid": "moo.problems.hypergrid:HyperGrid",
    "mokp": "moo.problems.knapsack:MOKP",
    "branin-currin": "moo.problems.botorch_problems:BraninCurrin",
    "constrained-branin-currin": "moo.problems.botorch_problems:ConstrainedBraninCurrin",
    "vehicle-safety": "moo.problems.botorch_problems:VehicleSafety",
    "car-side-impact": "moo.problems.botorch_problems:CarSideImpact",
    "penicillin": "moo.problems.botorch_problems:Penicillin",
    "gmm": "moo.problems.botorch_problems:GMM",
    "disc-brake": "moo.problems.botorch_problems:DiscBrake",
    "welded-beam": "moo.problems.botorch_problems:WeldedBeam",
    "bnh": "moo.problems.botorch_problems:BNH",
    "constr-ex": "moo.problems.botorch_problems:ConstrEx",
    "srn": "moo.problems.botorch_problems:SRN",
    "osy": "moo.problems.botorch_problems:OSY",
    "ngrams": "moo.problems.ngrams:NGrams",
    "bitstrings": "moo.problems.bitstrings:BitStrings",
    "bbob-biobj": "moo.problems.bbob_biobj:BBOBBiobj",
    "bandit": "moo.problems.bandit:Bandit",
    "building": "moo.problems.building:Building",
    "deep-sea-treasure": "moo.problems.deep_sea_treasure:DeepSeaTreasure",
    "four-room": "moo.problems.four_room:FourRoom",
    "dna": "moo.problems.dna:DNA",
    "fragments": "moo.problems.fragments:Fragments",
    "fruit-tree": "moo.problems.fruit_tree:FruitTree",
    "minecart": "moo.problems.minecart:Minecart",
    "minecart-deterministic": "moo.problems.minecart:MinecartDeterministic",
    "resource-gathering": "moo.problems.resource_gathering:ResourceGathering",
    "text": "moo.problems.text:Text",
}


def get_problem(name: str, **options: Any) -> Problem:
    """Make the problem called `name`.

    Args:
        name: A key of `PROBLEMS`, or the id of an environment of MO-Gymnasium (`"mo-hopper-v5"`), with options after a
            colon if any: `"dtlz2:dim=6,num_objectives=3"`.
        options: Further options of the problem's constructor.

    Returns:
        The problem. Its attribute `spec` is the string, options included, from which `get_problem` makes it again.

    Raises:
        TypeError: `name` is no string, or the constructor refuses an option's type.
        ValueError: The problem or an option is unknown (the known ones are listed), an option stands both in `name`
            and among `options`, or the constructor refuses a value.
    """
    if not isinstance(name, str):
        raise TypeError(f"`name` should be a problem's name such as 'zdt1'. Found {name!r}.")
    name, said = parse_spec(name)
    twice = [option for option in said if option in options]
    if twice:
        raise ValueError(
            f"The option {twice[0]!r} of {name} stands in the name ({said[twice[0]]!r}) and among the keywords "
            f"({options[twice[0]]!r}). Say it once."
        )
    options = {**said, **options}
    problem = _of_gymnasium(name, options) if _is_id(name) else _registered(name, options)
    problem.spec = format_spec(name, options)
    return cast("Problem", problem)


def _is_id(name: str) -> bool:
    """Whether a name is one of Gymnasium's, with a version at its end, and none of ours."""
    return name not in PROBLEMS and re.fullmatch(r"[\w-]+-v\d+", name) is not None


def _of_gymnasium(name: str, options: dict[str, Any]) -> Any:
    from moo.adapters.gymnasium import FromGymnasium

    return FromGymnasium(name, **options)


def _registered(name: str, options: dict[str, Any]) -> Any:
    make = resolve(PROBLEMS, name, "problem")
    known = inspect.signature(make).parameters
    for option in options:
        if option not in known:
            raise ValueError(unknown_name(f"option of {name}", option, known))
    return make(**options)
