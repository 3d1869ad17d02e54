"""Any small graph of steps, under any names, gives what running its steps in order gives."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@st.composite
def graphs(draw) -> list[tuple[str, list[int]]]:
    """Steps in an order in which they could run, each with a random name and the steps it reads."""
    count = draw(st.integers(2, 5))
    names = draw(st.permutations(["ant", "bee", "cat", "dog", "elk"]))[:count]
    return [
        (name, sorted(draw(st.sets(st.integers(0, position - 1), max_size=3))) if position else [])
        for position, name in enumerate(names)
    ]


def script(graph: list[tuple[str, list[int]]], position: int, salt: str) -> str:
    name, reads = graph[position]
    inputs = " ".join(f"out/{graph[other][0]}" for other in reads)
    made = f"{name}.part"
    text = f"mkdir -p out\n{{ echo {name} {salt}; cat source {inputs}; }} > {made} || exit 1\n"
    return text + f"mv {made} out/{name}\n"


def expected(graph: list[tuple[str, list[int]]], salts: list[str], source: str) -> dict[str, str]:
    made: list[str] = []
    for (name, reads), salt in zip(graph, salts, strict=True):
        made.append(f"{name} {salt}\n{source}" + "".join(made[other] for other in reads))
    return {name: text for (name, _), text in zip(graph, made, strict=True)}


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(graph=graphs(), data=st.data())
def test_any_graph_gives_what_its_steps_give_in_order(workshop, graph, data) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        subprocess.run(["git", "init", "-q", root], check=True)
        shop = workshop(root)
        salts = ["0"] * len(graph)
        source = "source 0\n"
        shop.write("source", source)
        for position, (name, _) in enumerate(graph):
            shop.step(name, script(graph, position, "0"))
        shop.run()
        for turn in range(2):
            assert shop.last is not None and shop.last.error is None
            assert {name: shop.read(f"out/{name}") for name, _ in graph} == expected(graph, salts, source)
            assert set(shop.run().values()) == {"unchanged"}
            change = data.draw(st.integers(-1, len(graph) - 1))
            if change < 0:
                source = f"source {turn + 1}\n"
                shop.write("source", source)
            else:
                salts[change] = str(turn + 1)
                shop.step(graph[change][0], script(graph, change, salts[change]))
            shop.run()
        shop.ledger.close()
