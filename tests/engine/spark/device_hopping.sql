WITH hoppers AS (
  SELECT
    card
  FROM card_devices
  GROUP BY
    card
  HAVING
    COUNT(*) >= 3
), in_order AS (
  SELECT
    d.card,
    d.first_seen,
    LAG(d.last_seen, 3 - 1) OVER (PARTITION BY d.card ORDER BY d.first_seen NULLS LAST, d.imei NULLS LAST) AS earliest_last_seen, /* a device counts from its last use, so an old phone put away long ago does not */
    ROW_NUMBER() OVER (PARTITION BY d.card ORDER BY d.first_seen NULLS LAST, d.imei NULLS LAST) AS place,
    COUNT(*) OVER (PARTITION BY d.card) AS devices
  FROM card_devices AS d
  JOIN hoppers AS h
    ON h.card = d.card
  LEFT JOIN cards AS c
    ON c.card = d.card
  WHERE
    COALESCE(c.kind, 'voice') = 'voice'
)
SELECT
  card,
  MIN(first_seen) AS seen_at,
  MAX(devices) AS devices
FROM in_order
WHERE
  place >= 3 AND first_seen <= earliest_last_seen + 30 * INTERVAL '1' DAY
GROUP BY
  card
