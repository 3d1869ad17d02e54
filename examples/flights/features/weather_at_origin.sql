-- The weather at the airport of departure. A row bears the hour in which it was observed, most at minute
-- 51, so it counts as known when that hour is over: at 9:40 the newest is that of 8 o'clock.
-- keys: origin
-- delay: 1h
-- max_age: 4h
SELECT
  origin,
  time_hour AS event_time,
  temp,
  humid,
  CASE WHEN wind_speed < 200 THEN wind_speed END AS wind_speed, -- one reading says 1,048 miles an hour
  precip,
  pressure,
  visib
FROM weather
