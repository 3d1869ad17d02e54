"""What must hold of the hourly weather."""


def test_one_observation_an_hour(data):
    data.unique("origin", "time_hour", max=0.001)  # one hour occurs twice when clocks go back
    data.expect("origin").one_of(["EWR", "JFK", "LGA"])


def test_readings_can_be(data):
    data.expect("temp").between(-30, 120).missing(max=0.001)
    data.expect("humid").between(0, 100).missing(max=0.001)
    data.expect("wind_speed").between(0, 100, max=0.0001).missing(max=0.001)  # one reading says 1,048
    data.expect("pressure").between(950, 1050).missing(max=0.12)


def test_it_is_fresh(data):
    data.fresh("time_hour", within="3d", now="2014-01-01T00:00:00-05:00")
