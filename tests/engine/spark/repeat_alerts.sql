WITH alert_days AS (
  SELECT
    card,
    CAST(seen_at AS DATE) AS day,
    COUNT(DISTINCT rule) AS rules
  FROM hits
  WHERE
    rule <> 'repeat_alerts'
  GROUP BY
    card,
    CAST(seen_at AS DATE)
), in_order AS (
  SELECT
    card,
    day,
    LAG(day, 3 - 1) OVER (PARTITION BY card ORDER BY day NULLS LAST) AS start_day,
    COUNT(*) OVER (PARTITION BY card) AS alert_days
  FROM alert_days
)
SELECT
  card,
  CAST(MIN(day) AS TIMESTAMP_NTZ) AS seen_at,
  MAX(alert_days) AS alert_days
FROM in_order
WHERE
  start_day >= day - 30 * INTERVAL '1' DAY
GROUP BY
  card
