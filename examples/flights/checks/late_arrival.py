"""What must hold of the model before it may answer anybody, on flights it has not learnt from.

Each claim is judged with its 95 % interval: it passes where the whole interval satisfies it.
"""

import tomllib
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pytest

from drystone.checks.perturbations import jittered

PARAMS = tomllib.loads((Path(__file__).parents[1] / "params.toml").read_text())
HOLDOUT = datetime.fromisoformat(PARAMS["train"]["holdout_from"]).replace(tzinfo=ZoneInfo("America/New_York"))


@pytest.fixture
def holdout(data):
    """The flights that were held back when the model learnt."""
    return data("training").where("sched_dep", ">=", HOLDOUT)


@pytest.fixture
def judged(model, holdout):
    """The model's answers to them."""
    return model.on(holdout, label="late")


def test_tells_late_flights_from_others(judged):
    assert judged.metric("auc") >= 0.75


def test_beats_naming_the_average(judged, holdout):
    share = pc.mean(holdout.table["late"]).as_py()
    assert judged.metric("brier") < share * (1 - share)


def test_holds_at_every_airport(judged):
    assert judged.by("origin").metric("auc") >= 0.70


def test_is_not_worse_than_the_champion(judged):
    judged.not_worse_than("champion", metric="auc", margin=0.005)


def test_delays_so_far_raise_it(judged):
    judged.direction("origin_delay_2h", up="up", by=30)
    judged.direction("carrier_delay_24h", up="up", by=30)


def test_a_degree_changes_little(judged):
    judged.invariant(jittered("temp", by=1.0), tolerance=0.1, max=0.01)


def test_copes_with_silent_stations(judged):
    def silence(flights):
        names = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
        return {name: np.full(len(flights[name]), np.nan) for name in names}

    judged.invariant(silence, tolerance=0.3, max=0.05)


def test_answers_while_somebody_waits(judged):
    assert judged.faster_than(ms=100)
