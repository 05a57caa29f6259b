"""The measurement of cost runs, and costs stay in the order of what was measured."""

from pathlib import Path

import msgspec

from bench import sound


def test_the_bench_of_sound_runs_and_writes_its_figures(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    sound.main(["--seconds", "3", "--rounds", "1", "--json", str(written)])
    figures = msgspec.json.decode(written.read_bytes())
    assert len(figures["costs"]) == 14
    assert all(0 < cost["microseconds"] < 5000 for cost in figures["costs"])
    delays = {row["link"]: row for row in figures["delays"]}
    assert delays["clean"]["most"] <= 0.04
    assert delays["clean"]["guessed"] == 0
    assert delays["25 % lost, 3 copies"]["guessed"] < 0.02
