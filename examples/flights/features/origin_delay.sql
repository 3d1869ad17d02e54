-- How late flights have just left the airport: known when they have left, each for all but itself.
-- keys: origin
-- except_own: flight_id
SELECT
  origin,
  flight_id,
  departed_at,
  avg(dep_delay) OVER last_2h AS origin_delay_2h,
  count(*) OVER last_2h AS origin_departed_2h
FROM flights
