-- How late the plane landed last, if it has landed in the last 24 hours.
-- keys: tailnum
-- except_own: flight_id
-- max_age: 24h
SELECT tailnum, flight_id, landed_at, arr_delay::DOUBLE AS plane_delay
FROM flights
