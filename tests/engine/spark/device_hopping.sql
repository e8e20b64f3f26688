WITH hoppers AS (
  SELECT
    card
  FROM card_devices
  GROUP BY
    card
  HAVING
    COUNT(*) >= 3
), used AS (
  SELECT
    d.card,
    d.imei,
    d.first_seen,
    d.last_seen,
    COUNT(*) OVER (PARTITION BY d.card) AS devices
  FROM card_devices AS d
  JOIN hoppers AS h
    ON h.card = d.card
  LEFT JOIN cards AS c
    ON c.card = d.card
  WHERE
    COALESCE(c.kind, 'voice') = 'voice'
), arrivals AS (
  SELECT
    a.card,
    a.imei,
    a.first_seen,
    a.devices
  FROM used AS a
  /* a device counts to its last use, so an old phone put away long ago does not */
  JOIN used AS b
    ON b.card = a.card
    AND b.first_seen <= a.first_seen
    AND a.first_seen <= b.last_seen + 30 * INTERVAL '1' DAY
  GROUP BY
    a.card,
    a.imei,
    a.first_seen,
    a.devices
  HAVING
    COUNT(*) >= 3
)
SELECT
  card,
  MIN(first_seen) AS seen_at,
  MAX(devices) AS devices
FROM arrivals
GROUP BY
  card
