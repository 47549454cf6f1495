"""The loop: `pareto_search`, and `load_result`, which reads what it found."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from moo.archive import CAPACITY
from moo.checkpoint import Checkpoint
from moo.choosing import find_problem, rebuild_generator, set_up
from moo.progress import ProgressLine, say
from moo.result import SearchResult, read_result
from moo.run import Run

CTRL_C = "interrupted by Ctrl-C"


def pareto_search(
    problem: Any,
    method: str = "auto",
    *,
    budget: int,
    space: Any = None,
    num_objectives: int | None = None,
    directions: str | Sequence[str] | None = None,
    objective_names: Sequence[str] | None = None,
    constraints: Callable[..., Any] | None = None,
    reference_point: Any = None,
    initial: Any = None,
    preferences: Any = "auto",
    options: Mapping[str, Any] | None = None,
    vectorized: bool | str = "auto",
    workers: int = 1,
    stochastic: bool | None = None,
    reevaluations: int = 20,
    archive_capacity: int = CAPACITY,
    archive_bound: str = "crowding",
    seed: int = 0,
    device: str = "auto",
    checkpoint: str | Path | None = None,
    progress: bool = True,
    callback: Callable[[SearchResult], object] | None = None,
) -> SearchResult:
    """Search for the Pareto front of a problem.

    Args:
        problem: A registered name with options (`"dtlz2:dim=6,num_objectives=3"`), a problem object, a function of
            one row `[d]` or of rows `[n, d]` (numpy arrays), together with `space` and `directions`; or an environment
            of MO-Gymnasium: its id with options (`"mo-hopper-v5:max_steps=500"`), an object, or a function without
            arguments that makes one.
        method: A registered method, or `"auto"`: chosen by kind of problem, objectives and budget.
        budget: What may be spent, in the problem's unit (evaluations, transitions, completions), training included.
        space: Of a function: a `Space`, or a list of columns or `(low, high)` bounds.
        num_objectives: Of a function, where `directions` is a single word.
        directions: Of a function: `"min"`, `"max"` or one per objective.
        objective_names: Of a function: what tables, axes and files call its objectives; by default f1, f2, ...
        constraints: Of a function: another one that gives `[c]` or `[n, c]`, feasible where `<= 0`.
        reference_point: For the hypervolume, `[m]` in the problem's directions; else the problem's own; else inferred
            from the first evaluated rows.
        initial: Points already known, `(solutions, objectives)` or with constraints as a third; they are not counted.
        preferences: A tuner's name with options, preferences `[k, m]` to cycle, or `"auto"`.
        options: The method's own options.
        vectorized: Whether a function takes rows `[n, d]`; `"auto"`: found out by three rows evaluated both ways,
            which are counted and kept.
        workers: Processes that share the rows of a function.
        stochastic: Whether a function is noisy.
        reevaluations: On a noisy problem, fresh evaluations of each row that choose the reported front. The chosen rows
            are then evaluated as often again, and on until the standard error of the hypervolume is 1.5 % of it or
            this has cost as much as the search; counted apart. 1: no going on. 0: report what was observed, luck
            included.
        archive_capacity: Most rows that the archive keeps, at least 1.
        archive_bound: Which rows go beyond it: `"crowding"`, the most crowded, or `"hypervolume"`, one after the other
            those that add least hypervolume (see `Archive`). Of many objectives that takes too long for a large
            capacity, which is refused.
        seed: Of everything random.
        device: Where the method computes: `"auto"` (a GPU where there is one), `"cpu"`, `"cuda"`, ...
        checkpoint: A folder. The same call with the same folder goes on where it stopped, to the same result, and pays
            for no evaluation twice; a larger budget continues a run.
        progress: Show a line while running, where standard error is a terminal.
        callback: Called after every step with the result so far; the search stops when it returns true.

    Returns:
        What was found, in the problem's own directions. Ctrl-C returns what was found so far.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: An argument breaks a rule; the message says which and what to do.
        RuntimeError: Every evaluation fails.
    """
    if callback is not None and not callable(callback):
        raise TypeError(f"`callback` should be a function that takes a result, or None. Found {callback!r}.")
    own = {"space": space, "directions": directions, "num_objectives": num_objectives, "constraints": constraints}
    own["objective_names"] = objective_names
    calling = {"vectorized": vectorized, "workers": workers, "stochastic": stochastic}
    run = set_up(
        find_problem(problem, **own, **calling),
        method,
        budget=budget,
        reference_point=reference_point,
        initial=initial,
        preferences=preferences,
        options=options,
        reevaluations=reevaluations,
        seed=seed,
        device=device,
        archive_capacity=archive_capacity,
        archive_bound=archive_bound,
    )
    config, metered = run.config, run.problem
    label = f"{config['method']} on {config['problem']}"
    if config["choice"]:
        say(f"{config['choice']}.", shown=progress)
    if config["encoding"]:
        say(f"{config['method']} meets {config['problem']} encoded as a {config['encoding']} problem.", shown=progress)
    with contextlib.ExitStack() as stack:
        stack.callback(getattr(metered, "close", lambda: None))  # processes of an environment
        store = None
        if checkpoint is not None:
            store = stack.enter_context(Checkpoint(checkpoint, config))
            go_on(run, store)
        stack.enter_context(one_thread())
        stopped = stack.enter_context(interrupts())
        if getattr(metered, "vectorized", None) == "auto":
            run.take(metered.probe())
            if store is not None:
                store.save(run.state_dict(), trimmed=False)
        line = stack.enter_context(ProgressLine(shown=progress, label=label, budget=metered.budget, unit=metered.unit))
        loop(run, store, line, stopped, callback)
        if CTRL_C not in stopped:
            with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C: the observed front is reported then
                run.reevaluate(config["reevaluations"], announced=progress)
        run.interrupted = CTRL_C in stopped
    return run.result()


def loop(
    run: Run,
    store: Checkpoint | None,
    line: ProgressLine,
    stopped: list[str],
    callback: Callable[[SearchResult], object] | None,
) -> None:
    """Suggest, step, archive: until the budget is spent, the method has finished or somebody stops it."""
    problem, generator = run.problem, run.generator
    while problem.remaining > 0 and not generator.finished and not stopped:
        if generator.wants_setting:
            run.next_setting()
        run.take(generator.step(run.setting))
        line.show(problem.used, run.history.hypervolume, len(run.archive))
        if callback is not None and callback(run.result()):
            stopped.append("the callback stopped it")
        if store is not None and store.due:
            store.save(run.state_dict(), trimmed=problem.trimmed)
    run.ended = "the budget is spent" if not problem.remaining else generator.finished or stopped[0]
    if store is not None:
        store.save(run.state_dict(), trimmed=problem.trimmed)
    run.close()


def go_on(run: Run, store: Checkpoint) -> None:
    """Bring a fresh run to where a checkpoint stands.

    Raises:
        ValueError: The run was made with another budget, and its method cannot go on from there.
    """
    budget, old = run.problem.budget, store.budget
    if old is not None and budget != old and run.generator.schedules_by_budget:
        name = run.config["method"]
        raise ValueError(
            f"{store.folder} holds a run of budget {old}. Method {name!r} plans by its budget, so it cannot go on with "
            f"{budget}. Choose another folder, or budget={old}."
        )
    if store.state is not None and store.state["problem"]["used"] > budget:
        raise ValueError(
            f"{store.folder} holds a run that has used {store.state['problem']['used']} {run.problem.unit}. "
            f"`budget` should be at least that to go on. Found {budget}."
        )
    store.begin()
    run.problem.use_journal(store.journal)
    if store.state is not None:
        run.load_state_dict(store.state)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside: small tensors on a busy machine are many times slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def interrupts() -> Iterator[list[str]]:
    """A list that is empty until Ctrl-C is pressed; a second Ctrl-C raises KeyboardInterrupt at once."""
    stopped: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # signals reach the main thread alone
        return

    def note(number: int, frame: Any) -> None:
        if stopped:
            signal.default_int_handler(number, frame)
        stopped.append(CTRL_C)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def load_result(folder: str | Path, problem: Any = None) -> SearchResult:
    """Read a saved search.

    Args:
        folder: What `SearchResult.save` or `moo search --out` wrote.
        problem: The problem, where it is not a registered one and `.generator` is to be rebuilt.

    Raises:
        FileNotFoundError: The folder holds no finished run.
        DamagedFileError: A file cannot be read; it is named.
    """
    folder = Path(folder)
    return read_result(folder, lambda config, state: rebuild_generator(folder, config, state, problem))
