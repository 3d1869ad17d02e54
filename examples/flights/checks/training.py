"""What must hold of the table that the model learns from, before anything learns from it."""

import pandas as pd
import pyarrow.compute as pc

TWO_HOURS = pd.Timedelta(hours=2)


def test_one_row_a_flight(data):
    data.unique("flight_id").rows(min=50_000)


def test_no_answer_leaks_in(data):
    data.without("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "departed_at", "landed_at")


def test_no_flight_counts_itself(data):
    """`origin_departed_2h` is the number of other flights that have left the airport in that time."""
    flights = data("flights").table.to_pandas().dropna(subset="departed_at").sort_values("departed_at")
    asked = data.table.to_pandas().merge(flights[["flight_id", "departed_at"]], on="flight_id")
    for origin, own in asked.groupby("origin"):
        departed = flights["departed_at"][flights["origin"] == origin]
        until, since = own["sched_dep"], own["sched_dep"] - TWO_HOURS
        left = departed.searchsorted(until, side="right") - departed.searchsorted(since, side="right")
        itself = (since < own["departed_at"]) & (own["departed_at"] <= until)
        assert (own["origin_departed_2h"] == left - itself).all(), origin


def test_every_flight_has_an_answer(data):
    data.columns({"late": "bool"}).expect("late").missing()
    share = pc.mean(data.table["late"]).as_py()
    assert 0.1 < share < 0.4


def test_inputs_are_in_range(data):
    data.expect("minute_of_day").between(0, 1439).missing()
    data.expect("weekday").between(1, 7).missing()
    data.expect("distance").between(50, 6000).missing()
    data.expect("carrier_late_24h").between(0, 1).missing(max=0.01)
    data.expect("origin_delay_2h").between(-60, 600).missing(max=0.05)  # nothing leaves in the night


def test_the_weather_is_known(data):
    data.expect("temp").missing(max=0.01)
    data.expect("visib").between(0, 10).missing(max=0.01)
