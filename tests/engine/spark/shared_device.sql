WITH users AS (
  SELECT
    card,
    imei,
    first_seen,
    events
  FROM card_devices
  WHERE
    events >= 3
), shared AS (
  SELECT
    imei
  FROM users
  GROUP BY
    imei
  HAVING
    COUNT(*) >= 4
), numbered AS (
  SELECT
    u.*,
    COUNT(*) OVER (PARTITION BY u.imei) AS cards_in_device,
    ROW_NUMBER() OVER (PARTITION BY u.imei ORDER BY u.first_seen NULLS LAST, u.card NULLS LAST) AS place
  FROM users AS u
  JOIN shared AS s
    ON s.imei = u.imei
), reached AS (
  SELECT
    *,
    MIN(CASE WHEN place = 4 THEN first_seen END) OVER (PARTITION BY imei) AS reached_at,
    ROW_NUMBER() OVER (PARTITION BY card ORDER BY cards_in_device DESC, imei NULLS LAST) AS size_place
  FROM numbered
)
SELECT
  card,
  MIN(GREATEST(reached_at, first_seen)) AS seen_at,
  MAX(cards_in_device) AS cards_in_device,
  COUNT(*) AS shared_devices,
  MIN(CASE WHEN size_place = 1 THEN imei END) AS imei
FROM reached
GROUP BY
  card
