-- How late the carrier's flights of the last 24 hours landed. A delay is known when that flight has
-- landed, so `landed_at` is the time that counts, and only landings up to now are in the window.
-- keys: carrier
-- except_own: flight_id
SELECT
  carrier,
  flight_id,
  landed_at,
  avg(arr_delay) OVER last_24h AS carrier_delay_24h,
  avg((arr_delay > 15)::INTEGER) OVER last_24h AS carrier_late_24h,
  count(*) OVER last_24h AS carrier_landed_24h
FROM flights
