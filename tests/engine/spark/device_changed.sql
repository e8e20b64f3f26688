WITH movers AS (
  SELECT
    card
  FROM card_devices
  GROUP BY
    card
  HAVING
    COUNT(*) >= 2
), in_order AS (
  SELECT
    d.card,
    d.imei,
    d.first_seen,
    c.opened_at,
    LAG(d.imei) OVER (PARTITION BY d.card ORDER BY d.first_seen NULLS LAST, d.imei NULLS LAST) AS imei_before,
    ROW_NUMBER() OVER (PARTITION BY d.card ORDER BY d.first_seen NULLS LAST, d.imei NULLS LAST) AS place,
    COUNT(*) OVER (PARTITION BY d.card) AS devices
  FROM card_devices AS d
  JOIN movers AS m
    ON m.card = d.card
  JOIN cards AS c
    ON c.card = d.card
  WHERE
    COALESCE(c.kind, 'voice') = 'voice'
)
SELECT
  card,
  first_seen AS seen_at,
  devices,
  imei_before,
  imei
FROM in_order
WHERE
  place = 2 AND first_seen <= opened_at + 365 * INTERVAL '1' DAY
