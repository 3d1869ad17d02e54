"""What must hold of each month that the service is asked about: the same as of what the model learnt from."""

import pytest

MONTHS = [f"2013-{month:02}" for month in range(4, 13)]


@pytest.fixture(params=MONTHS)
def month(request, data):
    return data(f"months/{request.param}")


def test_one_row_a_flight_and_no_answer(month):
    month.unique("flight_id").without("late", "arr_delay", "landed_at")


def test_nothing_that_the_model_has_not_met(month, data):
    training = data("training")
    month.expect("origin").known(training)
    month.expect("carrier").known(training, max=0.01)
    month.expect("dest").known(training, max=0.05)


def test_the_weather_is_known(month):
    month.expect("temp").missing(max=0.05)
