WITH once AS (
  SELECT DISTINCT
    card,
    reported_at,
    channel,
    category
  FROM complaints /* one may name several indicators */
), in_order AS (
  SELECT
    card,
    reported_at,
    LAG(reported_at, 5 - 1) OVER (PARTITION BY card ORDER BY reported_at NULLS LAST) AS start_at,
    COUNT(*) OVER (PARTITION BY card) AS complaints
  FROM once
)
SELECT
  card,
  MIN(reported_at) AS seen_at,
  MAX(complaints) AS complaints
FROM in_order
WHERE
  start_at >= reported_at - 10 * INTERVAL '1' DAY
GROUP BY
  card
