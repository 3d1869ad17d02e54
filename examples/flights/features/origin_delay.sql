-- How late flights have just left the airport: known when they have left.
-- keys: origin
SELECT
  origin,
  departed_at,
  avg(dep_delay) OVER last_2h AS origin_delay_2h,
  count(*) OVER last_2h AS origin_departed_2h
FROM flights
