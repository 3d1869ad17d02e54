-- How late the plane landed last, if it has landed in the last 24 hours.
-- keys: tailnum
-- max_age: 24h
SELECT tailnum, landed_at, arr_delay::DOUBLE AS plane_delay
FROM flights
WHERE landed_at > asked_at -- a flight says nothing about itself
