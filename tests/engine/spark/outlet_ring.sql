WITH uses AS (
  SELECT
    card,
    LEAST(first_call, first_message, first_data) AS first_used_at,
    GREATEST(last_call, last_message, last_data) AS last_used_at
  FROM card_life
)
SELECT
  b.card,
  b.since AS seen_at,
  b.outlet,
  b.lift,
  b.together,
  u.first_used_at
FROM outlet_batches AS b
LEFT JOIN uses AS u
  ON u.card = b.card
WHERE
  b.lift >= 2
  AND b.since <= CAST('2021-05-18 00:00:00' AS TIMESTAMP_NTZ)
  AND (
    u.first_used_at IS NULL
    OR u.last_used_at < u.first_used_at + 3 * INTERVAL '1' DAY
  )
