-- How late flights have just left the airport: known when they have left.
-- A flight says nothing about itself: one that has left before it was asked about counts for nobody.
-- keys: origin
SELECT
  origin,
  departed_at,
  avg(dep_delay) OVER last_2h AS origin_delay_2h,
  count(*) OVER last_2h AS origin_departed_2h
FROM flights
WHERE departed_at > asked_at
