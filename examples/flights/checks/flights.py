"""What must hold of the flights as they came: `data` is the dataset that this file is named after."""

import pyarrow.compute as pc


def test_every_flight_is_there_once(data):
    data.rows(min=300_000).unique("flight_id")


def test_places_and_carriers_are_known(data):
    data.expect("origin").one_of(["EWR", "JFK", "LGA"]).missing()
    data.expect("carrier").known(data("airlines")).missing()


def test_delays_are_minutes_that_can_be(data):
    data.expect("arr_delay").between(-120, 1500).missing(max=0.03)
    data.expect("dep_delay").between(-120, 1500).missing(max=0.03)


def test_times_lie_in_2013(data):
    data.expect("sched_dep").between("2013-01-01T00:00:00-05:00", "2014-01-01T00:00:00-05:00").missing()


def test_a_flight_lands_after_it_has_left(data):
    flights = data.table
    backwards = pc.less_equal(flights["landed_at"], flights["departed_at"])
    assert not pc.any(backwards).as_py()


def test_no_answer_is_known_when_it_is_asked_for(data):
    flights = data.table
    assert not pc.any(pc.less_equal(flights["landed_at"], flights["sched_dep"])).as_py()
